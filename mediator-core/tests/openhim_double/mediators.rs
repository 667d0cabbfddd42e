use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::access::refuse;
use super::api::Sent;
use super::{Shared, State};

const MASK: &str = "**********";

pub(super) fn find<'a>(state: &'a mut State, urn: &str) -> Option<&'a mut Value> {
    state
        .mediators
        .iter_mut()
        .find(|mediator| mediator["urn"] == urn)
}

/// Passwords come out of this list as they are: core masks them for single mediators only.
pub(super) async fn list(Extracted(state): Extracted<Shared>) -> Response {
    let state = state.lock().unwrap();
    Json(&state.mediators).into_response()
}

pub(super) async fn read(Extracted(state): Extracted<Shared>, Path(urn): Path<String>) -> Response {
    let mut state = state.lock().unwrap();
    match find(&mut state, &urn) {
        None => refuse(StatusCode::NOT_FOUND, "Not Found"),
        Some(mediator) => {
            let mut mediator = mediator.clone();
            let definitions = mediator["configDefs"].clone();
            mask(&definitions, &mut mediator["config"]);
            Json(mediator).into_response()
        }
    }
}

fn mask(definitions: &Value, config: &mut Value) {
    for definition in definitions.as_array().into_iter().flatten() {
        let param = definition["param"].as_str().unwrap_or_default();
        let Some(value) = config.get_mut(param) else {
            continue;
        };
        match (definition["type"].as_str(), value) {
            (Some("password"), Value::Array(items)) => items.fill(json!(MASK)),
            (Some("password"), value) => *value = json!(MASK),
            (Some("struct"), value) => mask(&definition["template"], value),
            _ => {}
        }
    }
}

pub(super) async fn add(Extracted(state): Extracted<Shared>, Sent(document): Sent) -> Response {
    let mut state = state.lock().unwrap();
    match register(&mut state, document) {
        Ok(()) => refuse(StatusCode::CREATED, "Created"),
        Err(fault) => refuse(
            StatusCode::BAD_REQUEST,
            format!("Could not add Mediator via the API: ValidationError: {fault}"),
        ),
    }
}

fn register(state: &mut State, mut document: Value) -> Result<(), String> {
    let urn = document["urn"]
        .as_str()
        .ok_or("URN is required")?
        .to_owned();
    let version = document["version"]
        .as_str()
        .and_then(|version| semver::Version::parse(version).ok())
        .ok_or("Version is required. Must be in SemVer form x.y.z")?;
    let definitions = document["configDefs"].clone();
    if definitions.is_array() && document["config"].is_object() {
        check_config(&definitions, &document["config"])?;
    }
    keep_known(&mut document);
    if let Some(existing) = find(state, &urn) {
        let registered: semver::Version = existing["version"].as_str().unwrap().parse().unwrap();
        if version > registered {
            let ours = document.as_object_mut().unwrap();
            if let Some(config) = ours.get_mut("config").and_then(Value::as_object_mut) {
                for (param, value) in config {
                    if let Some(set) = existing["config"].get(param.as_str()) {
                        *value = set.clone();
                    }
                }
            }
            existing.as_object_mut().unwrap().append(ours);
        }
        return Ok(());
    }
    if document["endpoints"].as_array().is_none_or(Vec::is_empty) {
        return Err("At least 1 endpoint is required".to_owned());
    }
    if !document["name"].is_string() {
        return Err("Mediator validation failed: name: Path `name` is required.".to_owned());
    }
    document["_id"] = state.id().into();
    document["__v"] = 0.into();
    state.mediators.push(document);
    Ok(())
}

