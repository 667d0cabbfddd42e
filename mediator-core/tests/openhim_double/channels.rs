use std::collections::HashSet;

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::access::refuse;
use super::api::{Asking, Sent};
use super::{Shared, State, Version, mediators};

const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
];

pub(super) async fn list(Extracted(state): Extracted<Shared>, user: Asking) -> Response {
    let state = state.lock().unwrap();
    // Whoever may see none gets an empty list, not a refusal.
    let all = match state.version {
        Version::V4 => user.may("*"),
        Version::V8 => user.may("channel-view-all"),
    };
    if all {
        Json(&state.channels).into_response()
    } else {
        Json(json!([])).into_response()
    }
}

pub(super) async fn read(Extracted(state): Extracted<Shared>, Path(id): Path<String>) -> Response {
    let state = state.lock().unwrap();
    match state.channels.iter().find(|channel| channel["_id"] == id) {
        Some(channel) => Json(channel).into_response(),
        None => refuse(StatusCode::NOT_FOUND, "We could not find a channel"),
    }
}

pub(super) async fn add(Extracted(state): Extracted<Shared>, Sent(channel): Sent) -> Response {
    let mut state = state.lock().unwrap();
    if let Err(fault) = check_channel(&channel) {
        return refuse(StatusCode::BAD_REQUEST, fault);
    }
    match store(&mut state, channel) {
        Ok(id) => {
            schedule(&mut state, &id);
            refuse(StatusCode::CREATED, "Channel successfully created")
        }
        Err(fault) => refuse(
            StatusCode::BAD_REQUEST,
            format!("Could not add channel via the API: {fault}"),
        ),
    }
}

pub(super) async fn update(
    Extracted(state): Extracted<Shared>,
    Path(id): Path<String>,
    Sent(changes): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    let Value::Object(mut changes) = changes else {
        return refuse(StatusCode::BAD_REQUEST, "an object");
    };
    changes.remove("_id");
    let Some(channel) = state.channels.iter().find(|channel| channel["_id"] == id) else {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "TypeError: Cannot read properties of null (reading 'set')",
        );
    };
    let mut updated = channel.clone();
    updated.as_object_mut().unwrap().append(&mut changes);
    if let Err(fault) = check_channel(&updated) {
        return refuse(StatusCode::BAD_REQUEST, fault);
    }
    let channel = state
        .channels
        .iter_mut()
        .find(|channel| channel["_id"] == id)
        .unwrap();
    *channel = updated;
    schedule(&mut state, &id);
    refuse(StatusCode::OK, "The channel was successfully updated")
}

/// One that has had transactions is marked as deleted only.
pub(super) async fn remove(
    Extracted(state): Extracted<Shared>,
    Path(id): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    let is_used = state
        .transactions
        .iter()
        .any(|transaction| transaction["channelID"] == id.as_str());
    let channels = &mut state.channels;
    let Some(index) = channels.iter().position(|channel| channel["_id"] == id) else {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!(
                "Could not remove channel by id: {id} via the API: TypeError: Cannot read \
                 properties of null (reading 'type')"
            ),
        );
    };
    if is_used {
        channels[index]["status"] = "deleted".into();
    } else {
        channels.remove(index);
    }
    schedule(&mut state, &id);
    refuse(StatusCode::OK, "The channel was successfully deleted")
}

pub(super) async fn trigger(
    Extracted(state): Extracted<Shared>,
    Path(id): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    if !state.channels.iter().any(|channel| channel["_id"] == id) {
        return refuse(StatusCode::NOT_FOUND, "We could not find a channel");
    }
    state.triggered.push(id);
    refuse(StatusCode::OK, "OK")
}

/// `POST /mediators/:urn/channels`: neither checks channels as `POST /channels` does, nor
/// schedules them.
pub(super) async fn install(
    Extracted(state): Extracted<Shared>,
    Path(urn): Path<String>,
    Sent(names): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    let names = names.as_array().cloned().unwrap_or_default();
    let Some(mediator) = mediators::find(&mut state, &urn) else {
        return refuse(StatusCode::NOT_FOUND, "No mediator found for this urn.");
    };
    let channels: Vec<Value> = mediator["defaultChannelConfig"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|channel| names.is_empty() || names.contains(&channel["name"]))
        .cloned()
        .collect();
    if channels.len() < names.len() {
        return refuse(
            StatusCode::BAD_REQUEST,
            format!(
                "Could not load mediator default channel config, one or more channels in the \
                 request body not found in the mediator config (urn: {urn})"
            ),
        );
    }
    for channel in channels {
        if let Err(fault) = store(&mut state, channel) {
            return refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                format!("Could not load mediator default channel config (urn: {urn}): {fault}"),
            );
        }
    }
    refuse(StatusCode::CREATED, "Created")
}

/// What the schema and its unique index refuse.
pub(super) fn store(state: &mut State, mut channel: Value) -> Result<String, String> {
    let name = channel["name"]
        .as_str()
        .ok_or("ValidationError: Channel validation failed: name: Path `name` is required.")?
        .to_owned();
    if !channel["urlPattern"].is_string() {
        return Err("ValidationError: urlPattern: Path `urlPattern` is required.".to_owned());
    }
    if state
        .channels
        .iter()
        .any(|other| other["name"] == name.as_str())
    {
        return Err(format!(
            "MongoError: E11000 duplicate key error collection: openhim.channels index: name_1 \
             dup key: {{ name: \"{name}\" }}"
        ));
    }
    let id = state.id();
    channel["_id"] = id.clone().into();
    channel["__v"] = 0.into();
    channel["updatedBy"] = json!({"id": "1", "name": "Super User"});
    for (field, default) in [("type", "http"), ("status", "enabled")] {
        if channel[field].is_null() {
            channel[field] = default.into();
        }
    }
    if channel["methods"].is_null() {
        channel["methods"] = json!([]);
    }
    state.channels.push(channel);
    Ok(id)
}

fn check_channel(channel: &Value) -> Result<(), String> {
    let methods = channel["methods"].as_array().cloned().unwrap_or_default();
    let kind = channel["type"].as_str().unwrap_or("http");
    if !methods.is_empty() && kind != "http" {
        return Err("Channel method can't be defined if channel type is not http".to_owned());
    }
    if methods
        .iter()
        .any(|method| !METHODS.iter().any(|known| method == known))
    {
        return Err("ValidationError: methods: not a valid enum value".to_owned());
    }
    let distinct: HashSet<_> = methods.iter().map(Value::to_string).collect();
    if distinct.len() < methods.len() {
        return Err("Channel methods can't be repeated. Repeated methods are".to_owned());
    }
    let primaries = channel["routes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|route| route["primary"] == true && route["status"] != "disabled")
        .count();
    match primaries {
        0 => Err("Channel must have a primary route".to_owned()),
        1 => Ok(()),
        _ => Err("Channel cannot have a multiple primary routes".to_owned()),
    }
}

fn schedule(state: &mut State, id: &str) {
    let channel = state.channels.iter().find(|channel| channel["_id"] == id);
    let polled = channel.is_some_and(|channel| {
        channel["type"] == "polling"
            && channel["status"] == "enabled"
            && channel["pollingSchedule"].is_string()
    });
    state.scheduled.retain(|scheduled| scheduled != id);
    if polled {
        state.scheduled.push(id.to_owned());
    }
}

/// What core does when it starts.
pub(super) fn schedule_all(state: &mut State) {
    let ids: Vec<String> = state
        .channels
        .iter()
        .map(|channel| channel["_id"].as_str().unwrap().to_owned())
        .collect();
    for id in ids {
        schedule(state, &id);
    }
}
