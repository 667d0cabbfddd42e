use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::access::refuse;
use super::api::{Parameters, Sent};
use super::{Shared, State, Version};

pub(super) fn store(state: &mut State, mut transaction: Value) -> String {
    let id = state.id();
    transaction["_id"] = id.clone().into();
    for (field, default) in [
        ("orchestrations", json!([])),
        ("routes", json!([])),
        ("status", json!("Processing")),
    ] {
        if transaction[field].is_null() {
            transaction[field] = default;
        }
    }
    state.transactions.push(transaction);
    id
}

pub(super) async fn list(Extracted(state): Extracted<Shared>, parameters: Parameters) -> Response {
    let state = state.lock().unwrap();
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    // 4.x computes NaN from what is missing, which is no limit.
    let number = |name| text(name).and_then(|text| text.parse::<usize>().ok());
    let limit = number("filterLimit").filter(|limit| *limit > 0);
    let page = number("filterPage").unwrap_or(0);
    let filters: Map<String, Value> = match text("filters").map(serde_json::from_str) {
        None => Map::new(),
        Some(Ok(filters)) => filters,
        Some(Err(error)) => {
            return refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("Could not retrieve transactions via the API: SyntaxError: {error}"),
            );
        }
    };
    let mut found: Vec<Value> = state
        .transactions
        .iter()
        .filter(|transaction| matches(transaction, &filters))
        .cloned()
        .collect();
    found.sort_by_key(|transaction| {
        std::cmp::Reverse(
            transaction["request"]["timestamp"]
                .as_str()
                .map(str::to_owned),
        )
    });
    let limit = limit.unwrap_or(usize::MAX);
    let mut found: Vec<Value> = found
        .into_iter()
        .skip(page.saturating_mul(limit))
        .take(limit)
        .collect();
    for transaction in &mut found {
        represent(
            transaction,
            text("filterRepresentation").unwrap_or_default(),
        );
    }
    Json(found).into_response()
}

fn represent(transaction: &mut Value, representation: &str) {
    let mut parts: Vec<&mut Value> = Vec::new();
    match representation {
        "full" => return,
        "simpledetails" => {}
        _ => {
            let fields = transaction.as_object_mut().unwrap();
            fields.remove("orchestrations");
            fields.remove("routes");
        }
    }
    let fields = transaction.as_object_mut().unwrap();
    for (name, value) in fields {
        match name.as_str() {
            "request" | "response" => parts.push(value),
            "orchestrations" => parts.extend(
                value
                    .as_array_mut()
                    .unwrap()
                    .iter_mut()
                    .flat_map(|part| part.as_object_mut().unwrap().values_mut()),
            ),
            _ => {}
        }
    }
    for part in parts {
        if let Some(part) = part.as_object_mut() {
            part.remove("body");
            if representation.is_empty() {
                part.remove("headers");
            }
        }
    }
}

fn matches(transaction: &Value, filters: &Map<String, Value>) -> bool {
    filters.iter().all(|(field, filter)| {
        let value = field
            .split('.')
            .try_fold(transaction, |value, name| value.get(name));
        match field.as_str() {
            // A second JSON inside the JSON.
            "request.timestamp" => {
                let range: Map<String, Value> =
                    serde_json::from_str(filter.as_str().unwrap()).unwrap();
                let time = value.and_then(Value::as_str).unwrap_or_default();
                range.iter().all(|(operator, bound)| {
                    let bound = bound.as_str().unwrap();
                    match operator.as_str() {
                        "$gte" => time >= bound,
                        "$lte" => time <= bound,
                        "$lt" => time < bound,
                        "$gt" => time > bound,
                        other => panic!("{other} is no operator"),
                    }
                })
            }
            // A regular expression in core.
            "request.path" => value
                .and_then(Value::as_str)
                .is_some_and(|path| path.contains(filter.as_str().unwrap().trim_matches('^'))),
            "response.status" if filter.is_string() => {
                let class = filter.as_str().unwrap();
                let status = value.and_then(Value::as_u64).unwrap_or(0);
                if class.ends_with("xx") {
                    class.starts_with(&(status / 100).to_string())
                } else {
                    class == status.to_string()
                }
            }
            "properties" => {
                let (name, wanted) = filter.as_object().unwrap().iter().next().unwrap();
                let value = &transaction["properties"][name.as_str()];
                if wanted.is_null() {
                    !value.is_null()
                } else {
                    value == wanted
                }
            }
            _ => value == Some(filter),
        }
    })
}

