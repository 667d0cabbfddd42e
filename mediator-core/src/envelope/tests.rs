#![allow(clippy::unwrap_used, reason = "tests")]

use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde_json::{Value, json};

use super::*;

fn orchestration() -> Value {
    json!({
        "name": "Look up",
        "request": {
            "host": "fhir.example.org",
            "port": "443",
            "path": "/Patient",
            "headers": {"accept": "application/fhir+json"},
            "querystring": "name=x",
            "body": "",
            "method": "GET",
            "timestamp": "2026-03-01T10:00:00.123Z"
        },
        "response": {
            "status": 200,
            "headers": {"set-cookie": ["a=1", "b=2"]},
            "body": "{}",
            "timestamp": "2026-03-01T10:00:00.456Z"
        },
        "error": {"message": "late", "stack": "somewhere"}
    })
}

#[test]
fn what_core_reads_is_written_and_read_back() {
    let json = json!({
        "x-mediator-urn": "urn:mediator:x",
        "status": "Completed with error(s)",
        "response": {
            "status": 201,
            "headers": {"content-type": "text/plain"},
            "body": "made",
            "timestamp": "2026-03-01T10:00:01.000Z"
        },
        "orchestrations": [orchestration()],
        "properties": {"issued": "1"},
        "error": {"message": "try again"}
    });
    let envelope: Envelope = serde_json::from_value(json.clone()).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&envelope.to_json()).unwrap(),
        json
    );
    assert!(envelope.recorded_orchestrations()[0].failed());
}

#[test]
fn what_core_tolerates_badly_is_not_read() {
    let cases: [(&str, Value); 9] = [
        ("/name", Value::Null),
        ("/name", json!("")),
        ("/request", Value::Null),
        ("/request/timestamp", Value::Null),
        ("/request/timestamp", json!("yesterday")),
        ("/request/body", json!({"a": 1})),
        ("/request/headers/accept", json!(1)),
        ("/response/body", json!([])),
        ("/response/status", json!("two hundred")),
    ];
    for (pointer, value) in cases {
        let mut bad = orchestration();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(
            serde_json::from_value::<Orchestration>(bad).is_err(),
            "{pointer}"
        );
    }
    assert!(serde_json::from_value::<TransactionStatus>(json!("Done")).is_err());
}

#[test]
fn a_name_is_never_empty_and_a_body_never_missing() {
    let request = RecordedRequest::new(Timestamp::now());
    let response = RecordedResponse::new(StatusCode::OK, Timestamp::now());
    let call = Orchestration::new("", request).response(response);
    let json = serde_json::to_value(call).unwrap();
    assert_eq!(json["name"], "unnamed");
    assert_eq!(json["response"]["body"], "");
}

#[test]
fn statuses_are_spelt_alike_everywhere() {
    for status in [
        TransactionStatus::Processing,
        TransactionStatus::PendingAsync,
        TransactionStatus::Successful,
        TransactionStatus::Completed,
        TransactionStatus::CompletedWithErrors,
        TransactionStatus::Failed,
    ] {
        assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
    }
}

#[test]
fn times_that_javascript_cannot_read_are_not_written() {
    let far = DateTime::<Utc>::MAX_UTC;
    assert_eq!(Timestamp::from(far).time(), DateTime::UNIX_EPOCH);
    let time = DateTime::UNIX_EPOCH + TimeDelta::nanoseconds(1_999_999);
    assert_eq!(
        serde_json::to_value(Timestamp::from(time)).unwrap(),
        "1970-01-01T00:00:00.001Z"
    );
}

#[test]
fn names_that_mongodb_refuses_are_written_as_core_writes_them() {
    let mut properties = Properties::default();
    properties.insert("a.b$c\0", "1");
    assert_eq!(
        serde_json::to_value(&properties).unwrap(),
        json!({"a\u{ff0e}b\u{ff04}c\u{fffd}": "1"})
    );
    assert_eq!(properties.get("a.b$c\0"), Some("1"));

    let mut headers = HeaderMap::new();
    headers.insert("x.y$z", HeaderValue::from_static("1"));
    let headers = RecordedHeaders::from(headers);
    let json = serde_json::to_value(&headers).unwrap();
    assert_eq!(json, json!({"x\u{ff0e}y\u{ff04}z": "1"}));
    let read: RecordedHeaders = serde_json::from_value(json).unwrap();
    assert_eq!(read, headers);
}

#[test]
fn header_values_are_text_and_cookies_a_list() {
    let mut headers = HeaderMap::new();
    headers.append("link", HeaderValue::from_static("<a>"));
    headers.append("link", HeaderValue::from_static("<b>"));
    headers.append("set-cookie", HeaderValue::from_static("a=1"));
    headers.append("x-city", HeaderValue::from_bytes(b"Z\xfcrich").unwrap());
    assert_eq!(
        serde_json::to_value(RecordedHeaders::from(headers)).unwrap(),
        json!({"link": "<a>, <b>", "set-cookie": ["a=1"], "x-city": "Zürich"})
    );
}

#[test]
fn debug_output_names_elements_and_not_values() {
    let request = RecordedRequest::new(Timestamp::now())
        .body("Jane Doe")
        .headers(HeaderMap::from_iter([(
            http::header::AUTHORIZATION,
            HeaderValue::from_static("Bearer abc"),
        )]));
    let text = format!("{request:?}");
    assert!(!text.contains("Jane") && !text.contains("abc"), "{text}");
}
