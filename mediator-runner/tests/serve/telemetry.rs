//! Spans of requests at an OpenTelemetry collector.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::Method;
use tokio::net::TcpListener;

use super::{FHIR_JSON, GENERATE, Runner, command, vaccination};

/// Takes whatever is exported, and keeps it.
async fn collector() -> (String, Arc<Mutex<Vec<Bytes>>>) {
    let exported = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&exported);
    let keep = post(|body: Bytes| async move {
        kept.lock().unwrap().push(body);
        [("content-type", "application/x-protobuf")]
    });
    let routes = Router::new().route("/v1/traces", keep);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, exported)
}

fn holds(exported: &[Bytes], part: &[u8]) -> bool {
    let mut exported = exported.iter();
    exported.any(|body| body.windows(part.len()).any(|window| window == part))
}

// The collector works while the test waits for the program.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_a_span_of_its_callers_trace_and_names_nobody() {
    let (url, exported) = collector().await;
    let mut runner = Runner::configured(&[("MEDIATOR_TELEMETRY__ENDPOINT", &url)]);
    let headers = [
        ("content-type", FHIR_JSON),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ),
    ];
    let event = vaccination(1).to_string();
    let answer = runner
        .request(Method::POST, GENERATE, &headers, event)
        .await;
    assert_eq!(answer.status, 200);
    runner.terminate();
    assert!(runner.wait().success());

    let exported = exported.lock().unwrap();
    let trace = u128::from_str_radix("0af7651916cd43dd8448eb211c80319c", 16).unwrap();
    assert!(holds(&exported, &trace.to_be_bytes()));
    assert!(holds(&exported, format!("POST {GENERATE}").as_bytes()));
    assert!(holds(&exported, b"mediator-runner"));
    for private in ["CH-TEST-1", "Zürcher"] {
        assert!(vaccination(1).to_string().contains(private));
        assert!(!holds(&exported, private.as_bytes()), "{private}");
    }
}

#[tokio::test]
async fn without_a_collector_it_serves_and_the_log_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let mut runner = Runner::configured(&[("MEDIATOR_TELEMETRY__ENDPOINT", &url)]);
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    assert_eq!(answer.status, 200);
    runner.terminate();
    assert!(runner.wait().success());
    let log = runner.log();
    assert!(log.contains("HTTP export failed"), "{log}");
}

#[test]
fn an_endpoint_is_a_url() {
    let output = command()
        .env("MEDIATOR_TELEMETRY__ENDPOINT", "collector:4318")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let mistakes = String::from_utf8(output.stderr).unwrap();
    assert!(mistakes.contains("telemetry.endpoint"), "{mistakes}");
}
