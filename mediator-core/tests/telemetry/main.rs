//! Spans of requests, as a collector gets them.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod collector;

use std::collections::BTreeMap;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener as _;
use http::{HeaderMap, StatusCode};
use mediator_core::server::{Server, ServerSettings, listen};
use mediator_core::telemetry::{Telemetry, TelemetryError, TelemetrySettings, traceparent};
use mediator_core::transaction::{Transaction, TransactionLayer, TransactionSettings};
use tokio::sync::Mutex;
use tracing::Instrument as _;
use tracing_subscriber::layer::SubscriberExt as _;

use collector::{Collector, Span};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// What is traced at all is the process's affair: one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

fn application() -> Router {
    Router::new()
        .route(
            "/people/{name}",
            get(|| async {
                let current = traceparent(&tracing::Span::current()).unwrap();
                async { tracing::info!("looked up") }
                    .instrument(tracing::info_span!("look up"))
                    .await;
                current.to_str().unwrap().to_owned()
            }),
        )
        .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/orchestrated", get(orchestrated))
        .layer(TransactionLayer::new(TransactionSettings::new(
            "urn:mediator:tests",
        )))
}

/// Tells what trace a back end was called with.
async fn orchestrated(transaction: Transaction) -> String {
    let echo =
        |headers: HeaderMap| async move { headers["traceparent"].to_str().unwrap().to_owned() };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(echo))).await });
    let answer = transaction.client().get("echo", url).send().await.unwrap();
    assert_eq!(transaction.trace().trace_id(), TRACE);
    answer.text().unwrap().to_owned()
}

fn settings(endpoint: &str) -> TelemetrySettings {
    TelemetrySettings {
        endpoint: Some(endpoint.parse().unwrap()),
        service_name: "the tests".to_owned(),
        service_version: "1.2.3".to_owned(),
    }
}

/// Asks a server for these, and ends; tells the answers' texts.
async fn ask(
    endpoint: &str,
    requests: &[(&str, &str)],
) -> (Vec<String>, Result<(), TelemetryError>) {
    let telemetry =
        Telemetry::start(&settings(endpoint), &tokio::runtime::Handle::current()).unwrap();
    let subscriber = tracing_subscriber::registry().with(telemetry.layer());
    let guard = tracing::subscriber::set_default(subscriber);
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = Server::new(ServerSettings::default()).serve(application(), listener, async {
        let _ = stopped.await;
    });
    let asking = async {
        let mut texts = Vec::new();
        for (path, traceparent) in requests {
            let request = reqwest::Client::new()
                .get(format!("http://{address}{path}"))
                .header("traceparent", *traceparent);
            texts.push(request.send().await.unwrap().text().await.unwrap());
        }
        stop.send(()).unwrap();
        texts
    };
    let (stopped, texts) = tokio::join!(serving, asking);
    assert_eq!(stopped.unwrap().abandoned_requests, 0);
    drop(guard);
    (texts, telemetry.shutdown().await)
}

async fn spans(requests: &[(&str, &str)]) -> (Vec<String>, Vec<Span>) {
    let collector = Collector::start().await;
    let (texts, flushed) = ask(collector.url.as_str(), requests).await;
    flushed.unwrap();
    (texts, collector.spans())
}

fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    let mut found = spans.iter().filter(|span| span.name == name);
    let span = found
        .next()
        .unwrap_or_else(|| panic!("{name} is not in {spans:#?}"));
    assert_eq!(found.next(), None);
    span
}