pub(super) async fn read(Extracted(state): Extracted<Shared>, Path(id): Path<String>) -> Response {
    let state = state.lock().unwrap();
    match state
        .transactions
        .iter()
        .find(|transaction| transaction["_id"] == id)
    {
        Some(transaction) => Json(transaction).into_response(),
        None => refuse(
            StatusCode::NOT_FOUND,
            format!("Could not find transaction with ID: {id}"),
        ),
    }
}

pub(super) async fn update(
    Extracted(state): Extracted<Shared>,
    Path(id): Path<String>,
    Sent(updates): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    let Value::Object(updates) = updates else {
        return refuse(StatusCode::BAD_REQUEST, "an object");
    };
    let version = state.version;
    let outcome = state
        .transactions
        .iter_mut()
        .find(|transaction| transaction["_id"] == id)
        .ok_or_else(|| "TypeError: Cannot read properties of null".to_owned())
        .and_then(|transaction| apply(transaction, updates, version));
    match outcome {
        Ok(()) => refuse(
            StatusCode::OK,
            format!("Transaction with ID: {id} successfully updated"),
        ),
        Err(fault) => refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("Could not update transaction via the API: {fault}"),
        ),
    }
}

/// Stricter than core, which would store some of this and lose the rest.
fn apply(
    transaction: &mut Value,
    updates: Map<String, Value>,
    version: Version,
) -> Result<(), String> {
    const STATUSES: [&str; 6] = [
        "Processing",
        "Successful",
        "Completed",
        "Completed with error(s)",
        "Failed",
        "Pending Async",
    ];
    for (field, value) in updates {
        match field.as_str() {
            "status" => {
                let known = if version == Version::V4 {
                    &STATUSES[..5]
                } else {
                    &STATUSES[..]
                };
                if !known.iter().any(|status| value == **status) {
                    return Err("ValidationError: status: not a valid enum value".to_owned());
                }
                transaction["status"] = value;
            }
            "response" => {
                check_message(&value, false)?;
                transaction["response"] = value;
            }
            "orchestrations" => {
                check_orchestrations(&value)?;
                transaction["orchestrations"] = value;
            }
            "error" => transaction["error"] = value,
            "properties" => transaction["properties"] = value,
            "$push" => {
                let each = value["orchestrations"]["$each"].clone();
                check_orchestrations(&each)?;
                let pushed = each.as_array().cloned().unwrap_or_default();
                let list = transaction["orchestrations"].as_array_mut();
                list.ok_or("no list")?.extend(pushed);
            }
            "$set" => {}
            name if name.starts_with("properties.") => {
                let name = name.trim_start_matches("properties.");
                transaction["properties"][name] = value;
            }
            other => return Err(format!("StrictModeError: {other} is not in the schema")),
        }
    }
    Ok(())
}

fn check_orchestrations(orchestrations: &Value) -> Result<(), String> {
    let list = orchestrations.as_array().ok_or("CastError: not a list")?;
    for orchestration in list {
        if !orchestration["name"].is_string() {
            return Err("ValidationError: name is required".to_owned());
        }
        check_message(&orchestration["request"], true)?;
        if !orchestration["response"].is_null() {
            check_message(&orchestration["response"], false)?;
        }
    }
    Ok(())
}

fn check_message(message: &Value, timestamp_required: bool) -> Result<(), String> {
    if !message.is_object() {
        return Err("CastError: not an object".to_owned());
    }
    if !(message["body"].is_string() || message["body"].is_null()) {
        return Err("CastError: Cast to string failed at path \"body\"".to_owned());
    }
    let timestamp = message["timestamp"]
        .as_str()
        .map(str::parse::<chrono::DateTime<chrono::Utc>>);
    match timestamp {
        Some(Err(_)) => Err("CastError: Cast to date failed at path \"timestamp\"".to_owned()),
        None if timestamp_required => Err("ValidationError: timestamp is required".to_owned()),
        _ => Ok(()),
    }
}
