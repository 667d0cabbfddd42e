//! `/users`, as core 4.0.5 and 8.5.0 have it.

use axum::Json;
use axum::extract::{Path, State as Extracted};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};

use super::access::{User, refuse};
use super::api::Sent;
use super::{Shared, State, Version, keep_schema};

const SCHEMA: [&str; 16] = [
    "firstname",
    "surname",
    "email",
    "provider",
    "passwordAlgorithm",
    "passwordHash",
    "passwordSalt",
    "groups",
    "msisdn",
    "dailyReport",
    "weeklyReport",
    "settings",
    "token",
    "tokenType",
    "expiry",
    "locked",
];

fn find<'a>(state: &'a mut State, email: &str) -> Option<&'a mut Value> {
    state.user_documents.iter_mut().find(|user| {
        user["email"]
            .as_str()
            .is_some_and(|known| known.eq_ignore_ascii_case(email))
    })
}

pub(super) async fn list(Extracted(state): Extracted<Shared>) -> Response {
    let state = state.lock().unwrap();
    Json(&state.user_documents).into_response()
}

pub(super) async fn read(
    Extracted(state): Extracted<Shared>,
    Path(email): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    match find(&mut state, &email) {
        Some(user) => Json(&*user).into_response(),
        None => missing(&email),
    }
}

pub(super) async fn add(Extracted(state): Extracted<Shared>, Sent(mut document): Sent) -> Response {
    let mut state = state.lock().unwrap();
    keep_schema(&mut document, &SCHEMA);
    let required = ["firstname", "surname", "email"];
    if required.iter().any(|name| !document[name].is_string()) {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Could not add user via the API ValidationError",
        );
    }
    let email = document["email"].as_str().unwrap().to_lowercase();
    if find(&mut state, &email).is_some() {
        return refuse(
            StatusCode::INTERNAL_SERVER_ERROR,
            "Could not add user via the API MongoError: E11000 duplicate key error",
        );
    }
    document["email"] = email.into();
    document["locked"] = true.into();
    document["token"] = "a link to set a password".into();
    document["tokenType"] = "newUser".into();
    if document["groups"].is_null() {
        document["groups"] = json!([]);
    }
    document["_id"] = state.id().into();
    if state.version == Version::V8 {
        document["provider"] = "local".into();
    }
    state.user_documents.push(document);
    // 8.x stores a password that comes here as it is, and then compares it with a hash.
    refuse(StatusCode::CREATED, "User successfully created")
}

pub(super) async fn update(
    Extracted(state): Extracted<Shared>,
    Path(email): Path<String>,
    Sent(sent): Sent,
) -> Response {
    let mut state = state.lock().unwrap();
    let version = state.version;
    let Some(document) = find(&mut state, &email) else {
        return match version {
            Version::V4 => refuse(StatusCode::OK, "Successfully updated user."),
            Version::V8 => missing(&email),
        };
    };
    let email = document["email"].as_str().unwrap().to_owned();
    let mut changes = sent.clone();
    keep_schema(&mut changes, &SCHEMA);
    let text = |name: &str| sent[name].as_str().map(str::to_owned);
    let token = text("passwordAlgorithm")
        .and(text("passwordHash"))
        .zip(text("passwordSalt"));
    let password = text("password").filter(|_| version == Version::V8 && token.is_none());
    if version == Version::V8 && changes["provider"].is_null() {
        changes["provider"] = "local".into();
    }
    if token.is_some() || password.is_some() {
        changes["locked"] = false.into();
        changes["token"] = Value::Null;
        changes["tokenType"] = Value::Null;
    }
    for (name, value) in changes.as_object().unwrap() {
        document[name] = value.clone();
    }
    let user = if let Some((hash, salt)) = token {
        Some(User::with_token_hash(&email, &salt, &hash))
    } else {
        password.map(|password| User::new(&email, &password, &["*"]))
    };
    if let Some(user) = user {
        state.users.retain(|known| !known.is(&email));
        state.users.push(user);
    }
    refuse(StatusCode::OK, "Successfully updated user.")
}

pub(super) async fn remove(
    Extracted(state): Extracted<Shared>,
    Path(email): Path<String>,
) -> Response {
    let mut state = state.lock().unwrap();
    if email == "root@openhim.org" {
        return refuse(
            StatusCode::FORBIDDEN,
            "User root@openhim.org is OpenHIM root, User cannot be deleted through the API",
        );
    }
    state
        .user_documents
        .retain(|user| user["email"].as_str() != Some(&email.to_lowercase()));
    state.users.retain(|known| !known.is(&email));
    refuse(
        StatusCode::OK,
        format!("Successfully removed user with email {email}"),
    )
}

fn missing(email: &str) -> Response {
    refuse(
        StatusCode::NOT_FOUND,
        format!("User with email {email} could not be found."),
    )
}
