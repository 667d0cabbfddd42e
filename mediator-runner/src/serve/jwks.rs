//! `{iss}/.well-known/jwks.json`: the keys that SMART Health Cards verify with.

use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get};
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_TYPE};
use mediator_ddcc::signing::Algorithm;
use serde_json::{Value, json};

use super::application::Application;

pub(super) fn path(issuer_path: &str) -> String {
    format!("{issuer_path}/.well-known/jwks.json")
}

pub(super) fn route() -> MethodRouter<Application> {
    get(key_set)
}

/// Public, for verifiers in web pages too; short-lived in caches, because a rotation must be seen.
/// A health card is signed with ES256, so keys of other algorithms are not in it.
async fn key_set(State(application): State<Application>) -> Response {
    let keys: Vec<Value> = application
        .generation()
        .ports()
        .signer
        .certificates()
        .iter()
        .filter(|certificate| certificate.key_algorithm() == Some(Algorithm::Es256))
        .map(|certificate| certificate.jwk())
        .collect();
    (
        [
            (CONTENT_TYPE, "application/json"),
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (CACHE_CONTROL, "public, max-age=300"),
        ],
        json!({"keys": keys}).to_string(),
    )
        .into_response()
}