/// Mongoose drops what its schema does not name, fills in defaults, and casts.
fn keep_known(document: &mut Value) {
    const KNOWN: [&str; 8] = [
        "urn",
        "version",
        "name",
        "description",
        "endpoints",
        "defaultChannelConfig",
        "configDefs",
        "config",
    ];
    let fields = document.as_object_mut().unwrap();
    fields.retain(|field, _| KNOWN.contains(&field.as_str()));
    for list in ["endpoints", "defaultChannelConfig", "configDefs"] {
        fields.entry(list).or_insert_with(|| json!([]));
    }
    if fields
        .get("config")
        .is_some_and(|config| *config == json!({}))
    {
        fields.remove("config");
    }
    for endpoint in document["endpoints"].as_array_mut().into_iter().flatten() {
        endpoint["forwardAuthHeader"] = false.into();
        for (field, default) in [("type", "http"), ("status", "enabled")] {
            if endpoint[field].is_null() {
                endpoint[field] = default.into();
            }
        }
        if let Some(port) = endpoint["port"].as_str() {
            endpoint["port"] = port.parse::<u16>().unwrap().into();
        }
    }
}

pub(super) async fn remove(
    Extracted(state): Extracted<Shared>,
    Path(urn): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    state.mediators.retain(|mediator| mediator["urn"] != urn);
    refuse(StatusCode::OK, "has been successfully removed")
}

pub(super) async fn heartbeat(
    Extracted(state): Extracted<Shared>,
    Path(urn): Path<String>,
    Sent(body): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    let now = state.now();
    let Some(mediator) = find(&mut state, &urn) else {
        return refuse(StatusCode::NOT_FOUND, "Not Found");
    };
    if body["uptime"].is_null() {
        return refuse(StatusCode::BAD_REQUEST, "Bad Request");
    }
    let at = |field: &str| mediator[field].as_i64();
    let changed = match (at("_configModifiedMicros"), at("_heartbeatMicros")) {
        (Some(changed), Some(beat)) => changed > beat,
        // JavaScript: a date is greater than undefined never.
        _ => false,
    };
    let answer = if changed || body["config"] == true {
        mediator["config"].clone()
    } else {
        json!("")
    };
    mediator["_uptime"] = body["uptime"].clone();
    mediator["_lastHeartbeat"] = json!(now);
    mediator["_heartbeatMicros"] = now.timestamp_micros().into();
    match answer {
        // What Koa makes of `undefined`.
        Value::Null => refuse(StatusCode::OK, "OK"),
        Value::String(_) => StatusCode::OK.into_response(),
        config => Json(config).into_response(),
    }
}

pub(super) async fn put_config(
    Extracted(state): Extracted<Shared>,
    Path(urn): Path<String>,
    Sent(mut config): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    let Some(mediator) = find(&mut state, &urn) else {
        return refuse(StatusCode::NOT_FOUND, "No mediator found for this urn.");
    };
    let definitions = mediator["configDefs"].clone();
    for (param, value) in config.as_object_mut().into_iter().flatten() {
        if *value == MASK && !mediator["config"][param.as_str()].is_null() {
            *value = mediator["config"][param.as_str()].clone();
        }
    }
    if let Err(fault) = check_config(&definitions, &config) {
        return refuse(StatusCode::BAD_REQUEST, fault);
    }
    set_config(&mut state, &urn, config);
    StatusCode::OK.into_response()
}

pub(super) fn set_config(state: &mut State, urn: &str, config: Value) {
    let now = state.now();
    let mediator = find(state, urn).unwrap();
    mediator["config"] = config;
    mediator["_configModifiedMicros"] = now.timestamp_micros().into();
}

fn check_config(definitions: &Value, config: &Value) -> Result<(), String> {
    for (param, value) in config.as_object().into_iter().flatten() {
        let definition = definitions
            .as_array()
            .into_iter()
            .flatten()
            .find(|definition| definition["param"] == param.as_str())
            .ok_or_else(|| format!("No config definition found for parameter {param}"))?;
        let right = match definition["type"].as_str().unwrap_or_default() {
            "string" | "bigstring" | "password" => value.is_string(),
            "number" => value.is_number(),
            "bool" => value.is_boolean(),
            "map" | "struct" => value.is_object(),
            "option" => definition["values"]
                .as_array()
                .is_some_and(|values| values.contains(value)),
            _ => true,
        };
        if !right && definition["array"] != true {
            return Err(format!(
                "Expected config param {param} to be a {}.",
                definition["type"].as_str().unwrap_or_default()
            ));
        }
    }
    Ok(())
}
