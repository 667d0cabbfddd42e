use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{get, post};
use mediator_core::back_end::{BackEnd, BackEndError, BackEndSettings, CircuitBreakerSettings};
use mediator_core::server::{Server, ServerSettings};
use mediator_core::transaction::{TransactionLayer, TransactionSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Double, nowhere, serve, settings, status};

#[tokio::test]
async fn what_is_safe_to_repeat_is_repeated_until_it_works() {
    for code in [&[502, 200][..], &[503, 504, 200], &[429, 429, 200]] {
        let double = Double::start(move |_, before| status(code[before])).await;
        let answer = double
            .back_end()
            .put("Write", "Patient/1")
            .json(&1)
            .send()
            .await;
        assert_eq!(answer.unwrap().status, 200);
        let seen = double.seen();
        assert_eq!(seen.len(), code.len());
        assert!(seen.iter().all(|seen| seen.body == "1"));
    }
}

#[tokio::test]
async fn attempts_are_bounded_and_the_last_answer_counts() {
    let double = Double::of_statuses(&[503]).await;
    let answer = double.back_end().get("Read", "Patient/1").send().await;
    assert_eq!(answer.unwrap().status, 503);
    assert_eq!(double.seen().len(), 3);
}

#[tokio::test]
async fn what_is_not_safe_is_repeated_only_when_it_was_not_worked_on() {
    let double = Double::of_statuses(&[503, 200]).await;
    let answer = double.back_end().post("Sign", "sign").json(&1).send().await;
    assert_eq!(answer.unwrap().status, 503);

    let double = Double::of_statuses(&[429, 200]).await;
    let answer = double.back_end().post("Sign", "sign").json(&1).send().await;
    assert_eq!(answer.unwrap().status, 200);

    let double = Double::of_statuses(&[503, 200]).await;
    let call = double.back_end().post("Sign", "sign").json(&1);
    assert_eq!(call.safe_to_repeat().send().await.unwrap().status, 200);

    let double = Double::of_statuses(&[503, 200]).await;
    let call = double.back_end().put("Write", "x").json(&1);
    assert_eq!(call.not_safe_to_repeat().send().await.unwrap().status, 503);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let double = Double::start(|_, before| {
        let mut answer = status(if before == 0 { 503 } else { 200 });
        answer
            .headers_mut()
            .insert("retry-after", "1".parse().unwrap());
        answer
    })
    .await;
    let begun = Instant::now();
    let answer = double.back_end().get("Read", "Patient/1").send().await;
    assert_eq!(answer.unwrap().status, 200);
    assert!(begun.elapsed() >= Duration::from_secs(1));
}

#[tokio::test]
async fn who_asks_for_a_long_wait_is_not_asked_again() {
    let double = Double::start(|_, _| {
        let mut answer = status(503);
        answer
            .headers_mut()
            .insert("retry-after", "3600".parse().unwrap());
        answer
    })
    .await;
    let answer = double.back_end().get("Read", "Patient/1").send().await;
    assert_eq!(answer.unwrap().status, 503);
    assert_eq!(double.seen().len(), 1);
}

#[tokio::test]
async fn a_back_end_that_is_down_is_told_and_used_again_when_it_is_back() {
    let url = nowhere();
    let back_end = BackEnd::new(&settings(url.clone())).unwrap();
    let error = back_end.post("Write", "Patient").send().await.unwrap_err();
    assert!(
        matches!(error, BackEndError::Unreachable { .. }),
        "{error:?}"
    );
    assert!(error.is_transient() && error.to_string().contains("FHIR server"));

    let address = url.socket_addrs(|| None).unwrap()[0];
    let listener = mediator_core::server::listen(address).await.unwrap();
    let routes = Router::new().route("/fhir/Patient", post(|| async { "back" }));
    tokio::spawn(Server::new(ServerSettings::default()).serve(
        routes,
        listener,
        std::future::pending(),
    ));
    let answer = back_end.post("Write", "Patient").send().await.unwrap();
    assert_eq!(answer.text().unwrap(), "back");
}

/// Accepts connections, reads a request, writes this and closes.
async fn rude(text: &'static str) -> url::Url {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let _ = stream.read(&mut buffer).await;
            let _ = stream.write_all(text.as_bytes()).await;
        }
    });
    format!("http://{address}/fhir").parse().unwrap()
}

