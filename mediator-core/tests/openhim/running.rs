//! A mediator that runs beside the test.

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use mediator_core::Mediator;
use mediator_core::mediator::{MediatorBuilder, MediatorStopped};
use mediator_core::mediator_config::{
    ChannelAuthentication, ChannelDefinition, Endpoint, MediatorConfig, MediatorConfigBuilder,
    Method, Route,
};
use mediator_core::openhim::{OpenHim, OpenHimSettings, Trust};
use real_servers::openhim_core::RealOpenHimCore;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::eventually;

/// A client of core's API that trusts core's authority.
pub(crate) fn openhim(core: &RealOpenHimCore, password: &str) -> OpenHim {
    OpenHim::new(&settings(core, password)).unwrap()
}

pub(crate) fn settings(core: &RealOpenHimCore, password: &str) -> OpenHimSettings {
    OpenHimSettings {
        trust: Trust::CertificateAuthority(core.certificate_authority()),
        ..OpenHimSettings::new(
            core.api_url().parse().unwrap(),
            RealOpenHimCore::USERNAME,
            password.to_owned().into(),
        )
    }
}

/// A mediator that ends with the test.
pub(crate) struct Running {
    name: &'static str,
    pub(crate) port: u16,
    shutdown: oneshot::Sender<()>,
    stopped: JoinHandle<MediatorStopped>,
}

impl Running {
    /// Starts a mediator whose urn ends in `name`, with an open channel for `/name…` and whatever
    /// `configure` adds. It is registered some time later.
    pub(crate) async fn start(
        name: &'static str,
        openhim: OpenHim,
        configure: impl FnOnce(MediatorConfigBuilder, u16) -> MediatorConfigBuilder,
        build: impl FnOnce(MediatorBuilder, &MediatorConfig) -> MediatorBuilder,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let pattern = format!("^/{name}(/.*)?$");
        let mut channel = ChannelDefinition::http(name, pattern, [Method::Get, Method::Post])
            .route(Route::http(name, "127.0.0.1", port).primary());
        channel.auth_type = Some(ChannelAuthentication::Public);
        channel.request_body = Some(true);
        channel.response_body = Some(true);
        let config = MediatorConfig::builder(urn(name), "1.0.0", name)
            .endpoint(Endpoint::http(name, "127.0.0.1", port).primary())
            .default_channel(channel);
        let config = configure(config, port).build().unwrap();
        let mediator = Mediator::builder(config.clone())
            .openhim(openhim)
            .heartbeat_period(Duration::from_millis(200));
        let mediator = build(mediator, &config).build().unwrap();
        let (shutdown, asked) = oneshot::channel::<()>();
        let stopped = tokio::spawn(async move {
            let asked = async {
                // Dropped with the test, which is as good.
                let _ = asked.await;
            };
            mediator.run_on(listener, asked).await.unwrap()
        });
        Self {
            name,
            port,
            shutdown,
            stopped,
        }
    }

    /// A mediator that only has routes.
    pub(crate) async fn with_routes(name: &'static str, openhim: OpenHim, router: Router) -> Self {
        Self::start(
            name,
            openhim,
            |config, _| config,
            |mediator, _| mediator.router(router),
        )
        .await
    }

    /// Waits until core knows the mediator and has heard of it, and its channel is there.
    pub(crate) async fn is_up(&self, core: &RealOpenHimCore) {
        let path = format!("/mediators/{}", urn(self.name));
        eventually("the mediator's heartbeat", || async {
            let known = core.api("GET", &path, None).await;
            known.body["_lastHeartbeat"].is_string()
        })
        .await;
        eventually("the mediator's channel", || async {
            channel(core, self.name).await.is_some()
        })
        .await;
    }

    /// Lets it finish what is running, and ends it.
    pub(crate) async fn stop(self) -> MediatorStopped {
        self.shutdown.send(()).unwrap();
        self.stopped.await.unwrap()
    }
}

pub(crate) fn urn(name: &str) -> String {
    format!("urn:mediator:{name}")
}

/// Core's document of a channel.
pub(crate) async fn channel(core: &RealOpenHimCore, name: &str) -> Option<serde_json::Value> {
    let channels = core.api("GET", "/channels", None).await.body;
    let mut channels = channels.as_array().unwrap().iter();
    channels.find(|channel| channel["name"] == name).cloned()
}

/// What a client gets through core, and the id of its transaction.
pub(crate) struct Routed {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) transaction: String,
}

/// Sends `GET path` to core's router.
pub(crate) async fn routed(core: &RealOpenHimCore, path: &str) -> Routed {
    let url = format!("{}{path}", core.router_url());
    let response = reqwest::get(url).await.unwrap();
    let id = response.headers()["X-OpenHIM-TransactionID"]
        .to_str()
        .unwrap();
    Routed {
        transaction: id.to_owned(),
        status: response.status().as_u16(),
        body: response.text().await.unwrap(),
    }
}

/// A back end that answers `/well` with 200, `/bad` with 500 and `/unknown` with 404; its port.
pub(crate) async fn back_end() -> u16 {
    let router = Router::new()
        .route("/well", get(async || "as it should be"))
        .route(
            "/bad",
            get(async || (StatusCode::INTERNAL_SERVER_ERROR, "out of order")),
        )
        .route("/unknown", get(async || StatusCode::NOT_FOUND));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    port
}
