//! What a mediator asks of others, and what core is told of it.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mediator_core::envelope::TransactionStatus;
use mediator_core::server::InFlight;
use mediator_core::transaction::{HandlerError, RecordingClient, Transaction, TransactionSettings};

use super::{Answer, ID, Mediator, URN, backend};

const TRACEPARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[tokio::test]
async fn a_call_is_an_orchestration_without_secrets() {
    let routes = Router::new().route(
        "/token",
        post(|| async {
            (
                StatusCode::CREATED,
                [("set-cookie", "session=s3cret")],
                axum::Json(serde_json::json!({"access_token": "s3cret", "kind": "x"})),
            )
        }),
    );
    let backend = backend(routes).await;
    let port = backend.rsplit(':').next().unwrap().to_owned();
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let answer = transaction
                .client()
                .group("Keys")
                .post("Get a token", format!("{backend}/token?token=s3cret&a=1"))
                .bearer_auth("s3cret")
                .header(header::COOKIE, HeaderValue::from_static("s3cret"))
                .json(&serde_json::json!({"client_secret": "s3cret", "user": "u"}))
                .send()
                .await?;
            Ok::<_, HandlerError>(answer.json::<serde_json::Value>()?["access_token"].to_string())
        }),
    );
    let answer = Mediator::start(routes).await.get("/").await;
    let envelope = answer.envelope();
    assert_eq!(envelope.answer().recorded_body(), "\"s3cret\"");
    assert_eq!(envelope.status(), TransactionStatus::Successful);
    let [call] = envelope.recorded_orchestrations() else {
        panic!("one call");
    };
    let text = serde_json::to_string(call).unwrap();
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(call.name(), "Get a token");
    assert_eq!(call.recorded_group(), Some("Keys"));
    let request = call.request();
    assert_eq!(request.recorded_method(), Some("POST"));
    assert_eq!(request.recorded_host(), Some("127.0.0.1"));
    assert_eq!(request.recorded_port(), Some(&*port));
    assert_eq!(request.recorded_path(), Some("/token"));
    assert!(request.recorded_querystring().unwrap().ends_with("&a=1"));
    assert_eq!(
        request.recorded_body(),
        Some(r#"{"client_secret":"[redacted]","user":"u"}"#)
    );
    let response = call.recorded_response().unwrap();
    assert_eq!(response.status(), 201);
    assert_eq!(
        response.recorded_body(),
        r#"{"access_token":"[redacted]","kind":"x"}"#
    );
    let media_type = response.recorded_headers().get("content-type").unwrap();
    assert_eq!(media_type, "application/json");
    assert!(request.timestamp() <= response.timestamp());
}

#[tokio::test]
async fn ids_and_the_trace_are_propagated() {
    let seen = Arc::new(Mutex::new(HeaderMap::new()));
    let sink = Arc::clone(&seen);
    let routes = Router::new().route(
        "/",
        get(|headers: HeaderMap| async move {
            *sink.lock().unwrap() = headers;
        }),
    );
    let backend = backend(routes).await;
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            transaction.client().get("Ask", backend).send().await?;
            Ok::<_, HandlerError>(transaction.trace().to_string())
        }),
    );
    let mediator = Mediator::start(routes).await;
    let request = mediator
        .request("GET", "/")
        .header("traceparent", TRACEPARENT)
        .header("tracestate", "vendor=1")
        .header("authorization", "Basic abc");
    let own = Answer::of(request).await.envelope();
    let seen = seen.lock().unwrap();
    assert_eq!(seen["x-openhim-transactionid"], ID);
    assert_eq!(seen["x-openhim-clientid"], "lab");
    assert_eq!(seen["tracestate"], "vendor=1");
    assert!(!seen.contains_key("authorization"));
    let sent = seen["traceparent"].to_str().unwrap();
    assert_eq!(sent[..36], TRACEPARENT[..36]);
    assert_eq!(sent[52..], TRACEPARENT[52..]);
    assert_ne!(sent, TRACEPARENT);
    assert_ne!(sent, own.answer().recorded_body());
}

