use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, Path, Query, Request, State as Extracted};
use axum::handler::Handler as _;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post, put};
use axum::{Extension, Json, Router};
use http::StatusCode;
use http::header::CONTENT_TYPE;
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

/// What core calls an operation, and the permission that it needs.
type Operation = (Shared, &'static str, &'static str);

async fn authorize(
    Extracted((state, operation, permission)): Extracted<Operation>,
    Extension(user): Asking,
    request: Request,
    next: Next,
) -> Response {
    let allowed = access::check(&state.lock().unwrap(), &user, operation, permission);
    match allowed {
        Ok(()) => next.run(request).await,
        Err(refusal) => refusal,
    }
}

pub(super) fn router(state: Shared) -> Router {
    let may = |operation, permission| {
        let operation: Operation = (Arc::clone(&state), operation, permission);
        middleware::from_fn_with_state(operation, authorize)
    };
    Router::new()
        .route(
            "/mediators",
            get(mediators::list.layer(may("getAllMediators", "mediator-view-all")))
                .post(mediators::add.layer(may("addMediator", "mediator-manage-all"))),
        )
        .route(
            "/mediators/{urn}",
            get(mediators::read.layer(may("getMediator", "mediator-view-all")))
                .delete(mediators::remove.layer(may("removeMediator", "mediator-manage-all"))),
        )
        .route(
            "/mediators/{urn}/heartbeat",
            post(mediators::heartbeat.layer(may("mediatorHeartbeat", "mediator-view-all"))),
        )
        .route(
            "/mediators/{urn}/config",
            put(mediators::put_config.layer(may("setConfig", "mediator-manage-all"))),
        )
        .route(
            "/mediators/{urn}/channels",
            post(channels::install.layer(may("loadDefaultChannel", "mediator-manage-all"))),
        )
        .route(
            "/channels",
            get(channels::list).post(channels::add.layer(may("addChannel", "channel-manage-all"))),
        )
        .route(
            "/channels/{id}",
            get(channels::read.layer(may("getChannel", "channel-view-all")))
                .put(channels::update.layer(may("updateChannel", "channel-manage-all")))
                .delete(channels::remove.layer(may("removeChannel", "channel-manage-all"))),
        )
        .route(
            "/channels/{id}/trigger",
            post(channels::trigger.layer(may("triggerChannel", "channel-manage-all"))),
        )
        .route(
            "/clients",
            get(clients::list.layer(may("getClients", "client-view-all")))
                .post(clients::add.layer(may("addClient", "client-manage-all"))),
        )
        .route(
            "/clients/{id}",
            get(clients::read.layer(may("getClient", "client-view-all")))
                .put(clients::update.layer(may("updateClient", "client-manage-all")))
                .delete(clients::remove.layer(may("removeClient", "client-manage-all"))),
        )
        .route(
            "/roles",
            get(roles::list.layer(may("getRoles", "user-role-view")))
                .post(roles::add.layer(may("addRole", "user-role-manage"))),
        )
        .route(
            "/roles/{name}",
            get(roles::read.layer(may("getRole", "user-role-view")))
                .put(roles::update.layer(may("updateRole", "user-role-manage")))
                .delete(roles::remove.layer(may("deleteRole", "user-role-manage"))),
        )
        .route(
            "/users",
            get(users::list.layer(may("getUsers", "user-view")))
                .post(users::add.layer(may("addUser", "user-manage"))),
        )
        .route(
            "/users/{email}",
            get(users::read.layer(may("getUser", "user-view")))
                .put(users::update.layer(may("updateUser", "user-manage")))
                .delete(users::remove.layer(may("removeUsers", "user-manage"))),
        )
        .route(
            "/audits",
            get(audits::list.layer(may("getAudits", "audit-trail-view"))),
        )
        .route(
            "/audits/{id}",
            get(audits::read.layer(may("getAuditById", "audit-trail-view"))),
        )
        .route("/about", get(about))
        .route(
            "/transactions",
            get(transactions::list.layer(may("getTransactions", "channel-view-all"))),
        )
        .route(
            "/transactions/{id}",
            get(transactions::read.layer(may("getTransactionById", "channel-view-all")))
                .put(transactions::update.layer(may("updateTransaction", "channel-manage-all"))),
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
pub(super) struct Sent(pub(super) Value);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let is_json = request
            .headers()
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        let body = Bytes::from_request(request, state)
            .await
            .map_err(|failed| failed.into_response())?;
        if !is_json || body.is_empty() {
            return Ok(Self(json!({})));
        }
        match serde_json::from_slice(&body) {
            Ok(value @ (Value::Object(_) | Value::Array(_))) => Ok(Self(value)),
            _ => Err(refuse(
                StatusCode::BAD_REQUEST,
                "invalid JSON, only supports object and array",
            )),
        }
    }
}

/// What every handler needs.
pub(super) type Parameters = Query<Map<String, Value>>;
pub(super) type Asking = Extension<User>;
