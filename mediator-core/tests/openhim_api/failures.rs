use std::time::{Duration, Instant};

use http::StatusCode;
use mediator_core::openhim::{ConfigurationWanted, OpenHim, OpenHimError};

use super::{Fault, OpenHimDouble, URN, Version, config};

/// Does not wait for a core that hangs.
fn impatient(core: &OpenHimDouble) -> OpenHim {
    let mut settings = core.settings();
    settings.timeout = Duration::from_millis(500);
    OpenHim::new(&settings).unwrap()
}

#[tokio::test]
async fn what_is_safe_is_repeated_until_it_works() {
    let core = OpenHimDouble::start(Version::V8).await;
    for fault in [
        Fault::Close,
        Fault::CloseAfterwards,
        Fault::Hang,
        Fault::Refuse(StatusCode::SERVICE_UNAVAILABLE),
    ] {
        core.fail_next([fault, fault]);
        impatient(&core).mediators().await.unwrap();
        assert_eq!(core.seen().len(), 3, "{fault:?}");
    }
}

#[tokio::test]
async fn it_is_not_repeated_for_ever_and_the_reason_is_told() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.fail_next([Fault::Refuse(StatusCode::BAD_GATEWAY); 3]);
    let error = core.client().mediators().await.unwrap_err();
    assert!(
        matches!(error, OpenHimError::CoreFailed { status, .. } if status == 502),
        "{error}"
    );

    core.fail_next([Fault::Hang; 3]);
    let error = impatient(&core).mediators().await.unwrap_err();
    assert!(matches!(error, OpenHimError::Timeout { .. }), "{error}");
    assert!(error.is_transient());
}

#[tokio::test]
async fn what_core_refuses_is_not_asked_again() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    openhim.mediators().await.unwrap();
    core.seen();
    let error = openhim.register_mediator(&serde_json::json!({})).await;
    let error = error.unwrap_err();
    let OpenHimError::Refused { status, text, .. } = &error else {
        panic!("{error}")
    };
    assert_eq!(*status, 400);
    assert!(text.contains("URN is required"), "{text}");
    assert_eq!(core.seen().len(), 1);
}

#[tokio::test]
async fn a_heartbeat_is_not_repeated() {
    let core = OpenHimDouble::start(Version::V8).await;
    let openhim = core.client();
    openhim.register_mediator(&config("1.0.0")).await.unwrap();
    core.seen();
    core.fail_next([Fault::Close]);
    let beat = openhim.mediator_heartbeat(URN, Duration::ZERO, ConfigurationWanted::WhenChanged);
    let error = beat.await.unwrap_err();
    assert!(matches!(error, OpenHimError::Unreachable { .. }), "{error}");
    assert_eq!(core.seen().len(), 1);
}

#[tokio::test]
async fn a_core_that_is_not_there_is_unreachable() {
    let core = OpenHimDouble::start(Version::V8).await;
    let (openhim, address) = (core.client(), core.address);
    let killed = core.kill().await;
    let error = openhim.mediators().await.unwrap_err();
    let OpenHimError::Unreachable {
        address: told,
        reason,
    } = &error
    else {
        panic!("{error}")
    };
    assert_eq!(*told, format!("http://{address}"));
    assert!(reason.contains("refused"), "{reason}");

    let core = killed.start_again().await;
    openhim.mediators().await.unwrap();
    drop(core);
}

#[tokio::test]
async fn an_answer_may_be_only_so_long() {
    let core = OpenHimDouble::start(Version::V8).await;
    core.client()
        .register_mediator(&config("1.0.0"))
        .await
        .unwrap();
    let mut settings = core.settings();
    settings.maximum_answer_bytes = 100;
    let openhim = OpenHim::new(&settings).unwrap();
    let error = openhim.mediators().await.unwrap_err();
    assert!(
        matches!(error, OpenHimError::AnswerTooLong { maximum: 100, .. }),
        "{error}"
    );
}

#[tokio::test]
async fn another_server_is_not_taken_for_core() {
    let console = axum::Router::new()
        .fallback(|| async { axum::response::Html("<h1>OpenHIM console, secret</h1>") });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async { axum::serve(listener, console).await });
    let core = OpenHimDouble::start(Version::V8).await;
    let mut settings = core.settings();
    settings.api_url = format!("http://{address}/").parse().unwrap();
    let openhim = OpenHim::new(&settings).unwrap();
    for error in [
        openhim.heartbeat().await.unwrap_err(),
        openhim.mediators().await.unwrap_err(),
    ] {
        assert!(
            matches!(error, OpenHimError::AnswerNotUnderstood { .. }),
            "{error}"
        );
        assert!(!error.to_string().contains("secret"), "{error}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = OpenHimDouble::start(Version::V8).await;
    let target = elsewhere.url().to_string();
    let proxy = axum::Router::new()
        .fallback(move || async move { (StatusCode::FOUND, [(http::header::LOCATION, target)]) });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = elsewhere.settings();
    settings.api_url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async { axum::serve(listener, proxy).await });
    let error = OpenHim::new(&settings)
        .unwrap()
        .mediators()
        .await
        .unwrap_err();
    assert!(
        matches!(error, OpenHimError::Refused { status, .. } if status == 302),
        "{error}"
    );
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn an_address_may_have_a_path() {
    let core = OpenHimDouble::start(Version::V8).await;
    let mut settings = core.settings();
    settings.api_url = core.url().join("/openhim/").unwrap();
    let error = OpenHim::new(&settings)
        .unwrap()
        .mediators()
        .await
        .unwrap_err();
    assert!(matches!(error, OpenHimError::NotFound { .. }), "{error}");
    assert_eq!(core.seen()[0].path, "/openhim/mediators");
}

#[tokio::test]
async fn an_address_that_is_none_is_refused_at_once() {
    let core = OpenHimDouble::start(Version::V8).await;
    for address in ["ftp://127.0.0.1/", "mailto:root@openhim.org"] {
        let mut settings = core.settings();
        settings.api_url = address.parse().unwrap();
        let error = OpenHim::new(&settings).unwrap_err();
        assert!(matches!(error, OpenHimError::Settings(_)), "{error}");
    }
}

#[tokio::test]
async fn attempts_wait_longer_each_time() {
    let core = OpenHimDouble::start(Version::V8).await;
    let mut settings = core.settings();
    settings.first_retry_delay = Duration::from_millis(100);
    core.fail_next([Fault::Close, Fault::Close]);
    let begin = Instant::now();
    OpenHim::new(&settings).unwrap().mediators().await.unwrap();
    assert!(
        begin.elapsed() >= Duration::from_millis(300),
        "{:?}",
        begin.elapsed()
    );
}
