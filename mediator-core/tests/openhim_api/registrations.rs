use std::time::Duration;

use http::StatusCode;
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::OpenHimError;
use mediator_core::registration::{Registered, register, register_until_done};
use serde_json::json;

use super::{Fault, OpenHimDouble, URN, User, Version, config, document};

#[tokio::test]
async fn what_core_did_is_found_out() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        let openhim = core.client();
        let register = async |version| register(&openhim, &config(version)).await.unwrap();
        assert_eq!(register("1.0.0").await, Registered::New);
        assert_eq!(register("1.0.0").await, Registered::Unchanged);
        assert_eq!(
            register("1.1.0").await,
            Registered::Updated {
                from: "1.0.0".parse().unwrap(),
                to: "1.1.0".parse().unwrap()
            }
        );
        assert_eq!(
            register("1.0.0").await,
            Registered::IgnoredBecauseNotHigher {
                registered: "1.1.0".parse().unwrap(),
                offered: "1.0.0".parse().unwrap(),
                differs: None
            }
        );
    }
}

#[tokio::test]
async fn a_change_without_a_higher_version_is_told_with_its_place() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    register(&openhim, &config("1.0.0")).await.unwrap();
    for (pointer, value, place) in [
        ("/name", json!("Persons"), "name"),
        ("/endpoints/0/port", json!(4322), "endpoints.0.port"),
        ("/endpoints/0/path", json!("/v2"), "endpoints.0.path"),
        (
            "/defaultChannelConfig/1/pollingSchedule",
            json!("1 minute"),
            "defaultChannelConfig.1.pollingSchedule",
        ),
        (
            "/configDefs",
            json!([
                {"param": "retries", "type": "number"},
                {"param": "secret", "type": "password"},
                {"param": "url", "type": "string"}
            ]),
            "configDefs",
        ),
        ("/description", json!("All of them"), "description"),
    ] {
        let mut changed = document("1.0.0");
        match changed.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => {
                let (parent, field) = pointer.rsplit_once('/').unwrap();
                changed.pointer_mut(parent).unwrap()[field] = value;
            }
        }
        let changed = MediatorConfig::from_json(&changed.to_string()).unwrap();
        let registered = register(&openhim, &changed).await.unwrap();
        let Registered::IgnoredBecauseNotHigher { differs, .. } = &registered else {
            panic!("{pointer}: {registered}")
        };
        assert_eq!(differs.as_deref(), Some(place));
        assert!(registered.to_string().contains(place));
    }
}

#[tokio::test]
async fn what_core_adds_drops_and_casts_is_no_change() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let mut document = document("1.0.0");
    document["x-team"] = "registries".into();
    document["description"] = serde_json::Value::Null;
    let config = MediatorConfig::from_json(&document.to_string()).unwrap();
    register(&openhim, &config).await.unwrap();
    core.set_config_in_console(URN, json!({"retries": 7, "secret": "other"}));
    assert_eq!(
        register(&openhim, &config).await.unwrap(),
        Registered::Unchanged
    );
    assert_eq!(core.mediator(URN).unwrap()["config"]["retries"], 7);
}

#[tokio::test]
async fn a_registration_is_tried_until_core_is_there() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let killed = core.kill().await;
    let config = config("1.0.0");
    let registering = tokio::spawn(async move { register_until_done(&openhim, &config).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!registering.is_finished());
    let core = killed.start_again().await;
    assert_eq!(registering.await.unwrap().unwrap(), Registered::New);
    assert!(core.mediator(URN).is_some());
}

#[tokio::test]
async fn a_user_that_is_made_later_is_let_in() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client_of("mediator@example.org", "secret");
    let config = config("1.0.0");
    let registering = tokio::spawn(async move { register_until_done(&openhim, &config).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!registering.is_finished());
    core.add_user(User::new(
        "mediator@example.org",
        "secret",
        &["mediator-manage-all"],
    ));
    assert_eq!(registering.await.unwrap().unwrap(), Registered::New);
}

#[tokio::test]
async fn a_document_that_core_refuses_is_not_sent_again() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    core.fail_next_of(
        "/mediators",
        [StatusCode::PAYLOAD_TOO_LARGE, StatusCode::BAD_REQUEST].map(Fault::Refuse),
    );
    let error = register_until_done(&openhim, &config("1.0.0"))
        .await
        .unwrap_err();
    assert!(
        matches!(error, OpenHimError::Refused { status, .. } if status == 400),
        "{error}"
    );
    assert!(core.mediator(URN).is_none());
}

#[tokio::test]
async fn an_answer_that_is_lost_does_no_harm() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.fail_next_of("/mediators", [Fault::CloseAfterwards]);
    let registered = register(&core.client(), &config("1.0.0")).await.unwrap();
    assert_eq!(registered, Registered::New);
}
