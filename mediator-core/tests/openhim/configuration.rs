//! Configuration that operators set in OpenHIM's console.

use mediator_core::mediator_config::ConfigurationDefinition;
use mediator_core::pushed_configuration::PushedConfiguration;
use real_servers::openhim_core::RealOpenHimCore;
use serde::Deserialize;
use serde_json::{Value, json};

use super::running::{Running, openhim, urn};
use super::{core, eventually};

#[derive(Debug, Deserialize)]
struct Settings {
    retries: u8,
    #[serde(default)]
    password: String,
}

#[tokio::test]
async fn what_the_console_sets_arrives_and_what_is_wrong_does_not() {
    let Some(core) = core().await else {
        return;
    };
    let mut pushed = None;
    let mediator = Running::start(
        "configured",
        openhim(core, RealOpenHimCore::PASSWORD),
        |config, _| {
            config
                .parameter(ConfigurationDefinition::number("retries"))
                .parameter(ConfigurationDefinition::password("password"))
                .initial_value("retries", 3)
        },
        |mediator, config| {
            let configuration = PushedConfiguration::<Settings>::new(config).unwrap();
            let mediator = mediator.configuration(&configuration);
            pushed = Some(configuration);
            mediator
        },
    )
    .await;
    let pushed = pushed.unwrap();
    assert_eq!(pushed.current().retries, 3);
    mediator.is_up(core).await;

    let path = format!("/mediators/{}/config", urn("configured"));
    let push =
        async |configuration: Value| core.api("PUT", &path, Some(configuration)).await.status;
    let arrived = async |retries: u8| {
        eventually("the configuration", || async {
            pushed.current().retries == retries
        })
        .await;
    };
    assert_eq!(
        push(json!({ "retries": 5, "password": "hunter2" })).await,
        200
    );
    arrived(5).await;
    assert_eq!(pushed.current().password, "hunter2", "as it is, not masked");

    // Core itself refuses what its definitions do not allow.
    assert_eq!(push(json!({ "retries": "many" })).await, 400);
    // What they allow and the mediator's own type does not, the mediator refuses.
    let mut changes = pushed.subscribe();
    changes.mark_unchanged();
    assert_eq!(push(json!({ "retries": 3.5 })).await, 200);
    assert_eq!(push(json!({ "retries": 1000 })).await, 200);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert!(!changes.has_changed().unwrap());
    assert_eq!(pushed.current().retries, 5);

    assert_eq!(push(json!({ "retries": 7 })).await, 200);
    arrived(7).await;
    mediator.stop().await;
}
