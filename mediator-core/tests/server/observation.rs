//! Health, metrics, request ids and the access log.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use http::Request;
use mediator_core::server::{RequestId, Server, ServerSettings};
use serde_json::json;

use super::{Running, log, start};

fn application() -> Router {
    Router::new()
        .route("/people/{name}", get(|| async { "found" }))
        .route(
            "/id",
            get(|id: RequestId| async move { id.as_str().to_owned() }),
        )
        .route("/never", get(std::future::pending::<&str>))
}

async fn server() -> Running {
    start(Server::new(ServerSettings::default()), application()).await
}

#[tokio::test]
async fn alive_and_ready() {
    let server = server().await;
    let live = server.get("/health/live").await;
    assert_eq!(live.status, 200);
    assert_eq!(live.json(), json!({"status": "live"}));
    assert_eq!(live.headers["cache-control"], "no-store");
    let ready = server.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json(), json!({"status": "ready", "checks": {}}));
}

#[tokio::test]
async fn what_is_not_ready_is_named() {
    let server = Server::new(ServerSettings::default())
        .ready_check("database", || async { Ok(()) })
        .ready_check("signer", || async {
            Err("the key store is sealed".to_owned())
        })
        .ready_check("broken", || async { panic!("on purpose") });
    let server = start(server, application()).await;
    let answer = server.get("/health/ready").await;
    assert_eq!(answer.status, 503);
    assert_eq!(
        answer.json(),
        json!({"status": "not ready", "checks": {
            "broken": "the check failed to run",
            "database": "ok",
            "signer": "the key store is sealed",
        }})
    );
    assert_eq!(server.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn metrics_name_templates_and_no_inventions_of_clients() {
    let server = server().await;
    server.get("/people/agerius?name=aulus").await;
    server.get("/people/negidius").await;
    server.get("/nowhere/agerius").await;
    let invented = Request::builder()
        .method("AGERIUS")
        .uri(server.url("/people/x"))
        .body(Body::empty());
    assert_eq!(server.send(invented.unwrap()).await.status, 405);
    drop(server.raw("GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await);
    tokio::time::sleep(Duration::from_millis(100)).await;

    let answer = server.get("/metrics").await;
    assert!(
        answer.headers["content-type"]
            .to_str()
            .unwrap()
            .starts_with("text/plain; version=0.0.4")
    );
    let text = answer.text();
    let lower = text.to_lowercase();
    assert!(
        !lower.contains("agerius") && !lower.contains("aulus"),
        "{text}"
    );
    for line in [
        r#"http_requests_total{method="GET",route="/people/{name}",status="200"} "#,
        r#"http_requests_total{method="GET",route="unmatched",status="404"}"#,
        r#"http_requests_total{method="other",route="/people/{name}",status="405"} 1"#,
        r#"http_requests_total{method="GET",route="/never",status="disconnected"} 1"#,
        r#"http_request_duration_seconds_bucket{method="GET",route="/people/{name}",le="0.0005"}"#,
        "http_requests_in_flight ",
        "http_connections ",
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_or_made() {
    let server = server().await;
    let request = Request::get(server.url("/id")).header("x-request-id", "from-the-proxy");
    let answer = server.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.text(), "from-the-proxy");
    assert_eq!(answer.headers["x-request-id"], "from-the-proxy");
    let (one, two) = (server.get("/id").await, server.get("/nowhere").await);
    assert_eq!(one.text(), one.headers["x-request-id"]);
    assert_ne!(one.headers["x-request-id"], two.headers["x-request-id"]);
}

#[tokio::test]
async fn the_access_log_holds_no_personal_data() {
    let server = server().await;
    let request = Request::get(server.url("/people/agerius?name=aulus"))
        .header("x-request-id", "id-17")
        .body(Body::empty());
    server.send(request.unwrap()).await;
    server.get("/agerius").await;
    server.get("/health/live").await;

    let text = log::written();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("access"))
        .collect();
    assert_eq!(lines.len(), 2, "{text}");
    for part in [
        r#"id="id-17""#,
        r#"method="GET""#,
        r#"route="/people/{name}""#,
        r#"status="200""#,
        "milliseconds=",
    ] {
        assert!(lines[0].contains(part), "{part} is not in {}", lines[0]);
    }
    assert!(
        !text.contains("agerius") && !text.contains("aulus"),
        "{text}"
    );
}
