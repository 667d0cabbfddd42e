//! `/clients`, as core 4.0.5 and 8.5.0 have it.

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::access::refuse;
use super::api::Sent;
use super::{Shared, State, Version, keep_schema};

const SCHEMA: [&str; 15] = [
    "_id",
    "clientID",
    "clientDomain",
    "name",
    "roles",
    "passwordAlgorithm",
    "passwordHash",
    "passwordSalt",
    "certFingerprint",
    "organization",
    "location",
    "softwareName",
    "description",
    "contactPerson",
    "contactPersonEmail",
];

fn shown(state: &State, client: &Value) -> Value {
    let mut client = client.clone();
    if state.version == Version::V8
        && let Some(members) = client.as_object_mut()
        && members.remove("customTokenID").is_some()
    {
        client["customTokenSet"] = true.into();
    }
    client
}

pub(super) async fn list(Extracted(state): Extracted<Shared>) -> Response {
    let state = state.lock().unwrap();
    let clients: Vec<Value> = state
        .clients
        .iter()
        .map(|client| shown(&state, client))
        .collect();
    Json(clients).into_response()
}

pub(super) async fn read(Extracted(state): Extracted<Shared>, Path(id): Path<String>) -> Response {
    let state = state.lock().unwrap();
    if id.len() != 24 {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Cast to ObjectId failed for value at path \"_id\" for model \"Client\"",
        );
    }
    match state.clients.iter().find(|client| client["_id"] == id) {
        Some(client) => Json(shown(&state, client)).into_response(),
        None => refuse(
            StatusCode::NOT_FOUND,
            format!("Client with id {id} could not be found."),
        ),
    }
}

pub(super) async fn add(Extracted(state): Extracted<Shared>, Sent(mut client): Sent) -> Response {
    let mut state = state.lock().unwrap();
    keep(&state, &mut client);
    let id = client["clientID"].as_str().unwrap_or_default().to_owned();
    if has_role(&state, &id) {
        return refuse(
            StatusCode::CONFLICT,
            format!(
                "A role name conflicts with clientID '{id}'. A role name cannot be the same as a \
                 clientID."
            ),
        );
    }
    let Some(roles) = client["roles"].as_array() else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Cannot read properties of undefined (reading 'includes')",
        );
    };
    if roles.iter().any(|role| *role == id.as_str()) {
        return refuse(
            StatusCode::BAD_REQUEST,
            format!("ClientID '{id}' cannot be the same as a role name."),
        );
    }
    if id.is_empty() || !client["name"].is_string() {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Client validation failed: clientID, name: Path is required.",
        );
    }
    if state
        .clients
        .iter()
        .any(|known| known["clientID"] == id.as_str())
    {
        return refuse(StatusCode::BAD_REQUEST, "E11000 duplicate key error");
    }
    client["_id"] = state.id().into();
    client["__v"] = 0.into();
    state.clients.push(client);
    refuse(StatusCode::CREATED, "Client successfully created")
}

pub(super) async fn update(
    Extracted(state): Extracted<Shared>,
    Path(id): Path<String>,
    Sent(mut changes): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    keep(&state, &mut changes);
    if has_role(&state, changes["clientID"].as_str().unwrap_or_default()) {
        return refuse(StatusCode::CONFLICT, "A role name conflicts with clientID");
    }
    // One that is not there is updated all the same.
    if let Some(client) = state.clients.iter_mut().find(|client| client["_id"] == id) {
        for (name, value) in changes.as_object().unwrap() {
            if name != "_id" {
                client[name] = value.clone();
            }
        }
    }
    refuse(StatusCode::OK, "Successfully updated client.")
}

pub(super) async fn remove(
    Extracted(state): Extracted<Shared>,
    Path(id): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    state.clients.retain(|client| client["_id"] != id);
    refuse(
        StatusCode::OK,
        format!("Successfully removed client with ID {id}"),
    )
}

fn keep(state: &State, client: &mut Value) {
    let token = client.get("customTokenID").cloned();
    keep_schema(client, &SCHEMA);
    if let (Version::V8, Some(token)) = (state.version, token) {
        client["customTokenID"] = token;
    }
}

/// 4.x: a role is what a channel or a client says it is.
fn has_role(state: &State, name: &str) -> bool {
    match state.version {
        Version::V8 => state.roles.iter().any(|role| role["name"] == name),
        Version::V4 => {
            let has = |value: &Value| {
                value
                    .as_array()
                    .is_some_and(|roles| roles.contains(&json!(name)))
            };
            state.channels.iter().any(|channel| has(&channel["allow"]))
                || state.clients.iter().any(|client| has(&client["roles"]))
        }
    }
}
