use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mediator_core::back_end::{Authentication, BackEnd, BackEndError, BackEndSettings, Token};
use serde_json::json;
use tempfile::NamedTempFile;

use super::{Double, Seen, nowhere, status};

fn with(double: &Double, authentication: Authentication) -> BackEnd {
    BackEnd::new(&BackEndSettings {
        authentication,
        ..double.settings()
    })
    .unwrap()
}

/// A back end that wants this `Authorization`.
async fn wants(value: &'static str) -> Double {
    Double::start(move |seen, _| match seen.authorization.as_deref() {
        Some(sent) if sent == value => status(200),
        _ => status(401),
    })
    .await
}

async fn is_let_in(back_end: &BackEnd) -> Result<(), BackEndError> {
    let answer = back_end.get("Read", "Patient/1").send().await?;
    assert_eq!(answer.status, 200);
    Ok(())
}

#[tokio::test]
async fn basic_and_bearer_are_sent_and_401_says_what_to_do() {
    let basic = |password: &str| Authentication::Basic {
        username: "Aladdin".to_owned(),
        password: password.into(),
    };
    let double = wants("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==").await;
    is_let_in(&with(&double, basic("open sesame")))
        .await
        .unwrap();
    let bearer = |token: &str| Authentication::Bearer(Token::Value(token.into()));
    let tokens = wants("Bearer s3cret").await;
    is_let_in(&with(&tokens, bearer("s3cret"))).await.unwrap();
    for back_end in [
        with(&double, Authentication::None),
        with(&double, basic("wrong")),
        with(&tokens, bearer("wrong")),
    ] {
        let error = is_let_in(&back_end).await.unwrap_err();
        assert!(matches!(error, BackEndError::NotAuthenticated { .. }));
        assert!(!error.to_string().contains("wrong") && !error.is_transient());
    }
    assert_eq!(double.seen().len(), 3, "a refusal is not repeated");
}

#[tokio::test]
async fn a_token_file_that_changes_is_read_again() {
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "first\n").unwrap();
    let double = Double::start(|_, _| status(200)).await;
    let token = Token::File(file.path().to_owned());
    let back_end = with(&double, Authentication::Bearer(token));
    is_let_in(&back_end).await.unwrap();
    std::fs::write(file.path(), "second").unwrap();
    is_let_in(&back_end).await.unwrap();
    let sent = double
        .seen()
        .into_iter()
        .map(|seen| seen.authorization.unwrap());
    assert_eq!(sent.collect::<Vec<_>>(), ["Bearer first", "Bearer second"]);
    std::fs::write(file.path(), "").unwrap();
    let error = is_let_in(&back_end).await.unwrap_err().to_string();
    assert!(
        error.contains(&file.path().display().to_string()),
        "{error}"
    );
}

/// An OAuth2 server and a back end that takes the last token issued. Tokens are `token-1` and so
/// on.
async fn oauth(expires_in: f64, refuse: &'static [usize]) -> (Double, Arc<AtomicUsize>) {
    let issued = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&issued);
    let answer = move |seen: &Seen, _| {
        if seen.target == "/token" {
            assert_eq!(
                seen.authorization.as_deref(),
                Some("Basic bWVkaWF0b3I6cyUyQjE=")
            );
            assert_eq!(seen.body, "grant_type=client_credentials&scope=fhir");
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            return super::json(&json!({
                "access_token": format!("token-{number}"),
                "token_type": "Bearer",
                "expires_in": expires_in,
            }));
        }
        let number = count.load(Ordering::SeqCst);
        let is_last = seen.authorization == Some(format!("Bearer token-{number}"));
        status(if is_last && !refuse.contains(&number) {
            200
        } else {
            401
        })
    };
    (Double::start(answer).await, issued)
}

fn client_credentials(double: &Double) -> Authentication {
    Authentication::ClientCredentials {
        token_url: double.url.join("/token").unwrap(),
        client_id: "mediator".to_owned(),
        client_secret: "s+1".into(),
        scope: Some("fhir".to_owned()),
    }
}

#[tokio::test]
async fn a_token_is_kept_and_asked_for_once_however_many_wait() {
    let (double, issued) = oauth(3600.0, &[]).await;
    let back_end = with(&double, client_credentials(&double));
    let calls = (0..8).map(|_| is_let_in(&back_end));
    for result in futures::future::join_all(calls).await {
        result.unwrap();
    }
    is_let_in(&back_end).await.unwrap();
    assert_eq!(issued.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_before_it_is_used() {
    let (double, issued) = oauth(0.0, &[]).await;
    let back_end = with(&double, client_credentials(&double));
    for _ in 0..2 {
        is_let_in(&back_end).await.unwrap();
    }
    assert_eq!(issued.load(Ordering::SeqCst), 2);
    let refused = double
        .seen()
        .iter()
        .filter(|seen| seen.target != "/token")
        .count();
    assert_eq!(refused, 2, "no call was made with the old one");
}

#[tokio::test]
async fn a_token_that_is_refused_is_renewed_once_and_the_call_repeated() {
    let (double, issued) = oauth(3600.0, &[1]).await;
    let back_end = with(&double, client_credentials(&double));
    let call = back_end.post("Write", "Patient").json(&1);
    assert_eq!(call.send().await.unwrap().status, 200);
    assert_eq!(issued.load(Ordering::SeqCst), 2);

    let (double, issued) = oauth(3600.0, &[1, 2, 3]).await;
    let back_end = with(&double, client_credentials(&double));
    let error = is_let_in(&back_end).await.unwrap_err();
    assert!(matches!(error, BackEndError::NotAuthenticated { .. }));
    assert_eq!(issued.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_it_is_told_why() {
    let error = |answer: fn() -> axum::response::Response| async move {
        let double = Double::start(move |_, _| answer()).await;
        let back_end = with(&double, client_credentials(&double));
        let error = is_let_in(&back_end).await.unwrap_err();
        assert!(double.seen().iter().all(|seen| seen.target == "/token"));
        error
    };
    let refused = || {
        let mut answer = super::json(&json!({"error": "invalid_client"}));
        *answer.status_mut() = http::StatusCode::UNAUTHORIZED;
        answer
    };
    let told = error(refused).await;
    assert!(matches!(told, BackEndError::NotAuthenticated { .. }));
    assert!(told.to_string().contains("invalid_client"), "{told}");
    let told = error(|| super::json(&json!({"html": "login"}))).await;
    assert!(matches!(told, BackEndError::NotAuthenticated { .. }));
    let told = error(|| status(500)).await;
    assert!(matches!(told, BackEndError::Broken { .. }), "{told:?}");

    let double = Double::of_statuses(&[200]).await;
    let authentication = Authentication::ClientCredentials {
        token_url: nowhere(),
        client_id: "mediator".to_owned(),
        client_secret: "s".into(),
        scope: None,
    };
    let told = is_let_in(&with(&double, authentication)).await.unwrap_err();
    assert!(matches!(told, BackEndError::Unreachable { .. }), "{told:?}");
    assert!(double.seen().is_empty());
}
