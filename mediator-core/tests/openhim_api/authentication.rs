use chrono::TimeDelta;
use mediator_core::openhim::{Authentication, OpenHim, OpenHimError};

use super::openhim_double::AuthenticatedBy::{Basic, Token};
use super::{OpenHimDouble, User, Version};

/// What was asked, and as whom.
fn asked(core: &OpenHimDouble) -> Vec<String> {
    core.seen()
        .iter()
        .map(|seen| format!("{} {:?}", seen.path, seen.by))
        .collect()
}

fn client(core: &OpenHimDouble, authentication: Authentication) -> OpenHim {
    let mut settings = core.settings();
    settings.authentication = authentication;
    OpenHim::new(&settings).unwrap()
}

#[tokio::test]
async fn a_new_core_is_asked_with_basic_and_nothing_else() {
    let core = OpenHimDouble::start(Version::V8).await;
    for authentication in [Authentication::Basic, Authentication::Automatic] {
        client(&core, authentication).mediators().await.unwrap();
        assert_eq!(asked(&core), [format!("/mediators {:?}", Some(Basic))]);
    }
}

#[tokio::test]
async fn that_an_old_core_takes_tokens_only_is_found_out_once() {
    let core = OpenHimDouble::start(Version::V4).await;
    let openhim = core.client();
    openhim.mediators().await.unwrap();
    assert_eq!(
        asked(&core),
        [
            "/mediators None".to_owned(),
            "/authenticate/root@openhim.org None".to_owned(),
            format!("/mediators {:?}", Some(Token)),
        ]
    );
    openhim.clone().mediators().await.unwrap();
    assert_eq!(asked(&core), [format!("/mediators {:?}", Some(Token))]);
}

#[tokio::test]
async fn basic_that_is_set_is_not_replaced_by_tokens() {
    let core = OpenHimDouble::start(Version::V4).await;
    let error = client(&core, Authentication::Basic).mediators().await;
    assert_eq!(error.unwrap_err(), OpenHimError::WrongCredentials);
    assert_eq!(asked(&core), ["/mediators None"]);
}

#[tokio::test]
async fn a_new_core_takes_tokens_of_users_that_have_some() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.add_user(User::new("old@example.org", "secret", &["*"]).with_token());
    let mut settings = core.settings_of("old@example.org", "secret");
    settings.authentication = Authentication::Token;
    OpenHim::new(&settings).unwrap().mediators().await.unwrap();

    let error = client(&core, Authentication::Token).mediators().await;
    assert_eq!(error.unwrap_err(), OpenHimError::WrongCredentials);
}

#[tokio::test]
async fn clocks_may_differ_and_may_be_set() {
    let core = OpenHimDouble::start(Version::V4).await;
    let openhim = core.client();
    for ahead in [TimeDelta::hours(3), TimeDelta::minutes(-40)] {
        core.set_clock_ahead(ahead);
        openhim.mediators().await.unwrap();
    }
    asked(&core);
    openhim.mediators().await.unwrap();
    assert_eq!(asked(&core), [format!("/mediators {:?}", Some(Token))]);
}

#[tokio::test]
async fn a_wrong_password_says_so_and_does_not_say_it() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        for (username, password) in [
            ("root@openhim.org", "not-the-password"),
            ("nobody@example.org", "not-the-password"),
        ] {
            let openhim = core.client_of(username, password);
            let error = openhim.mediators().await.unwrap_err();
            assert_eq!(error, OpenHimError::WrongCredentials, "{version:?}");
            assert!(!error.is_transient());
            let all = format!(
                "{error} {error:?} {openhim:?} {:?}",
                core.settings_of(username, password)
            );
            assert!(!all.contains("not-the-password"), "{all}");
        }
    }
}

#[tokio::test]
async fn a_user_whose_password_was_never_set_is_not_let_in() {
    let core = OpenHimDouble::start(Version::V4).await;
    core.add_user(User::new("new@example.org", "", &["*"]).without_password());
    let error = core.client_of("new@example.org", "").mediators().await;
    assert_eq!(error.unwrap_err(), OpenHimError::WrongCredentials);
}

#[tokio::test]
async fn a_user_without_permission_is_told_which() {
    for version in [Version::V4, Version::V8] {
        let core = OpenHimDouble::start(version).await;
        core.add_user(User::new(
            "clerk@example.org",
            "secret",
            &["channel-view-all"],
        ));
        let openhim = core.client_of("clerk@example.org", "secret");
        let error = openhim.mediators().await.unwrap_err();
        let OpenHimError::NotAllowed { operation, text } = &error else {
            panic!("{error}")
        };
        assert_eq!(*operation, "list mediators");
        let told = match version {
            Version::V4 => "is not an admin",
            Version::V8 => "mediator-view-all",
        };
        assert!(text.contains(told), "{text}");
    }
}
