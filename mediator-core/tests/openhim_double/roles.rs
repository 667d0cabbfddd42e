//! `/roles`: what users may do in 8.5.0; what channels allow and clients have in 4.0.5.

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Map, Value, json};

use super::access::refuse;
use super::api::Sent;
use super::{Shared, State, Version};

/// Some of the permissions that 8.5.0 knows; it drops those that it does not know.
const FLAGS: [&str; 6] = [
    "channel-view-all",
    "channel-manage-all",
    "client-view-all",
    "client-manage-all",
    "mediator-view-all",
    "mediator-manage-all",
];
const LISTS: [&str; 3] = [
    "channel-view-specified",
    "client-view-specified",
    "mediator-view-specified",
];

fn permissions(sent: &Value) -> Value {
    let mut permissions = Map::new();
    for flag in FLAGS {
        permissions.insert(flag.to_owned(), (sent[flag] == true).into());
    }
    for list in LISTS {
        let things = sent[list].as_array().cloned().unwrap_or_default();
        permissions.insert(list.to_owned(), things.into());
    }
    permissions.into()
}

fn contains(list: &Value, name: &str) -> bool {
    list.as_array()
        .is_some_and(|items| items.contains(&json!(name)))
}

/// A role of 4.x, if it is one.
fn virtual_role(state: &State, name: &str) -> Option<Value> {
    let channels: Vec<Value> = state
        .channels
        .iter()
        .filter(|channel| contains(&channel["allow"], name))
        .map(|channel| json!({"_id": channel["_id"], "name": channel["name"]}))
        .collect();
    let clients: Vec<Value> = state
        .clients
        .iter()
        .filter(|client| contains(&client["roles"], name))
        .map(|client| json!({"_id": client["_id"], "clientID": client["clientID"]}))
        .collect();
    (!channels.is_empty() || !clients.is_empty())
        .then(|| json!({"name": name, "channels": channels, "clients": clients}))
}

fn find(state: &State, name: &str) -> Option<Value> {
    match state.version {
        Version::V4 => virtual_role(state, name),
        Version::V8 => state
            .roles
            .iter()
            .find(|role| role["name"] == name)
            .cloned(),
    }
}

