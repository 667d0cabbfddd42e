//! Core's channels, clients, roles, users and audit records, against the double.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../openhim_double/mod.rs"]
mod openhim_double;

mod audits;
mod channels;
mod clients;
mod roles;
mod users;

use mediator_core::openhim::OpenHimError;
use rstest::rstest;
use secrecy::SecretString;

use openhim_double::{OpenHimDouble, User, Version};

fn secret(text: &str) -> SecretString {
    text.to_owned().into()
}

fn is_missing<T: std::fmt::Debug>(result: Result<T, OpenHimError>) -> bool {
    match result {
        Err(OpenHimError::NotFound { .. }) => true,
        other => panic!("{other:?}"),
    }
}

fn is_refused<T: std::fmt::Debug>(result: Result<T, OpenHimError>) -> bool {
    match result {
        Err(OpenHimError::Refused { .. }) => true,
        other => panic!("{other:?}"),
    }
}

#[rstest]
#[case(Version::V4, "4.0.5")]
#[case(Version::V8, "8.5.0")]
#[tokio::test]
async fn core_tells_its_version(#[case] version: Version, #[case] expected: &str) {
    let core = OpenHimDouble::start(version).await;
    let about = core.client().about().await.unwrap();
    assert_eq!(about.version.to_string(), expected);
    assert_eq!(about.server_timezone, "Etc/UTC");
}

#[rstest]
#[case(Version::V4)]
#[case(Version::V8)]
#[tokio::test]
async fn who_may_do_nothing_is_told_so(#[case] version: Version) {
    let core = OpenHimDouble::start(version).await;
    core.add_user(User::new("a@example.org", "p", &["nothing-at-all"]).with_token());
    let openhim = core.client_of("a@example.org", "p");
    let not_allowed = |error: OpenHimError| match error {
        OpenHimError::NotAllowed { .. } => true,
        other => panic!("{other:?}"),
    };
    assert!(not_allowed(openhim.clients().list().await.unwrap_err()));
    assert!(not_allowed(openhim.roles().list().await.unwrap_err()));
    assert!(not_allowed(openhim.users().list().await.unwrap_err()));
    let search = mediator_core::openhim::AuditSearch::new();
    assert!(not_allowed(
        openhim.audits().search(&search).await.unwrap_err()
    ));
    // Core hides channels instead.
    assert_eq!(openhim.channels().list().await.unwrap(), []);
    assert!(not_allowed(
        openhim
            .channels()
            .read("0123456789abcdef01234567")
            .await
            .unwrap_err()
    ));
}
