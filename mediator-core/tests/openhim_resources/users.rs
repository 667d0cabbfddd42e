use mediator_core::openhim::{OpenHimError, User};
use rstest::rstest;
use serde_json::json;

use super::{OpenHimDouble, Version, is_missing, secret};

fn mediator() -> User {
    User::new("Mediator@example.org", "Patients", "Mediator").group("admin")
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn a_user_who_was_created_can_use_the_api(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let openhim = core.client();
    let users = openhim.users();
    users
        .create(&mediator(), &secret("correct horse"))
        .await
        .unwrap();

    let user = users.read("mediator@example.org").await.unwrap();
    assert_eq!(user.email, "mediator@example.org");
    assert_eq!(user.groups, ["admin"]);
    assert_eq!(user.locked, Some(false));
    assert_eq!(users.list().await.unwrap(), [user]);
    assert!(!core.users()[0].to_string().contains("correct horse"));

    let right = core.client_of("mediator@example.org", "correct horse");
    right.mediators().await.unwrap();
    let wrong = core.client_of("mediator@example.org", "wrong horse");
    let refused = wrong.mediators().await.unwrap_err();
    assert!(matches!(refused, OpenHimError::WrongCredentials));

    users
        .set_password("mediator@example.org", &secret("wrong horse"))
        .await
        .unwrap();
    wrong.mediators().await.unwrap();

    users.delete("mediator@example.org").await.unwrap();
    assert!(core.users().is_empty());
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn a_change_leaves_the_password(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let openhim = core.client();
    let users = openhim.users();
    users.create(&mediator(), &secret("p")).await.unwrap();
    let mut changed = mediator();
    changed.groups = vec!["operator".to_owned()];
    users
        .update("mediator@example.org", &changed)
        .await
        .unwrap();
    assert_eq!(
        users.read("mediator@example.org").await.unwrap().groups,
        ["operator"]
    );
    let user = core.client_of("mediator@example.org", "p");
    user.mediators().await.unwrap();
}

#[tokio::test]
async fn who_logs_in_elsewhere_still_does_after_a_change() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    openhim
        .users()
        .create(&mediator(), &secret("p"))
        .await
        .unwrap();
    core.change_user("mediator@example.org", |user| {
        user["provider"] = json!("openid");
    });
    openhim
        .users()
        .update("mediator@example.org", &mediator())
        .await
        .unwrap();
    assert_eq!(core.users()[0]["provider"], "openid");
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn what_is_not_there_is_said_to_be_missing(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    let openhim = core.client();
    let users = openhim.users();
    let email = "nobody@example.org";
    assert!(is_missing(users.read(email).await));
    assert!(is_missing(users.update(email, &mediator()).await));
    assert!(is_missing(users.set_password(email, &secret("p")).await));
    assert!(is_missing(users.delete(email).await));
}

#[tokio::test]
async fn an_address_is_taken_once() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    let users = openhim.users();
    users.create(&mediator(), &secret("p")).await.unwrap();
    match users.create(&mediator(), &secret("p")).await {
        Err(OpenHimError::CoreFailed { .. }) => {}
        other => panic!("{other:?}"),
    }
}