pub(super) async fn list(Extracted(state): Extracted<Shared>) -> Response {
    let state = state.lock().unwrap();
    if state.version == Version::V8 {
        return Json(&state.roles).into_response();
    }
    let mut names: Vec<&str> = state
        .channels
        .iter()
        .map(|channel| &channel["allow"])
        .chain(state.clients.iter().map(|client| &client["roles"]))
        .flat_map(|list| list.as_array().into_iter().flatten())
        .filter_map(Value::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    let roles: Vec<Value> = names
        .into_iter()
        .filter_map(|name| virtual_role(&state, name))
        .collect();
    Json(roles).into_response()
}

pub(super) async fn read(
    Extracted(state): Extracted<Shared>,
    Path(name): Path<String>,
) -> Response {
    let state = state.lock().unwrap();
    match find(&state, &name) {
        Some(role) => Json(role).into_response(),
        None => missing(&name),
    }
}

pub(super) async fn add(Extracted(state): Extracted<Shared>, Sent(role): Sent) -> Response {
    let mut state = state.lock().unwrap();
    let Some(name) = role["name"].as_str().filter(|name| !name.is_empty()) else {
        return refuse(StatusCode::BAD_REQUEST, "Must specify a role name");
    };
    let links = |list: &str| role[list].as_array().is_some_and(|list| !list.is_empty());
    if state.version == Version::V4 && !links("channels") && !links("clients") {
        return refuse(
            StatusCode::BAD_REQUEST,
            "Must specify at least one channel or client to link the role to",
        );
    }
    if find(&state, name).is_some() {
        return refuse(StatusCode::BAD_REQUEST, "E11000 duplicate key error");
    }
    if state
        .clients
        .iter()
        .any(|client| client["clientID"] == name)
    {
        return refuse(
            StatusCode::CONFLICT,
            "Role name matches an existing clientID",
        );
    }
    match state.version {
        Version::V4 => link(&mut state, name, &role),
        Version::V8 => {
            let id = state.id();
            state.roles.push(json!({
                "_id": id, "name": name, "permissions": permissions(&role["permissions"]), "__v": 0,
            }));
        }
    }
    refuse(StatusCode::CREATED, "Role successfully created")
}

pub(super) async fn update(
    Extracted(state): Extracted<Shared>,
    Path(name): Path<String>,
    Sent(role): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    if find(&state, &name).is_none() {
        return missing(&name);
    }
    let new_name = role["name"].as_str().map(str::to_owned);
    if let Some(new_name) = &new_name
        && find(&state, new_name).is_some()
        && (state.version == Version::V4 || *new_name != name)
    {
        return refuse(
            StatusCode::BAD_REQUEST,
            format!("Role with name '{new_name}' already exists."),
        );
    }
    match state.version {
        Version::V4 => {
            let mut unlinked = role.clone();
            for (list, own) in [("channels", "allow"), ("clients", "roles")] {
                if role[list].is_array() {
                    unlink(&mut state, list, own, &name);
                } else {
                    unlinked[list] = json!([]);
                }
            }
            link(&mut state, &name, &unlinked);
            if let Some(new_name) = new_name {
                rename(&mut state, &name, &new_name);
            }
        }
        Version::V8 => {
            let known = state
                .roles
                .iter_mut()
                .find(|known| known["name"] == name.as_str());
            let known = known.unwrap();
            if role["permissions"].is_object() {
                known["permissions"] = permissions(&role["permissions"]);
            }
            if let Some(new_name) = new_name {
                known["name"] = new_name.into();
            }
        }
    }
    refuse(StatusCode::OK, "Successfully updated role")
}

pub(super) async fn remove(
    Extracted(state): Extracted<Shared>,
    Path(name): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    if find(&state, &name).is_none() {
        return missing(&name);
    }
    state.roles.retain(|role| role["name"] != name.as_str());
    if state.version == Version::V4 {
        unlink(&mut state, "channels", "allow", &name);
        unlink(&mut state, "clients", "roles", &name);
    }
    refuse(StatusCode::OK, "Successfully deleted role")
}

fn missing(name: &str) -> Response {
    refuse(StatusCode::NOT_FOUND, format!("Role {name} does not exist"))
}

fn link(state: &mut State, name: &str, role: &Value) {
    let named = |list: &str, key: &str| -> Vec<Value> {
        role[list]
            .as_array()
            .into_iter()
            .flatten()
            .map(|item| item[key].clone())
            .collect()
    };
    for channel in &mut state.channels {
        if named("channels", "name").contains(&channel["name"]) {
            push(&mut channel["allow"], name);
        }
    }
    for client in &mut state.clients {
        if named("clients", "clientID").contains(&client["clientID"]) {
            push(&mut client["roles"], name);
        }
    }
}

fn push(list: &mut Value, name: &str) {
    if list.is_null() {
        *list = json!([]);
    }
    list.as_array_mut().unwrap().push(name.into());
}

fn unlink(state: &mut State, list: &str, own: &str, name: &str) {
    let all = match list {
        "channels" => &mut state.channels,
        _ => &mut state.clients,
    };
    for names in all.iter_mut().filter_map(|item| item[own].as_array_mut()) {
        names.retain(|known| known != name);
    }
}

fn rename(state: &mut State, name: &str, new_name: &str) {
    let lists = state
        .channels
        .iter_mut()
        .map(|channel| &mut channel["allow"])
        .chain(state.clients.iter_mut().map(|client| &mut client["roles"]));
    for known in lists.filter_map(Value::as_array_mut).flatten() {
        if known == name {
            *known = new_name.into();
        }
    }
}
