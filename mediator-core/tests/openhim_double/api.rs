use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State as Extracted};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post, put};
use axum::{Extension, Json, Router};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::access::{self, User, refuse};
use super::{
    Fault, Seen, Shared, Version, audits, channels, clients, mediators, roles, transactions, users,
};

/// Closes the connection on which the request came.
#[derive(Clone, Default)]
pub(super) struct CloseConnection(Arc<Notify>);

impl CloseConnection {
    pub(super) async fn wait(&self) {
        self.0.notified().await;
    }

    async fn now(&self) -> Response {
        self.0.notify_one();
        std::future::pending().await
    }
}

pub(super) fn router(state: Shared) -> Router {
    Router::new()
        .route("/mediators", get(mediators::list).post(mediators::add))
        .route(
            "/mediators/{urn}",
            get(mediators::read).delete(mediators::remove),
        )
        .route("/mediators/{urn}/heartbeat", post(mediators::heartbeat))
        .route("/mediators/{urn}/config", put(mediators::put_config))
        .route("/mediators/{urn}/channels", post(channels::install))
        .route("/channels", get(channels::list).post(channels::add))
        .route(
            "/channels/{id}",
            get(channels::read)
                .put(channels::update)
                .delete(channels::remove),
        )
        .route("/channels/{id}/trigger", post(channels::trigger))
        .route("/clients", get(clients::list).post(clients::add))
        .route(
            "/clients/{id}",
            get(clients::read)
                .put(clients::update)
                .delete(clients::remove),
        )
        .route("/roles", get(roles::list).post(roles::add))
        .route(
            "/roles/{name}",
            get(roles::read).put(roles::update).delete(roles::remove),
        )
        .route("/users", get(users::list).post(users::add))
        .route(
            "/users/{email}",
            get(users::read).put(users::update).delete(users::remove),
        )
        .route("/audits", get(audits::list))
        .route("/audits/{id}", get(audits::read))
        .route("/about", get(about))
        .route("/transactions", get(transactions::list))
        .route(
            "/transactions/{id}",
            get(transactions::read).put(transactions::update),
        )
        .fallback(any(|| async { refuse(StatusCode::NOT_FOUND, "Not Found") }))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            authenticate,
        ))
        // Before authentication, as in core.
        .route("/heartbeat", get(heartbeat))
        .route("/authenticate/{username}", get(token_parameters))
        .layer(middleware::from_fn_with_state(
            Arc::clone(&state),
            see_and_fail,
        ))
        .with_state(state)
}

async fn see_and_fail(
    Extracted(state): Extracted<Shared>,
    Extension(close): Extension<CloseConnection>,
    request: Request,
    next: Next,
) -> Response {
    let fault = {
        let mut state = state.lock().unwrap();
        let path = request.uri().path().to_owned();
        let by = access::authenticate(&state, request.headers()).map(|(_, by)| by);
        let method = request.method().clone();
        let due = state
            .faults
            .iter()
            .position(|(of, _)| of.is_none_or(|of| path.ends_with(of)));
        state.seen.push(Seen { method, path, by });
        due.map(|index| state.faults.remove(index).1)
    };
    match fault {
        None => next.run(request).await,
        Some(Fault::Refuse(status)) => refuse(status, "as told"),
        Some(Fault::Close) => close.now().await,
        Some(Fault::CloseAfterwards) => {
            next.run(request).await;
            close.now().await
        }
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            refuse(StatusCode::OK, "")
        }
    }
}

async fn authenticate(
    Extracted(state): Extracted<Shared>,
    mut request: Request,
    next: Next,
) -> Response {
    let user = access::authenticate(&state.lock().unwrap(), request.headers());
    match user {
        Some((user, _)) => {
            request.extensions_mut().insert(user);
            next.run(request).await
        }
        None => refuse(StatusCode::UNAUTHORIZED, "Unauthorized"),
    }
}

async fn token_parameters(
    Extracted(state): Extracted<Shared>,
    Path(username): Path<String>,
) -> Response {
    access::token_parameters(&state.lock().unwrap(), &username)
}

async fn heartbeat(Extracted(state): Extracted<Shared>) -> Response {
    let state = state.lock().unwrap();
    let mut answer = json!({
        "master": (state.uptime_before + state.started.elapsed()).as_secs_f64(),
        "now": state.now().timestamp_millis(),
    });
    if !state.mediators.is_empty() {
        let uptimes: Map<String, Value> = state
            .mediators
            .iter()
            .map(|mediator| {
                let urn = mediator["urn"].as_str().unwrap().to_owned();
                (urn, mediator["_uptime"].clone())
            })
            .collect();
        answer["mediators"] = uptimes.into();
    }
    Json(answer).into_response()
}

async fn about(Extracted(state): Extracted<Shared>) -> Response {
    let version = match state.lock().unwrap().version {
        Version::V4 => "4.0.5",
        Version::V8 => "8.5.0",
    };
    Json(json!({"currentCoreVersion": version, "serverTimezone": "Etc/UTC"})).into_response()
}

/// The body as core's parser leaves it: an object or array of JSON, or nothing.
pub(super) fn parse(headers: &HeaderMap, body: &Bytes) -> Result<Value, Response> {
    let is_json = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    if !is_json || body.is_empty() {
        return Ok(json!({}));
    }
    match serde_json::from_slice(body) {
        Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(value),
        _ => Err(refuse(
            StatusCode::BAD_REQUEST,
            "invalid JSON, only supports object and array",
        )),
    }
}

/// What every handler needs.
pub(super) type Parameters = Query<Map<String, Value>>;
pub(super) type Asking = Extension<User>;
