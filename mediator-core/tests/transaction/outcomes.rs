//! What a handler returns, and what core is told.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use mediator_core::envelope::{
    ErrorDetails, Orchestration, RecordedRequest, Timestamp, TransactionStatus,
};
use mediator_core::server::ServerSettings;
use mediator_core::transaction::{EnvelopeMode, HandlerError, Transaction, TransactionSettings};

use super::{ID, Mediator, URN};

async fn hello(transaction: Transaction) -> impl IntoResponse {
    transaction.property("greeted.persons", "1");
    (
        [
            ("content-type", "text/plain"),
            ("etag", "\"1\""),
            ("connection", "x-mine"),
            ("x-mine", "1"),
        ],
        "hello",
    )
}

#[tokio::test]
async fn all_well_is_successful() {
    let mediator = Mediator::start(Router::new().route("/", get(hello))).await;
    let envelope = mediator.get("/").await.envelope();
    assert_eq!(envelope.mediator_urn(), URN);
    assert_eq!(envelope.status(), TransactionStatus::Successful);
    let answer = envelope.answer();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.recorded_body(), "hello");
    let headers = answer.recorded_headers();
    assert_eq!(headers.get("content-type").unwrap(), "text/plain");
    assert_eq!(headers.get("etag").unwrap(), "\"1\"");
    assert_eq!(headers.get("connection"), None);
    assert_eq!(headers.get("x-mine"), None);
    let property = envelope.recorded_properties().get("greeted.persons");
    assert_eq!(property, Some("1"));
    assert_eq!(envelope.error(), None);
}

#[tokio::test]
async fn without_openhim_the_same_handler_answers_plainly() {
    let mediator = Mediator::start(Router::new().route("/", get(hello))).await;
    let answer = mediator.get_without_openhim("/").await;
    assert_eq!(answer.content_type(), "text/plain");
    assert_eq!(answer.body, "hello");

    for (mode, id_matters) in [(EnvelopeMode::Always, false), (EnvelopeMode::Never, true)] {
        let settings = TransactionSettings {
            envelope: mode,
            ..TransactionSettings::new(URN)
        };
        let routes = Router::new().route("/", get(hello));
        let mediator = Mediator::with(ServerSettings::default(), settings, routes).await;
        let answer = if id_matters {
            mediator.get("/").await
        } else {
            mediator.get_without_openhim("/").await
        };
        let is_plain = answer.content_type() == "text/plain";
        assert_eq!(is_plain, mode == EnvelopeMode::Never, "{mode:?}");
    }
}

#[tokio::test]
async fn a_handler_knows_whom_it_answers() {
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let current = Transaction::current().unwrap();
            assert_eq!(current.trace(), transaction.trace());
            let left = transaction.deadline().unwrap() - tokio::time::Instant::now();
            assert!(left.as_secs() >= 25, "{left:?}");
            format!(
                "{} {} {}",
                transaction.id().unwrap(),
                transaction.client_id().unwrap(),
                transaction.forwarded_for().unwrap()
            )
        }),
    );
    let mediator = Mediator::start(routes).await;
    let request = mediator
        .request("GET", "/")
        .header("x-forwarded-for", "10.0.0.1");
    let envelope = super::Answer::of(request).await.envelope();
    let body = envelope.answer().recorded_body();
    assert_eq!(body, format!("{ID} lab 10.0.0.1"));
}

#[tokio::test]
async fn a_call_that_failed_makes_it_completed_with_errors() {
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let request = RecordedRequest::new(Timestamp::now()).host("db.example.org", Some(5432));
            let call = Orchestration::new("Store", request).error(ErrorDetails::new("disk full"));
            transaction.record(call);
            "queued"
        }),
    );
    let envelope = Mediator::start(routes).await.get("/").await.envelope();
    assert_eq!(envelope.status(), TransactionStatus::CompletedWithErrors);
    assert_eq!(envelope.answer().status(), 200);
    let call = &envelope.recorded_orchestrations()[0];
    assert_eq!(call.name(), "Store");
    assert_eq!(call.recorded_error().unwrap().message(), "disk full");
}

