use std::sync::Arc;

use mediator_core::heartbeat::Heartbeat;
use mediator_core::pushed_configuration::{Applied, PushedConfiguration, PushedConfigurationError};
use mediator_core::registration::register;
use serde::Deserialize;
use serde_json::json;

use super::{OpenHimDouble, URN, Version, config};

#[derive(Deserialize)]
pub(crate) struct Settings {
    retries: u8,
    secret: String,
}

async fn registered(version: Version) -> (OpenHimDouble, PushedConfiguration<Settings>, Heartbeat) {
    let core = OpenHimDouble::start(version).await;
    let config = config("1.0.0");
    register(&core.client(), &config).await.unwrap();
    let settings = PushedConfiguration::new(&config).unwrap();
    let heartbeat = Heartbeat::new(core.client(), Arc::new(config)).configuration(&settings);
    (core, settings, heartbeat)
}

#[tokio::test]
async fn it_is_fetched_at_start_and_when_it_changes() {
    for version in [Version::V4, Version::V8] {
        let (core, settings, heartbeat) = registered(version).await;
        assert_eq!(settings.current().retries, 3);
        core.set_config_in_console(URN, json!({"retries": 4, "secret": "a"}));
        let mut changes = settings.subscribe();
        let beat = heartbeat.heartbeat_once().await.unwrap();
        assert_eq!(beat.configuration, Some(Applied::New));
        assert!(changes.has_changed().unwrap());
        assert_eq!(changes.borrow_and_update().retries, 4);

        let beat = heartbeat.heartbeat_once().await.unwrap();
        assert_eq!(beat.configuration, Some(Applied::Unchanged));
        assert!(!changes.has_changed().unwrap());

        core.set_config_in_console(URN, json!({"retries": 5, "secret": "b"}));
        heartbeat.heartbeat_once().await.unwrap();
        assert_eq!(settings.current().retries, 5);
        assert_eq!(settings.current().secret, "b");
    }
}

/// Core forgets that there is something new once it has told one of them.
#[tokio::test]
async fn every_replica_gets_it() {
    let (core, settings, heartbeat) = registered(Version::V8).await;
    let others = PushedConfiguration::<Settings>::new(&config("1.0.0")).unwrap();
    let other = Heartbeat::new(core.client(), Arc::new(config("1.0.0"))).configuration(&others);
    for heartbeat in [&heartbeat, &other] {
        heartbeat.heartbeat_once().await.unwrap();
    }
    core.set_config_in_console(URN, json!({"retries": 9, "secret": "a"}));
    for heartbeat in [&heartbeat, &other] {
        heartbeat.heartbeat_once().await.unwrap();
    }
    assert_eq!(
        (settings.current().retries, others.current().retries),
        (9, 9)
    );
}

#[tokio::test]
async fn a_wrong_one_is_refused_and_the_old_one_kept() {
    let (core, settings, heartbeat) = registered(Version::V8).await;
    heartbeat.heartbeat_once().await.unwrap();
    for (pushed, told) in [
        (json!({"retries": "hunter3", "secret": "x"}), "retries"),
        (json!({"retries": 300, "secret": "hunter3"}), "retries"),
        (json!({"retries": 3, "secret": ["hunter3"]}), "secret"),
        (json!({"retries": 3}), "secret"),
        (
            json!({"retries": 3, "secret": "x", "unknown": "hunter3"}),
            "unknown",
        ),
    ] {
        core.set_config_in_console(URN, pushed.clone());
        let beat = heartbeat.heartbeat_once().await.unwrap();
        let Some(Applied::Refused(error)) = beat.configuration else {
            panic!("{pushed}: {:?}", beat.configuration)
        };
        assert!(error.to_string().contains(told), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter3"), "{error}");
        assert_eq!(settings.current().retries, 3);
        // It is not told again and again.
        let beat = heartbeat.heartbeat_once().await.unwrap();
        assert_eq!(beat.configuration, Some(Applied::Unchanged));
    }
    core.set_config_in_console(URN, json!({"retries": 6, "secret": "x"}));
    heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(settings.current().retries, 6);
}

#[tokio::test]
async fn a_mediator_without_configuration_keeps_what_it_has() {
    let (core, settings, heartbeat) = registered(Version::V8).await;
    core.change_mediator(URN, |mediator| {
        mediator.as_object_mut().unwrap().remove("config");
    });
    let beat = heartbeat.heartbeat_once().await.unwrap();
    assert_eq!(beat.configuration, None);
    assert_eq!(settings.current().retries, 3);
}

#[test]
fn a_registration_that_does_not_make_the_type_is_refused_at_once() {
    #[derive(Debug, Deserialize)]
    struct Other {
        #[expect(dead_code, reason = "it is never made")]
        url: String,
    }
    let error = PushedConfiguration::<Other>::new(&config("1.0.0")).unwrap_err();
    assert!(matches!(
        error,
        PushedConfigurationError::NotExpected { .. }
    ));
    assert!(error.to_string().contains("url"), "{error}");
}