#[tokio::test]
async fn a_request_is_part_of_its_clients_trace() {
    let _one = ONE_AT_A_TIME.lock().await;
    let traceparent = format!("00-{TRACE}-{PARENT}-01");
    let (texts, spans) = spans(&[("/people/agerius?name=aulus", &traceparent)]).await;
    assert_eq!(spans.len(), 3, "{spans:#?}");
    let request = named(&spans, "GET /people/{name}");
    assert_eq!(
        (request.trace_id.as_str(), request.parent_span_id.as_str()),
        (TRACE, PARENT)
    );
    assert_eq!(request.kind, 2, "a server's");
    for (name, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/people/{name}"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(request.attributes[name], value);
    }
    assert_eq!(request.service["service.name"], "the tests");
    assert_eq!(request.service["service.version"], "1.2.3");

    let inner = named(&spans, "look up");
    assert_eq!(inner.trace_id, TRACE);
    assert_eq!(inner.parent_span_id, named(&spans, "transaction").span_id);
    assert_eq!(inner.events, ["looked up"]);
    // What a call to another system would carry.
    assert_eq!(texts, [format!("00-{TRACE}-{}-01", inner.parent_span_id)]);
    let everything = format!("{spans:?}");
    assert!(
        !everything.contains("agerius") && !everything.contains("aulus"),
        "{everything}"
    );
}

#[tokio::test]
async fn a_call_to_a_back_end_goes_on_with_the_trace() {
    let _one = ONE_AT_A_TIME.lock().await;
    let (texts, spans) = spans(&[("/orchestrated", &format!("00-{TRACE}-{PARENT}-01"))]).await;
    let request = named(&spans, "GET /orchestrated");
    let transaction = named(&spans, "transaction");
    let call = named(&spans, "call");
    assert_eq!(transaction.parent_span_id, request.span_id);
    assert_eq!(call.parent_span_id, transaction.span_id);
    assert_eq!(texts, [format!("00-{TRACE}-{}-01", call.span_id)]);
}

#[tokio::test]
async fn a_request_without_a_trace_begins_one() {
    let _one = ONE_AT_A_TIME.lock().await;
    let bad = format!("00-{TRACE}-0000000000000000-01");
    let (_, spans) = spans(&[("/people/a", ""), ("/people/b", &bad)]).await;
    let requests: BTreeMap<_, _> = spans
        .iter()
        .filter(|span| span.name == "GET /people/{name}")
        .map(|span| (&span.trace_id, &span.parent_span_id))
        .collect();
    assert_eq!(requests.len(), 2, "{spans:#?}");
    for (trace, parent) in requests {
        assert_ne!(trace, TRACE);
        assert_eq!(parent, "");
    }
}

#[tokio::test]
async fn what_a_client_does_not_sample_and_probes_are_not_sent() {
    let _one = ONE_AT_A_TIME.lock().await;
    let not_sampled = format!("00-{TRACE}-{PARENT}-00");
    let (texts, spans) = spans(&[
        ("/people/a", &not_sampled),
        ("/health/live", ""),
        ("/metrics", ""),
    ])
    .await;
    assert_eq!(spans, []);
    assert!(texts[0].starts_with(&format!("00-{TRACE}-")) && texts[0].ends_with("-00"));
}

#[tokio::test]
async fn only_a_failure_of_the_server_is_an_error() {
    let _one = ONE_AT_A_TIME.lock().await;
    let (_, spans) = spans(&[("/broken", ""), ("/nowhere", "")]).await;
    let broken = named(&spans, "GET /broken");
    assert_eq!(broken.attributes["http.response.status_code"], "502");
    assert_eq!(broken.status, 2);
    assert_eq!(named(&spans, "GET unmatched").status, 0);
}

#[tokio::test]
async fn without_a_collector_requests_are_answered_and_the_loss_is_said() {
    let _one = ONE_AT_A_TIME.lock().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (texts, flushed) = ask(&nobody, &[("/people/a", "")]).await;
    assert!(texts[0].starts_with("00-"));
    let error = flushed.unwrap_err();
    assert!(matches!(error, TelemetryError::Flush(_)), "{error}");
}

#[tokio::test]
async fn without_the_layer_there_is_no_trace() {
    let _one = ONE_AT_A_TIME.lock().await;
    assert_eq!(traceparent(&tracing::Span::current()), None);
}