#[tokio::test]
async fn errors_are_failed_or_the_clients_and_core_retries_only_what_is_worth_it() {
    let routes = Router::new()
        .route(
            "/mistake",
            get(|| async {
                Err::<(), _>(
                    HandlerError::new(StatusCode::UNPROCESSABLE_ENTITY, "no name")
                        .answered_with(axum::Json(serde_json::json!({"issue": "no name"}))),
                )
            }),
        )
        .route(
            "/failure",
            get(|| async { Err::<(), _>(HandlerError::new(StatusCode::OK, "it broke")) }),
        )
        .route(
            "/later",
            get(|| async {
                let cause = std::io::Error::other("connection refused");
                Err::<(), _>(
                    HandlerError::new(StatusCode::BAD_GATEWAY, "the registry is down")
                        .caused_by(&cause)
                        .worth_a_retry(),
                )
            }),
        );
    let mediator = Mediator::start(routes).await;

    let mistake = mediator.get("/mistake").await.envelope();
    assert_eq!(mistake.status(), TransactionStatus::Completed);
    assert_eq!(mistake.answer().status(), 422);
    assert_eq!(mistake.answer().recorded_body(), r#"{"issue":"no name"}"#);
    assert_eq!(mistake.error(), None);

    let failure = mediator.get("/failure").await.envelope();
    assert_eq!(failure.status(), TransactionStatus::Failed);
    assert_eq!(failure.answer().status(), 500);
    assert_eq!(failure.answer().recorded_body(), "it broke\n");
    assert_eq!(failure.error(), None);

    let later = mediator.get("/later").await;
    assert_eq!(later.status, 502);
    let later = later.envelope();
    assert_eq!(later.status(), TransactionStatus::Failed);
    let error = later.error().unwrap();
    assert_eq!(error.message(), "the registry is down");
    assert!(
        error
            .recorded_stack()
            .unwrap()
            .contains("connection refused")
    );
    assert!(!later.answer().recorded_body().contains("refused"));
}

#[tokio::test]
async fn an_answer_without_a_body_stays_one() {
    let routes = Router::new().route("/", get(|| async { StatusCode::NO_CONTENT }));
    let answer = Mediator::start(routes).await.get("/").await;
    assert_eq!(answer.status, 200, "the envelope itself has a body");
    let envelope = answer.envelope();
    assert_eq!(envelope.answer().status(), 204);
    assert_eq!(envelope.answer().recorded_body(), "");
}

#[tokio::test]
async fn what_is_no_text_or_too_long_passes_through_as_it_is() {
    let routes = Router::new()
        .route(
            "/pdf",
            get(|| async {
                (
                    [("content-type", "application/pdf")],
                    b"%PDF\xff\xfe".to_vec(),
                )
            }),
        )
        .route("/long", get(|| async { "a".repeat(101) }))
        .route(
            "/streamed",
            get(|| async {
                let chunks = (0..11).map(|_| Ok::<_, std::io::Error>("0123456789"));
                axum::body::Body::from_stream(futures::stream::iter(chunks))
            }),
        )
        .route("/short", get(|| async { "a".repeat(100) }));
    let settings = TransactionSettings {
        maximum_envelope_body_bytes: 100,
        ..TransactionSettings::new(URN)
    };
    let mediator = Mediator::with(ServerSettings::default(), settings, routes).await;

    let pdf = mediator.get("/pdf").await;
    assert_eq!(pdf.content_type(), "application/pdf");
    assert_eq!(pdf.body, &b"%PDF\xff\xfe"[..]);
    assert_eq!(mediator.get("/long").await.body.len(), 101);
    assert_eq!(
        mediator.get("/streamed").await.body,
        "0123456789".repeat(11)
    );
    let short = mediator.get("/short").await.envelope();
    assert_eq!(short.answer().recorded_body().len(), 100);
}
