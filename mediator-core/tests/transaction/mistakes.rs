//! Handlers that panic or hang, clients that hang up or send too much, back ends that hang.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use mediator_core::envelope::TransactionStatus;
use mediator_core::server::{InFlight, RequestBody, ServerSettings};
use mediator_core::transaction::{HandlerError, Transaction, TransactionSettings};
use tokio::io::AsyncWriteExt as _;

use super::{Answer, Mediator, URN, backend};

#[tokio::test]
async fn a_handler_that_panics_has_failed_and_the_next_one_is_served() {
    let backend = backend(Router::new().route("/", get(|| async { "hi" }))).await;
    let routes = Router::new()
        .route(
            "/panic",
            get(|transaction: Transaction| async move {
                let call = transaction.client().get("Ask", backend);
                if call.send().await.is_ok() {
                    panic!("a bug");
                }
            }),
        )
        .route("/", get(|| async { "well" }));
    let mediator = Mediator::start(routes).await;
    let answer = mediator.get("/panic").await;
    assert_eq!(answer.status, 500);
    let envelope = answer.envelope();
    assert_eq!(envelope.status(), TransactionStatus::Failed);
    assert_eq!(envelope.answer().status(), 500);
    assert_eq!(envelope.error(), None, "a bug is not mended by a retry");
    assert_eq!(envelope.recorded_orchestrations()[0].name(), "Ask");
    assert!(!envelope.answer().recorded_body().contains("a bug"));
    let next = mediator.get("/").await.envelope();
    assert_eq!(next.status(), TransactionStatus::Successful);
    assert_eq!(mediator.get_without_openhim("/panic").await.status, 500);
}

fn quick() -> ServerSettings {
    ServerSettings {
        request_timeout: Duration::from_millis(500),
        ..ServerSettings::default()
    }
}

#[tokio::test]
async fn a_backend_that_hangs_ends_before_the_deadline_and_the_handler_still_answers() {
    let backend = backend(Router::new().route("/", get(std::future::pending::<()>))).await;
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let answer = transaction.client().get("Ask", backend).send().await?;
            Ok::<_, HandlerError>(answer.into_body())
        }),
    );
    let settings = TransactionSettings::new(URN);
    let mediator = Mediator::with(quick(), settings, routes).await;
    let envelope = mediator.get("/").await.envelope();
    assert_eq!(envelope.answer().status(), 504);
    assert_eq!(envelope.status(), TransactionStatus::Failed);
    let body = envelope.answer().recorded_body();
    assert!(body.starts_with("Ask: no answer within 0.4"), "{body}");
    assert!(envelope.recorded_orchestrations()[0].failed());
}

#[tokio::test]
async fn a_handler_that_hangs_is_given_up_and_core_sees_what_it_did() {
    let backend = backend(Router::new().route("/", get(std::future::pending::<()>))).await;
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction, in_flight: InFlight| async move {
            let call = transaction.client().get("Ask", &backend).send();
            tokio::pin!(call);
            let _ = tokio::time::timeout(Duration::from_millis(100), &mut call).await;
            drop(in_flight);
            std::future::pending::<()>().await;
        }),
    );
    let settings = TransactionSettings::new(URN);
    let mediator = Mediator::with(quick(), settings, routes).await;
    let answer = mediator.get("/").await;
    assert_eq!(answer.status, 504);
    let envelope = answer.envelope();
    assert_eq!(envelope.status(), TransactionStatus::Failed);
    let [call] = envelope.recorded_orchestrations() else {
        panic!("one call");
    };
    let error = call.recorded_error().unwrap();
    assert_eq!(error.message(), "given up before it was answered");
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_its_senders_mistake() {
    let routes = Router::new().route("/", post(|body: RequestBody| async move { body.0 }));
    let settings = TransactionSettings::new(URN);
    let mediator = Mediator::with(quick(), settings, routes).await;
    let chunks = futures::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let body = reqwest::Body::wrap_stream(chunks);
    let answer = Answer::of(mediator.request("POST", "/").body(body)).await;
    assert_eq!(answer.status, 408);
    assert_eq!(answer.envelope().status(), TransactionStatus::Completed);
}

#[tokio::test]
async fn ten_megabytes_are_too_much() {
    let routes = Router::new().route(
        "/",
        post(|body: RequestBody| async move { body.0.len().to_string() }),
    );
    let mediator = Mediator::start(routes).await;
    let body = vec![b'a'; 10 * 1024 * 1024];
    let request = mediator.request("POST", "/").body(body.clone());
    let announced = Answer::of(request).await;
    assert_eq!(announced.status, 413, "core makes Completed of it");

    let chunks = body
        .chunks(64 * 1024)
        .map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec()));
    let chunks: Vec<_> = chunks.collect();
    let streamed = reqwest::Body::wrap_stream(futures::stream::iter(chunks));
    let answer = Answer::of(mediator.request("POST", "/").body(streamed)).await;
    let envelope = answer.envelope();
    assert_eq!(envelope.answer().status(), 413);
    assert_eq!(envelope.status(), TransactionStatus::Completed);
}

#[tokio::test]
async fn a_client_that_hangs_up_ends_its_handler_and_no_other() {
    let dropped = Arc::new(AtomicBool::new(false));
    struct Flag(Arc<AtomicBool>);
    impl Drop for Flag {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let flag = Arc::clone(&dropped);
    let routes = Router::new()
        .route(
            "/wait",
            get(|| async move {
                let _flag = Flag(flag);
                std::future::pending::<()>().await;
            }),
        )
        .route("/", get(|| async { "well" }));
    let mediator = Mediator::start(routes).await;
    let mut stream = tokio::net::TcpStream::connect(mediator.address)
        .await
        .unwrap();
    let head = "GET /wait HTTP/1.1\r\nhost: x\r\nx-openhim-transactionid: abc\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!dropped.load(Ordering::SeqCst));
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(dropped.load(Ordering::SeqCst));
    assert_eq!(
        mediator.get("/").await.envelope().answer().recorded_body(),
        "well"
    );
}
