//! Health and metrics at an address of their own.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener as _;
use mediator_core::server::{Server, ServerSettings, Stopped, listen};
use tokio::sync::Notify;

use super::{Answer, Running, start};

/// A server, and the URL of its operation routes. `/slow` is answered when it may be.
async fn server(go_on: Arc<Notify>) -> (Running, String) {
    let slow = || async move {
        go_on.notified().await;
        "finished"
    };
    let application = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/slow", get(slow));
    let operation = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", operation.local_addr().unwrap());
    let server = Server::new(ServerSettings::default()).operation_listener(operation);
    (start(server, application).await, url)
}

async fn get_at(server: &Running, url: &str, path: &str) -> Answer {
    let request = http::Request::get(format!("{url}{path}"));
    server
        .send(request.body(axum::body::Body::empty()).unwrap())
        .await
}

#[tokio::test]
async fn they_are_there_and_only_there() {
    let (server, operation) = server(Arc::default()).await;
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(server.get(path).await.status, 404, "{path}");
        assert_eq!(
            get_at(&server, &operation, path).await.status,
            200,
            "{path}"
        );
    }
    assert_eq!(server.get("/").await.text(), "hello");
    let answer = get_at(&server, &operation, "/").await;
    assert_eq!(answer.status, 404);
    assert_eq!(answer.text(), "there is nothing at this path\n");
}

#[tokio::test]
async fn they_are_answered_until_the_application_has_ended() {
    let go_on = Arc::new(Notify::new());
    let (server, operation) = server(Arc::clone(&go_on)).await;
    let mut stream = server.raw("GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let client = reqwest::Client::new();
    let ready = client
        .get(format!("{operation}/health/ready"))
        .send()
        .await
        .unwrap();
    assert_eq!(ready.status(), 503);
    assert_eq!(
        ready.json::<serde_json::Value>().await.unwrap()["status"],
        "ending"
    );
    let live = client.get(format!("{operation}/health/live")).send().await;
    assert_eq!(live.unwrap().status(), 200);
    go_on.notify_one();
    assert!(super::read_to_end(&mut stream).await.ends_with("finished"));
    assert_eq!(
        server.task.await.unwrap(),
        Stopped {
            abandoned_requests: 0
        }
    );
    assert!(client.get(operation).send().await.is_err());
}
