use mediator_core::default_channels::{InstalledChannels, install_default_channels};
use mediator_core::openhim::OpenHimError;
use mediator_core::registration::register;
use serde_json::json;

use super::{Fault, OpenHimDouble, User, Version, config};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn missing_channels_are_created_once_and_polled() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        let (openhim, config) = (core.client(), config("1.0.0"));
        let installed = install_default_channels(&openhim, &config).await.unwrap();
        assert_eq!(
            installed,
            InstalledChannels {
                created: names(&["Patients", "Clean up"]),
                ..InstalledChannels::default()
            }
        );
        assert_eq!(core.polled(), ["Clean up"]);
        assert_eq!(core.channels()[0]["methods"], json!(["GET"]));

        let installed = install_default_channels(&openhim, &config).await.unwrap();
        assert_eq!(
            installed,
            InstalledChannels {
                existing: names(&["Patients", "Clean up"]),
                ..InstalledChannels::default()
            }
        );
        assert_eq!(core.channels().len(), 2);
    }
}

#[tokio::test]
async fn a_channel_that_an_operator_has_changed_stays_as_it_is() {
    let core = OpenHimDouble::start(Version::V8).await;
    let theirs = json!({
        "name": "Patients", "urlPattern": "^/mine$", "status": "disabled", "routes": []
    });
    core.add_channel(theirs);
    let before = core.channels();
    let installed = install_default_channels(&core.client(), &config("1.0.0"))
        .await
        .unwrap();
    assert_eq!(installed.existing, ["Patients"]);
    assert_eq!(core.channels()[..1], before[..]);
}

#[tokio::test]
async fn two_can_install_at_once() {
    let core = OpenHimDouble::start(Version::V8).await;
    let (openhim, config) = (core.client(), config("1.0.0"));
    let installing = (0..8).map(|_| install_default_channels(&openhim, &config));
    let installed = futures::future::try_join_all(installing).await.unwrap();
    assert_eq!(core.channels().len(), 2);
    let created: usize = installed
        .iter()
        .map(|installed| installed.created.len())
        .sum();
    assert_eq!(created, 2);
}

/// What such a user does not see in the list can be there.
#[tokio::test]
async fn a_user_that_may_only_manage_mediators_installs_too() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.add_user(User::new(
        "m@example.org",
        "secret",
        &["mediator-manage-all"],
    ));
    let (openhim, config) = (core.client_of("m@example.org", "secret"), config("1.0.0"));
    register(&openhim, &config).await.unwrap();
    let installed = install_default_channels(&openhim, &config).await.unwrap();
    assert_eq!(installed.created, ["Patients", "Clean up"]);
    assert_eq!(installed.not_scheduled, ["Clean up"]);
    assert!(core.polled().is_empty());

    let installed = install_default_channels(&openhim, &config).await.unwrap();
    assert_eq!(installed.existing, ["Patients", "Clean up"]);
    assert_eq!(core.channels().len(), 2);
}

#[tokio::test]
async fn a_user_that_may_do_neither_is_told() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.add_user(User::new("m@example.org", "secret", &["channel-view-all"]));
    let openhim = core.client_of("m@example.org", "secret");
    let error = install_default_channels(&openhim, &config("1.0.0"))
        .await
        .unwrap_err();
    assert!(matches!(error, OpenHimError::NotAllowed { .. }), "{error}");
}

#[tokio::test]
async fn an_answer_that_is_lost_does_no_harm() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    openhim.mediators().await.unwrap();
    core.fail_next_of("/channels", [Fault::CloseAfterwards; 2]);
    install_default_channels(&openhim, &config("1.0.0"))
        .await
        .unwrap();
    assert_eq!(core.channels().len(), 2);
    assert_eq!(core.polled(), ["Clean up"]);
}
