//! Whatever a mediator makes of a transaction, core takes it as it is meant.

use std::sync::LazyLock;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::routing::get;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::BodyExt as _;
use mediator_core::envelope::{
    Envelope, ErrorDetails, Orchestration, RecordedRequest, RecordedResponse, TransactionStatus,
};
use mediator_core::transaction::{Transaction, TransactionLayer, TransactionSettings};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

use super::core::{VERSIONS, receive};

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Any text, also what no console can show.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z.$]{0,8}",
        Just("\0".to_owned()),
        Just("__proto__".to_owned()),
    ]
}

fn status_code() -> impl Strategy<Value = StatusCode> {
    prop_oneof![Just(200), Just(204), Just(304), 200_u16..=999]
        .prop_map(|status| StatusCode::from_u16(status).unwrap())
}

fn headers() -> impl Strategy<Value = HeaderMap> {
    let name = prop_oneof![
        "[a-z!#$%&'*+.^_`|~0-9-]{1,12}",
        Just("set-cookie".to_owned()),
        Just("content-type".to_owned()),
        Just("connection".to_owned()),
        Just("content-length".to_owned()),
    ]
    .prop_map(|name| HeaderName::try_from(name).unwrap());
    let value = vec(any::<u8>(), 0..20).prop_filter_map("a header's value", |bytes| {
        HeaderValue::from_bytes(&bytes).ok()
    });
    vec((name, value), 0..6).prop_map(|pairs| {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, value);
        }
        headers
    })
}

fn time() -> impl Strategy<Value = DateTime<Utc>> {
    let limits =
        DateTime::<Utc>::MIN_UTC.timestamp_millis()..DateTime::<Utc>::MAX_UTC.timestamp_millis();
    prop_oneof![limits, 0..4_000_000_000_000_i64]
        .prop_map(|milliseconds| DateTime::from_timestamp_millis(milliseconds).unwrap())
}

fn response() -> impl Strategy<Value = RecordedResponse> {
    (status_code(), headers(), text(), time()).prop_map(|(status, headers, body, time)| {
        RecordedResponse::new(status, time)
            .headers(headers)
            .body(body)
    })
}

fn error() -> impl Strategy<Value = ErrorDetails> {
    (text(), text()).prop_map(|(message, stack)| ErrorDetails::new(message).stack(stack))
}

fn orchestration() -> impl Strategy<Value = Orchestration> {
    let request = (
        time(),
        text(),
        option::of(any::<u16>()),
        text(),
        text(),
        headers(),
        text(),
    )
        .prop_map(|(time, host, port, path, query, headers, body)| {
            RecordedRequest::new(time)
                .host(host, port)
                .path(path)
                .querystring(query)
                .method("GET")
                .headers(headers)
                .body(body)
        });
    (
        text(),
        text(),
        request,
        option::of(response()),
        option::of(error()),
    )
        .prop_map(|(name, group, request, response, error)| {
            let mut orchestration = Orchestration::new(name, request).group(group);
            if let Some(response) = response {
                orchestration = orchestration.response(response);
            }
            if let Some(error) = error {
                orchestration = orchestration.error(error);
            }
            orchestration
        })
}

const STATUSES: [TransactionStatus; 6] = [
    TransactionStatus::Processing,
    TransactionStatus::PendingAsync,
    TransactionStatus::Successful,
    TransactionStatus::Completed,
    TransactionStatus::CompletedWithErrors,
    TransactionStatus::Failed,
];

/// An answer as a handler may give it, and what it did before.
#[derive(Debug, Clone)]
struct Handled {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    calls: Vec<Orchestration>,
    properties: Vec<(String, String)>,
}

fn handled() -> impl Strategy<Value = Handled> {
    let body = prop_oneof![
        text().prop_map(String::into_bytes),
        vec(any::<u8>(), 0..100)
    ];
    (
        status_code(),
        headers(),
        body,
        vec(orchestration(), 0..4),
        vec((text(), text()), 0..4),
    )
        .prop_map(|(status, headers, body, calls, properties)| Handled {
            status,
            headers,
            body,
            calls,
            properties,
        })
}

