use mediator_core::mediator_config::{ChannelDefinition, Method, Route};
use mediator_core::openhim::{Client, Permission, Role};
use rstest::rstest;

use super::{OpenHimDouble, Version, is_missing, is_refused};

#[tokio::test]
async fn a_role_is_what_users_may_do() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let roles = openhim.roles();
    let role = Role::new("mediator")
        .permission("mediator-manage-all")
        .permission_for("channel-view-specified", ["5"]);
    let created = roles.create(&role).await.unwrap();
    assert!(created.may("mediator-manage-all"));
    assert!(!created.may("mediator-view-all"));
    assert_eq!(
        created.permissions["channel-view-specified"],
        Permission::Specified(vec!["5".to_owned()])
    );
    assert_eq!(roles.read("mediator").await.unwrap(), created);
    assert_eq!(roles.list().await.unwrap(), [created]);

    let changed = Role::new("watcher").permission("channel-view-all");
    let changed = roles.update("mediator", &changed).await.unwrap();
    assert!(changed.may("channel-view-all") && !changed.may("mediator-manage-all"));
    assert!(is_missing(roles.read("mediator").await));

    // The name it has is no other.
    roles.update("watcher", &changed).await.unwrap();

    roles.delete("watcher").await.unwrap();
    assert!(core.roles().is_empty());
}

#[tokio::test]
async fn a_permission_that_core_does_not_know_is_seen_to_be_dropped() {
    let core = OpenHimDouble::start(Version::V8).await;
    let role = Role::new("mediator").permission("mediators-manage-all");
    let created = core.client().roles().create(&role).await.unwrap();
    assert!(!created.permissions.contains_key("mediators-manage-all"));
}

#[tokio::test]
async fn a_role_of_4_is_what_channels_and_clients_say() {
    let core = OpenHimDouble::start(Version::V4).await;
    let openhim = core.client();
    let roles = openhim.roles();
    assert!(is_refused(roles.create(&Role::new("hospital")).await));

    let definition = ChannelDefinition::http("Patients", "^/patients$", [Method::Get])
        .route(Route::http("Registry", "registry.example", 8080).primary());
    openhim.channels().create(&definition).await.unwrap();
    let client = Client::new("hospital-1", "Hospital 1");
    openhim.clients().create(&client).await.unwrap();

    let role = Role::new("hospital")
        .channel("Patients")
        .client("hospital-1");
    let created = roles.create(&role).await.unwrap();
    assert_eq!(created, role);
    assert_eq!(roles.list().await.unwrap(), [created]);
    let client = openhim.clients().find("hospital-1").await.unwrap();
    assert_eq!(client.unwrap().roles, ["hospital"]);

    let changed = Role::new("clinic").channel("Patients");
    assert_eq!(roles.update("hospital", &changed).await.unwrap(), changed);
    let client = openhim.clients().find("hospital-1").await.unwrap();
    assert!(client.unwrap().roles.is_empty());

    roles.delete("clinic").await.unwrap();
    assert_eq!(roles.list().await.unwrap(), []);
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let openhim = core.client();
    let roles = openhim.roles();
    assert!(is_missing(roles.read("none").await));
    let role = Role::new("none").permission("channel-view-all");
    assert!(is_missing(roles.update("none", &role).await));
    assert!(is_missing(roles.delete("none").await));
}
