//! What a transaction costs beside a bare axum handler: extractor, recording and envelope.
//!
//! ```sh
//! cargo bench -p mediator-core --bench overhead
//! ```
//!
//! `record` compares handlers without input and output, one of which records two calls of 1 KiB
//! each way; `call` compares handlers that call another server on the loopback, with reqwest and
//! with a recording client. The table at the end says how much is added, in time (median of five
//! rounds) and in bytes allocated.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement"
)]

use std::alloc::System;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use criterion::Criterion;
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use mediator_core::envelope::{
    Envelope, Orchestration, RecordedRequest, RecordedResponse, Timestamp,
};
use mediator_core::transaction::{
    HandlerError, Transaction, TransactionLayer, TransactionSettings,
};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const ROUNDS: usize = 5;
const REQUESTS: usize = 2_000;

/// 1 KiB of JSON, as a small FHIR resource.
fn body() -> String {
    let mut body = r#"{"resourceType":"Patient","id":"1","text":""#.to_owned();
    body.extend(std::iter::repeat_n('a', 1024 - body.len() - 2));
    body.push_str(r#""}"#);
    body
}

const JSON: [(header::HeaderName, &str); 1] = [(header::CONTENT_TYPE, "application/fhir+json")];

async fn bare(body: String) -> impl IntoResponse {
    (JSON, body)
}

async fn recorded(transaction: Transaction, body: String) -> impl IntoResponse {
    for name in ["Look up", "Store"] {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/fhir+json"),
        );
        let request = RecordedRequest::new(Timestamp::now())
            .host("fhir.example.org", Some(443))
            .path("/fhir/Patient")
            .method("POST")
            .headers(headers.clone())
            .body(&*body);
        let response = RecordedResponse::new(StatusCode::OK, Timestamp::now())
            .headers(headers)
            .body(&*body);
        transaction.record(Orchestration::new(name, request).response(response));
    }
    transaction.property("patients", "1");
    (JSON, body)
}

#[derive(Clone)]
struct Backend {
    url: String,
    http: reqwest::Client,
}

async fn bare_call(State(backend): State<Backend>, body: String) -> Response {
    let call = backend
        .http
        .post(&backend.url)
        .headers(json_headers())
        .body(body);
    let answer = call.send().await.unwrap();
    (JSON, answer.bytes().await.unwrap()).into_response()
}

async fn recorded_call(
    State(backend): State<Backend>,
    transaction: Transaction,
    body: String,
) -> Result<Response, HandlerError> {
    let call = transaction.client().post("Store", &backend.url);
    let call = call.with(|request| request.headers(json_headers()));
    let answer = call.body(body).send().await?;
    Ok((JSON, answer.into_body()).into_response())
}

fn json_headers() -> HeaderMap {
    JSON.map(|(name, value)| (name, HeaderValue::from_static(value)))
        .into_iter()
        .collect()
}

async fn ask(routes: &Router) -> usize {
    let request = Request::post("/")
        .header(header::CONTENT_TYPE, "application/fhir+json")
        .header("X-OpenHIM-TransactionID", "65f1c0a2b3d4e5f601234567")
        .header("X-OpenHIM-ClientID", "lab")
        .header("X-Forwarded-For", "10.0.0.1")
        .body(Body::from(body()))
        .unwrap();
    let response = routes.clone().oneshot(request).await.unwrap();
    assert_eq!(response.status(), 200);
    response
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes()
        .len()
}

/// Another server, in a thread of its own.
fn start_backend() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        current_thread().block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, Router::new().route("/", post(bare)))
                .await
                .unwrap();
        });
    });
    address
}

fn current_thread() -> Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

struct Cost {
    time: Duration,
    bytes: usize,
}

fn cost(runtime: &Runtime, routes: &Router) -> Cost {
    let mut rounds: Vec<(Duration, usize)> = (0..ROUNDS)
        .map(|_| {
            let region = Region::new(ALLOCATOR);
            let begun = Instant::now();
            runtime.block_on(async {
                for _ in 0..REQUESTS {
                    ask(routes).await;
                }
            });
            (begun.elapsed(), region.change().bytes_allocated)
        })
        .collect();
    rounds.sort();
    let (time, bytes) = rounds[ROUNDS / 2];
    Cost {
        time: time / u32::try_from(REQUESTS).unwrap(),
        bytes: bytes / REQUESTS,
    }
}

fn main() {
    let runtime = current_thread();
    let backend = Backend {
        url: format!("http://{}/", start_backend()),
        http: reqwest::Client::new(),
    };
    let layer = || {
        TransactionLayer::new(TransactionSettings::new("urn:mediator:bench"))
            .http(backend.http.clone())
    };
    let cases = [
        (
            "record",
            Router::new().route("/", post(bare)),
            Router::new().route("/", post(recorded)).layer(layer()),
        ),
        (
            "call",
            Router::new()
                .route("/", post(bare_call))
                .with_state(backend.clone()),
            Router::new()
                .route("/", post(recorded_call))
                .layer(layer())
                .with_state(backend.clone()),
        ),
    ];
    for (name, bare, transaction) in &cases {
        let lengths = runtime.block_on(async { (ask(bare).await, ask(transaction).await) });
        assert_eq!(lengths.0, body().len());
        assert!(
            lengths.1 > 3 * lengths.0,
            "{name}: {} wraps it",
            Envelope::MEDIA_TYPE
        );
    }

    let mut criterion = Criterion::default().configure_from_args();
    for (name, bare, transaction) in &cases {
        let mut group = criterion.benchmark_group(*name);
        for (kind, routes) in [("bare", bare), ("transaction", transaction)] {
            group.bench_function(kind, |bencher| {
                bencher.to_async(&runtime).iter(|| ask(routes));
            });
        }
        group.finish();
    }
    criterion.final_summary();

    // `cargo test --all-targets` runs benches too, without this argument.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    println!("case     bare µs  transaction µs  added µs  ratio  bare KiB  added KiB");
    for (name, bare, transaction) in &cases {
        let (bare, transaction) = (cost(&runtime, bare), cost(&runtime, transaction));
        let microseconds = |time: Duration| time.as_secs_f64() * 1e6;
        let (before, after) = (microseconds(bare.time), microseconds(transaction.time));
        let kibibytes = |bytes: usize| bytes as f64 / 1024.0;
        println!(
            "{name:<8} {before:>7.1}  {after:>14.1}  {:>8.1}  {:>5.2}  {:>8.1}  {:>9.1}",
            after - before,
            after / before,
            kibibytes(bare.bytes),
            kibibytes(transaction.bytes) - kibibytes(bare.bytes),
        );
    }
}
