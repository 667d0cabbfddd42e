//! The client for back ends, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod authentication;
mod calls;
mod failures;
mod recording;
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use http::StatusCode;
use mediator_core::back_end::{BackEnd, BackEndSettings};
use mediator_core::server::{Server, ServerSettings, listen};

/// What a back end was asked for, without its body.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    /// Path and query.
    target: String,
    authorization: Option<String>,
    headers: http::HeaderMap,
    body: String,
}

/// A back end whose answers a test decides.
#[derive(Clone)]
struct Double {
    url: url::Url,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Double {
    /// `answer` gets what is asked, and how often something was asked before.
    async fn start(
        answer: impl Fn(&Seen, usize) -> Response + Clone + Send + Sync + 'static,
    ) -> Self {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let count = Arc::new(AtomicUsize::new(0));
        let log = Arc::clone(&seen);
        let answers = any(move |request: Request| {
            let (answer, count, log) = (answer.clone(), Arc::clone(&count), Arc::clone(&log));
            async move {
                let (parts, body) = request.into_parts();
                let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
                let authorization = parts.headers.get("authorization");
                let seen = Seen {
                    method: parts.method.to_string(),
                    target: parts.uri.to_string(),
                    authorization: authorization.map(|value| value.to_str().unwrap().to_owned()),
                    headers: parts.headers,
                    body: String::from_utf8(body.to_vec()).unwrap(),
                };
                let response = answer(&seen, count.fetch_add(1, Ordering::SeqCst));
                log.lock().unwrap().push(seen);
                response
            }
        });
        let routes = Router::new().route("/{*path}", answers);
        let url = serve(Server::new(ServerSettings::default()), routes).await;
        Self {
            url: format!("{url}/fhir").parse().unwrap(),
            seen,
        }
    }

    /// Answers these statuses one after the other, the last for ever.
    async fn of_statuses(statuses: &'static [u16]) -> Self {
        Self::start(|_, before| status(statuses[before.min(statuses.len() - 1)])).await
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn settings(&self) -> BackEndSettings {
        settings(self.url.clone())
    }

    fn back_end(&self) -> BackEnd {
        BackEnd::new(&self.settings()).unwrap()
    }
}

/// Patient, so that a busy machine makes no difference.
fn settings(url: url::Url) -> BackEndSettings {
    BackEndSettings {
        connect_timeout: Duration::from_secs(30),
        timeout: Duration::from_secs(60),
        first_retry_delay: Duration::from_millis(1),
        ..BackEndSettings::new("FHIR server", url)
    }
}

fn status(code: u16) -> Response {
    let mut response = Response::new(Body::from("answer"));
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

fn json(value: &serde_json::Value) -> Response {
    Response::new(Body::from(value.to_string()))
}

/// Serves until the test ends.
async fn serve(server: Server, routes: Router) -> String {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    tokio::spawn(server.serve(routes, listener, std::future::pending()));
    format!("http://{address}")
}

/// An address that nobody listens on.
fn nowhere() -> url::Url {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    format!("http://{address}/fhir").parse().unwrap()
}
