//! Time and concurrency.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use mediator_core::server::{InFlight, RequestBody, RequestDeadline, Server, ServerSettings};
use tokio::sync::Notify;

use super::{quick, read_to_end, start};

#[tokio::test]
async fn a_slow_application_is_a_gateway_timeout() {
    let application = Router::new().route("/slow", get(std::future::pending::<&str>));
    let server = start(Server::new(quick()), application).await;
    let answer = server.get("/slow").await;
    assert_eq!(answer.status, 504);
    assert!(answer.text().contains("0.2 s"), "{}", answer.text());
}

#[tokio::test]
async fn a_handler_knows_how_long_it_has() {
    let application = Router::new().route(
        "/",
        get(|deadline: RequestDeadline| async move {
            let at_first = deadline.remaining().unwrap();
            assert!(at_first > Duration::from_millis(100) && at_first <= quick().request_timeout);
            tokio::time::sleep(Duration::from_millis(50)).await;
            assert!(deadline.remaining().unwrap() < at_first - Duration::from_millis(40));
            "in time"
        }),
    );
    let server = start(Server::new(quick()), application).await;
    assert_eq!(server.get("/").await.text(), "in time");
}

#[tokio::test]
async fn a_slow_body_is_a_request_timeout() {
    let application = Router::new().route("/echo", post(|body: RequestBody| async { body.0 }));
    let server = start(Server::new(quick()), application).await;
    let mut stream = server
        .raw("POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    let text = read_to_end(&mut stream).await;
    assert!(text.starts_with("HTTP/1.1 408"), "{text}");
}

#[tokio::test]
async fn what_is_too_much_is_told_to_come_again_and_probes_are_answered() {
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let application = Router::new().route(
        "/wait",
        get(move || async move {
            waiting.notified().await;
            "done"
        }),
    );
    let settings = ServerSettings {
        maximum_concurrent_requests: 2,
        retry_after: Duration::from_millis(1500),
        ..ServerSettings::default()
    };
    let server = Arc::new(start(Server::new(settings), application).await);
    let running: Vec<_> = (0..2)
        .map(|_| {
            let server = Arc::clone(&server);
            tokio::spawn(async move { server.get("/wait").await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;

    let refused = server.get("/wait").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.headers["retry-after"], "2");
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(server.get(path).await.status, 200, "{path}");
    }

    go_on.notify_waiters();
    for request in running {
        assert_eq!(request.await.unwrap().text(), "done");
    }
    go_on.notify_one();
    assert_eq!(server.get("/wait").await.status, 200);
}

#[tokio::test]
async fn work_that_must_not_stop_goes_on_without_its_client_and_counts() {
    let finished = Arc::new(AtomicUsize::new(0));
    let go_on = Arc::new(Notify::new());
    let (counter, waiting) = (Arc::clone(&finished), Arc::clone(&go_on));
    let application = Router::new()
        .route(
            "/work",
            post(|in_flight: InFlight| {
                in_flight.finish(async move {
                    waiting.notified().await;
                    counter.fetch_add(1, Ordering::SeqCst);
                })
            }),
        )
        .route("/", get(|| async { "" }));
    let settings = ServerSettings {
        maximum_concurrent_requests: 1,
        ..ServerSettings::default()
    };
    let server = start(Server::new(settings), application).await;
    let stream = server
        .raw("POST /work HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n")
        .await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(server.get("/").await.status, 503, "it still counts");

    go_on.notify_one();
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(finished.load(Ordering::SeqCst), 1);
    assert_eq!(server.get("/").await.status, 200);
}