#[tokio::test]
async fn an_answer_that_breaks_off_or_is_rubbish_is_told() {
    for text in [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nab",
        "rubbish\r\n\r\n",
        "",
    ] {
        let back_end = BackEnd::new(&settings(rude(text).await)).unwrap();
        let error = back_end.get("Read", "Patient/1").send().await.unwrap_err();
        assert!(
            matches!(error, BackEndError::Broken { .. }),
            "{text}: {error:?}"
        );
    }
}

#[tokio::test]
async fn nobody_waits_for_longer_than_the_timeout() {
    // Connections are accepted by the operating system; nobody reads them.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/fhir", listener.local_addr().unwrap());
    let back_end = BackEnd::new(&BackEndSettings {
        attempts: 1,
        ..settings(url.parse().unwrap())
    })
    .unwrap();
    let after = Duration::from_millis(50);
    let call = back_end.get("Read", "Patient/1").timeout(after);
    let error = call.send().await.unwrap_err();
    let BackEndError::TimedOut { after: waited, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(waited, after);
}

#[tokio::test]
async fn a_call_ends_before_the_request_it_is_made_for() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/fhir", listener.local_addr().unwrap());
    let back_end = BackEnd::new(&settings(url.parse().unwrap())).unwrap();
    let routes = Router::new().route(
        "/",
        get(move || async move {
            let error = back_end.get("Read", "Patient/1").send().await.unwrap_err();
            assert!(matches!(error, BackEndError::TimedOut { .. }));
            "told in time"
        }),
    );
    let server = Server::new(ServerSettings {
        request_timeout: Duration::from_secs(3),
        ..ServerSettings::default()
    });
    let routes = routes.layer(TransactionLayer::new(TransactionSettings::new("urn:test")));
    let url = serve(server, routes).await;
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "told in time");
}

fn breaker(double: &Double, open_for: Duration) -> BackEnd {
    BackEnd::new(&BackEndSettings {
        attempts: 1,
        circuit_breaker: CircuitBreakerSettings {
            failures: 2,
            open_for,
        },
        ..double.settings()
    })
    .unwrap()
}

#[tokio::test]
async fn after_failures_in_a_row_nothing_is_sent() {
    let double = Double::of_statuses(&[500]).await;
    let back_end = breaker(&double, Duration::from_secs(3600));
    for _ in 0..2 {
        let answer = back_end.get("Read", "Patient/1").send().await;
        assert_eq!(answer.unwrap().status, 500);
    }
    let error = back_end.get("Read", "Patient/1").send().await.unwrap_err();
    let BackEndError::CircuitOpen { retry_after, .. } = error else {
        panic!("{error:?}")
    };
    assert!(retry_after > Duration::from_secs(1800));
    assert_eq!(double.seen().len(), 2);
}

#[tokio::test]
async fn a_probe_that_works_lets_all_through_again() {
    let double = Double::of_statuses(&[500, 500, 200]).await;
    let back_end = breaker(&double, Duration::ZERO);
    for expected in [500, 500, 200, 200] {
        let answer = back_end.get("Read", "Patient/1").send().await;
        assert_eq!(answer.unwrap().status, expected);
    }
}

#[tokio::test]
async fn refusals_do_not_open_the_circuit() {
    for code in [400, 401, 403, 404, 422, 429, 501] {
        let double = Double::start(move |_, _| status(code)).await;
        let back_end = breaker(&double, Duration::from_secs(3600));
        for _ in 0..4 {
            let _ = back_end.get("Read", "Patient/1").send().await;
        }
        assert_eq!(double.seen().len(), 4, "{code}");
    }
}

#[tokio::test]
async fn internal_errors_that_are_answers_do_not_either() {
    let double = Double::of_statuses(&[500, 500, 500, 503, 503]).await;
    let back_end = breaker(&double, Duration::from_secs(3600));
    let call = || {
        let call = back_end.post("Transform", "StructureMap/$transform");
        call.internal_errors_are_answers().send()
    };
    for expected in [500, 500, 500, 503, 503] {
        assert_eq!(call().await.unwrap().status, expected);
    }
    let error = call().await.unwrap_err();
    assert!(matches!(error, BackEndError::CircuitOpen { .. }), "{error}");
}