async fn answer(handled: Handled) -> (http::response::Parts, Bytes) {
    let handler = move |transaction: Transaction| async move {
        for call in handled.calls {
            transaction.record(call);
        }
        for (name, value) in handled.properties {
            transaction.property(&name, value);
        }
        let mut response = Response::new(Body::from(handled.body));
        *response.status_mut() = handled.status;
        *response.headers_mut() = handled.headers;
        response
    };
    let routes: Router = Router::new()
        .route("/", get(handler))
        .layer(TransactionLayer::new(TransactionSettings::new("urn:x")));
    let request = Request::get("/").header("x-openhim-transactionid", "abc");
    let request = request.body(Body::empty()).unwrap();
    let (parts, body) = routes.oneshot(request).await.unwrap().into_parts();
    (parts, body.collect().await.unwrap().to_bytes())
}

proptest! {
    #[test]
    fn every_envelope_is_taken_as_it_is_meant(
        urn in text(),
        status in proptest::sample::select(&STATUSES[..]),
        code in status_code(),
        headers in headers(),
        body in text(),
        calls in vec(orchestration(), 0..5),
        properties in vec((text(), text()), 0..5),
        error in option::of(error()),
    ) {
        let answer = RecordedResponse::new(code, Utc::now()).headers(headers).body(body.clone());
        let mut envelope = Envelope::new(urn, status, answer).orchestrations(calls.clone());
        for (name, value) in &properties {
            envelope = envelope.property(name, value);
        }
        if let Some(error) = &error {
            envelope = envelope.retried_by_core(error.clone());
        }
        let json = envelope.to_json();
        for version in VERSIONS {
            let stored = receive(version, &json);
            let stored = stored.map_err(|punishments| TestCaseError::fail(format!("{punishments:?}")))?;
            prop_assert_eq!(stored.client_status, code.as_u16());
            prop_assert_eq!(&stored.client_body, envelope.answer().recorded_body());
            if status != TransactionStatus::PendingAsync {
                prop_assert_eq!(&stored.status, status.as_str());
            }
            prop_assert_eq!(stored.orchestrations, calls.len());
            prop_assert_eq!(stored.is_retried, error.is_some());
            prop_assert!(stored.properties.len() <= properties.len());
            prop_assert_eq!(stored.properties.is_empty(), properties.is_empty());
        }
        let read: Envelope = serde_json::from_slice(&json).unwrap();
        prop_assert_eq!(read.to_json(), json);
    }

    #[test]
    fn every_answer_of_a_handler_reaches_the_client(handled in handled()) {
        let (parts, body) = RUNTIME.block_on(answer(handled.clone()));
        let is_envelope = parts.headers.get("content-type")
            .is_some_and(|value| value == Envelope::MEDIA_TYPE);
        prop_assert_eq!(is_envelope, std::str::from_utf8(&handled.body).is_ok());
        if !is_envelope {
            prop_assert_eq!(parts.status, handled.status);
            prop_assert_eq!(body, handled.body);
            return Ok(());
        }
        for version in VERSIONS {
            let stored = receive(version, &body);
            let stored = stored.map_err(|punishments| TestCaseError::fail(format!("{punishments:?}")))?;
            prop_assert_eq!(stored.client_status, handled.status.as_u16());
            if !matches!(handled.status.as_u16(), 204 | 205 | 304) {
                prop_assert_eq!(stored.client_body.as_bytes(), &handled.body);
            }
            prop_assert_eq!(stored.orchestrations, handled.calls.len());
            let failed = handled.calls.iter().any(Orchestration::failed);
            prop_assert_eq!(stored.status == "Failed", handled.status.as_u16() >= 500);
            prop_assert_eq!(stored.status == "Successful", handled.status.as_u16() < 400 && !failed);
            for (name, value) in &stored.client_headers {
                let sent = handled.headers.get_all(name);
                let sent: Vec<String> = sent.iter()
                    .map(|value| value.as_bytes().iter().copied().map(char::from).collect())
                    .collect();
                prop_assert!(sent.contains(value) || sent.join(", ") == *value, "{}", name);
            }
        }
    }
}
