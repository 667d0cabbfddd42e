//! Handlers as OpenHIM core sees them, over real sockets.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod calls;
mod core_api;
mod later;
#[path = "../server/log.rs"]
mod log;
mod mistakes;
mod outcomes;

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::serve::Listener as _;
use http::{HeaderMap, StatusCode};
use mediator_core::envelope::Envelope;
use mediator_core::server::{Server, ServerSettings, listen};
use mediator_core::transaction::{TransactionLayer, TransactionSettings};

const URN: &str = "urn:mediator:test";
const ID: &str = "65f1c0a2b3d4e5f601234567";

/// Serves until the test ends.
async fn serve(server: Server, routes: Router) -> SocketAddr {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(server.serve(routes, listener, std::future::pending()));
    address
}

/// A mediator of these routes.
struct Mediator {
    address: SocketAddr,
}

impl Mediator {
    async fn start(routes: Router) -> Self {
        let settings = ServerSettings::default();
        Self::with(settings, TransactionSettings::new(URN), routes).await
    }

    async fn with(server: ServerSettings, settings: TransactionSettings, routes: Router) -> Self {
        let routes = routes.layer(TransactionLayer::new(settings));
        Self {
            address: serve(Server::new(server), routes).await,
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// As core asks.
    fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        reqwest::Client::new()
            .request(method.parse().unwrap(), self.url(path))
            .header("X-OpenHIM-TransactionID", ID)
            .header("X-OpenHIM-ClientID", "lab")
    }

    async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    async fn get_without_openhim(&self, path: &str) -> Answer {
        Answer::of(reqwest::Client::new().get(self.url(path))).await
    }
}

/// Another system.
async fn backend(routes: Router) -> String {
    let address = serve(Server::new(ServerSettings::default()), routes).await;
    format!("http://{address}")
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap(),
        }
    }

    fn content_type(&self) -> &str {
        self.headers["content-type"].to_str().unwrap()
    }

    /// What core unpacks.
    fn envelope(&self) -> Envelope {
        assert_eq!(self.content_type(), Envelope::MEDIA_TYPE);
        serde_json::from_slice(&self.body).unwrap()
    }
}
