use mediator_core::mediator_config::{ChannelDefinition, ChannelStatus, Method, Route};
use rstest::rstest;
use serde_json::json;

use super::{OpenHimDouble, Version, is_missing, is_refused};

fn definition() -> ChannelDefinition {
    ChannelDefinition::http("Patients", "^/patients$", [Method::Get])
        .allow("hospital")
        .route(Route::http("Registry", "registry.example", 8080).primary())
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn a_channel_is_created_found_changed_and_removed(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let openhim = core.client();
    let channels = openhim.channels();
    assert_eq!(channels.find("Patients").await.unwrap(), None);

    let created = channels.create(&definition()).await.unwrap();
    assert_eq!(created.definition.routes, definition().routes);
    assert!(created.definition.other.is_empty(), "{created:?}");
    assert_eq!(channels.read(&created.id).await.unwrap(), created);
    assert_eq!(
        channels.list().await.unwrap(),
        std::slice::from_ref(&created)
    );

    let mut changed = created.definition.clone();
    changed.allow.clear();
    changed.methods.push(Method::Post);
    channels.update(&created.id, &changed).await.unwrap();
    let stored = &core.channels()[0];
    assert_eq!(stored["allow"], json!([]));
    assert_eq!(stored["methods"], json!(["GET", "POST"]));
    assert_eq!(stored["updatedBy"]["name"], "Super User");

    channels.delete(&created.id).await.unwrap();
    assert_eq!(core.channels(), Vec::<serde_json::Value>::new());
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let channels = openhim.channels();
    assert!(is_missing(channels.read("no-id").await));
    let id = "0123456789abcdef01234567";
    assert!(is_missing(channels.read(id).await));
    assert!(is_missing(channels.update(id, &definition()).await));
    assert!(is_missing(channels.delete(id).await));
    assert!(is_missing(channels.trigger(id).await));
}

#[tokio::test]
async fn a_polling_channel_is_scheduled_and_can_be_run_at_once() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let channels = openhim.channels();
    let definition = ChannelDefinition::polling("Clean up", "10 seconds")
        .route(Route::http("Mediator", "mediator.example", 4321).primary());
    let created = channels.create(&definition).await.unwrap();
    assert_eq!(core.polled(), ["Clean up"]);
    channels.trigger(&created.id).await.unwrap();
    assert_eq!(core.triggered(), std::slice::from_ref(&created.id));

    // Core refuses methods here, and the empty list that is sent is none.
    let mut stopped = created.definition;
    stopped.status = Some(ChannelStatus::Disabled);
    channels.update(&created.id, &stopped).await.unwrap();
    assert_eq!(core.polled(), Vec::<String>::new());
}

#[tokio::test]
async fn what_core_finds_fault_with_is_refused() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let channels = openhim.channels();
    let without_route = ChannelDefinition::http("Patients", "^/$", [Method::Get]);
    assert!(is_refused(channels.create(&without_route).await));
    channels.create(&definition()).await.unwrap();
    assert!(is_refused(channels.create(&definition()).await));
}

#[tokio::test]
async fn a_channel_with_transactions_is_only_marked() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let created = openhim.channels().create(&definition()).await.unwrap();
    core.add_transaction(json!({ "channelID": created.id }));
    openhim.channels().delete(&created.id).await.unwrap();
    let channel = openhim.channels().read(&created.id).await.unwrap();
    assert_eq!(channel.definition.status, Some(ChannelStatus::Deleted));
}