#[tokio::test]
async fn a_client_deep_inside_records_by_itself_also_in_other_tasks() {
    let backend = backend(Router::new().route("/", get(|| async { "hi" }))).await;
    let client = RecordingClient::new(reqwest::Client::new());
    let ask = move |name: &'static str| {
        let call = client.get(name, &backend).send();
        async move { call.await.map(drop) }
    };
    ask("outside of any transaction").await.unwrap();
    let routes = Router::new().route(
        "/",
        get(move |in_flight: InFlight| async move {
            ask("in the handler").await?;
            let spawned = Transaction::carry(ask("in a task"));
            tokio::spawn(spawned).await.unwrap()?;
            in_flight.finish(ask("to its end")).await?;
            Ok::<_, HandlerError>("done")
        }),
    );
    let envelope = Mediator::start(routes).await.get("/").await.envelope();
    let names: Vec<_> = envelope
        .recorded_orchestrations()
        .iter()
        .map(|call| call.name())
        .collect();
    assert_eq!(names, ["in the handler", "in a task", "to its end"]);
}

#[tokio::test]
async fn failed_calls_are_recorded_with_what_went_wrong() {
    let routes = Router::new()
        .route("/broken", get(|| async { StatusCode::SERVICE_UNAVAILABLE }))
        .route("/missing", get(|| async { StatusCode::NOT_FOUND }))
        .route("/long", get(|| async { "a".repeat(2000) }))
        .route("/slow", get(std::future::pending::<()>));
    let backend = backend(routes).await;
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let client = transaction.client();
            for path in ["broken", "missing", "long"] {
                let _ = client.get(path, format!("{backend}/{path}")).send().await;
            }
            let slow = client.get("slow", format!("{backend}/slow"));
            let _ = slow.timeout(Duration::from_millis(50)).send().await;
            let _ = client.get("nowhere", "http://127.0.0.1:1/").send().await;
            let _ = client.get("no URL", "nonsense").send().await;
        }),
    );
    let settings = TransactionSettings {
        maximum_call_body_bytes: 1000,
        ..TransactionSettings::new(URN)
    };
    let mediator = Mediator::with(Default::default(), settings, routes).await;
    let envelope = mediator.get("/").await.envelope();
    assert_eq!(envelope.status(), TransactionStatus::CompletedWithErrors);
    let errors: Vec<_> = envelope
        .recorded_orchestrations()
        .iter()
        .map(|call| {
            let error = call.recorded_error().map_or("", |error| error.message());
            (call.name(), error)
        })
        .collect();
    assert_eq!(
        errors,
        [
            ("broken", "answered 503 Service Unavailable"),
            ("missing", ""),
            (
                "long",
                "long: the answer is longer than the 1000 bytes that are accepted"
            ),
            ("slow", "slow: no answer within 0.05 s"),
            (
                "nowhere",
                "nowhere: the other side cannot be reached; is it running, and is its address right?"
            ),
        ]
    );
}

#[tokio::test]
async fn long_and_binary_bodies_are_kept_bounded() {
    let routes = Router::new()
        .route("/text", post(|body: String| async { body }))
        .route(
            "/pdf",
            get(|| async { ([("content-type", "application/pdf")], vec![255; 40]) }),
        );
    let backend = backend(routes).await;
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let client = transaction.client();
            let text = client.post("text", format!("{backend}/text"));
            let text = text.body("a".repeat(50)).send().await?;
            assert_eq!(text.body().len(), 50);
            client.get("pdf", format!("{backend}/pdf")).send().await?;
            Ok::<_, HandlerError>(())
        }),
    );
    let settings = TransactionSettings {
        maximum_recorded_body_bytes: 16,
        ..TransactionSettings::new(URN)
    };
    let mediator = Mediator::with(Default::default(), settings, routes).await;
    let envelope = mediator.get("/").await.envelope();
    let [text, pdf] = envelope.recorded_orchestrations() else {
        panic!("two calls");
    };
    let expected = "aaaaaaaaaaaaaaaa\n[truncated: 50 bytes in all]";
    assert_eq!(text.request().recorded_body(), Some(expected));
    let response = text.recorded_response().unwrap();
    assert_eq!(response.recorded_body(), expected);
    let response = pdf.recorded_response().unwrap();
    assert_eq!(
        response.recorded_body(),
        "data:application/pdf;base64,////////////////\n[truncated: 40 bytes in all]"
    );
}
