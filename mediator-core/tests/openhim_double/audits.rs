//! `/audits`, as core 4.0.5 and 8.5.0 have it.

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Map, Value};

use super::Shared;
use super::access::refuse;
use super::api::Parameters;

const TIME: &str = "eventIdentification.eventDateTime";
const DETAILS: [&str; 3] = [
    "participantObjectIdentification",
    "activeParticipant",
    "rawMessage",
];

pub(super) async fn list(Extracted(state): Extracted<Shared>, parameters: Parameters) -> Response {
    let state = state.lock().unwrap();
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let number = |name| text(name).and_then(|text| text.parse::<usize>().ok());
    let filters: Result<Map<String, Value>, _> =
        serde_json::from_str(text("filters").unwrap_or("{}"));
    let Ok(mut filters) = filters else {
        return failed("SyntaxError: filters");
    };
    let mut bounds = Value::Null;
    if let Some(time) = filters.remove(TIME) {
        // Core parses it once more, which fails for what is not a string of JSON.
        match time.as_str().map(serde_json::from_str) {
            Some(Ok(time)) => bounds = time,
            _ => return failed("SyntaxError: Unexpected token o in JSON at position 1"),
        }
    }
    let mut found: Vec<Value> = state
        .audits
        .iter()
        .filter(|audit| {
            let time = at(audit, TIME).and_then(Value::as_str).unwrap_or_default();
            let is_before = bounds["$gte"].as_str().is_some_and(|bound| time < bound);
            let is_after = bounds["$lte"].as_str().is_some_and(|bound| time > bound);
            !is_before
                && !is_after
                && filters
                    .iter()
                    .all(|(path, value)| at(audit, path) == Some(value))
        })
        .cloned()
        .collect();
    found.sort_by_key(|audit| {
        std::cmp::Reverse(at(audit, TIME).and_then(Value::as_str).map(str::to_owned))
    });
    let limit = number("filterLimit").unwrap_or(0);
    let skipped = limit * number("filterPage").unwrap_or(0);
    let limit = if limit == 0 { usize::MAX } else { limit };
    let mut found: Vec<Value> = found.into_iter().skip(skipped).take(limit).collect();
    if !matches!(text("filterRepresentation"), Some("full" | "simpledetails")) {
        for audit in &mut found {
            let members = audit.as_object_mut().unwrap();
            members.retain(|name, _| !DETAILS.contains(&name.as_str()));
        }
    }
    Json(found).into_response()
}

pub(super) async fn read(Extracted(state): Extracted<Shared>, Path(id): Path<String>) -> Response {
    let state = state.lock().unwrap();
    if id.len() != 24 {
        return failed("CastError: Cast to ObjectId failed");
    }
    match state.audits.iter().find(|audit| audit["_id"] == id) {
        Some(audit) => Json(audit).into_response(),
        None => refuse(
            StatusCode::NOT_FOUND,
            format!("Could not find audits record with ID: {id}"),
        ),
    }
}

/// As MongoDB finds an element: in any item of a list.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    let mut value = value;
    for name in path.split('.') {
        value = match value {
            Value::Array(items) => items.first()?.get(name)?,
            other => other.get(name)?,
        };
    }
    Some(value)
}

fn failed(what: &str) -> Response {
    refuse(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("Could not retrieve audits via the API: {what}"),
    )
}
