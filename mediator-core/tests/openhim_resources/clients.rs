use mediator_core::openhim::{Client, OpenHimError, Role};
use rstest::rstest;
use serde_json::json;

use super::{OpenHimDouble, Version, is_missing, is_refused, secret};

fn hospital() -> Client {
    Client::new("hospital-1", "Hospital 1")
        .role("hospital")
        .password(&secret("correct horse"))
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn a_client_is_created_found_changed_and_removed(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let openhim = core.client();
    let clients = openhim.clients();
    assert_eq!(clients.find("hospital-1").await.unwrap(), None);

    let created = clients.create(&hospital()).await.unwrap();
    let id = created.id.clone().unwrap();
    assert!(created.has_password(&secret("correct horse")));
    assert_eq!(created.roles, ["hospital"]);
    assert_eq!(clients.read(&id).await.unwrap(), created);
    assert_eq!(
        clients.list().await.unwrap(),
        std::slice::from_ref(&created)
    );
    assert!(core.clients()[0].get("password").is_none());

    let mut changed = Client::new("hospital-1", "First hospital").role("clinic");
    changed.location = Some("Here".to_owned());
    clients.update(&id, &changed).await.unwrap();
    let read = clients.read(&id).await.unwrap();
    assert_eq!(read.name, "First hospital");
    assert_eq!(read.roles, ["clinic"]);
    assert_eq!(read.location.as_deref(), Some("Here"));
    assert!(read.has_password(&secret("correct horse")), "kept");

    clients.delete(&id).await.unwrap();
    assert!(core.clients().is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let clients = openhim.clients();
    assert!(is_missing(clients.read("no-id").await));
    let id = "0123456789abcdef01234567";
    assert!(is_missing(clients.read(id).await));
    assert!(is_missing(clients.update(id, &hospital()).await));
    assert!(is_missing(clients.delete(id).await));
}

#[tokio::test]
async fn a_name_is_a_clients_or_a_roles() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    openhim.clients().create(&hospital()).await.unwrap();
    assert!(is_refused(openhim.clients().create(&hospital()).await));
    assert!(is_refused(
        openhim.roles().create(&Role::new("hospital-1")).await
    ));
    let same = Client::new("same", "Same").role("same");
    assert!(is_refused(openhim.clients().create(&same).await));
}

#[tokio::test]
async fn a_token_is_set_and_not_told() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let mut client = hospital();
    client.custom_token = Some("token".into());
    let created = openhim.clients().create(&client).await.unwrap();
    assert_eq!(core.clients()[0]["customTokenID"], "token");
    assert_eq!(created.custom_token, None);
    assert_eq!(created.other["customTokenSet"], json!(true));
}

#[tokio::test]
async fn a_taken_name_is_told_by_status() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    openhim.roles().create(&Role::new("clinic")).await.unwrap();
    match openhim.clients().create(&Client::new("clinic", "C")).await {
        Err(OpenHimError::Refused { status, .. }) => assert_eq!(status, http::StatusCode::CONFLICT),
        other => panic!("{other:?}"),
    }
}
