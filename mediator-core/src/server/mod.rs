//! An HTTP server for any [`Router`]: HTTP/1.1 and HTTP/2, bounded in everything a client controls.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use mediator_core::server::{Server, ServerSettings, listen, shutdown_signal};
//!
//! # async fn example() -> Result<(), mediator_core::server::ServerError> {
//! let application = Router::new().route("/hello", get(|| async { "hello" }));
//! let listener = listen("127.0.0.1:8080".parse().unwrap()).await?;
//! Server::new(ServerSettings::default())
//!     .ready_check("database", || async { Ok(()) })
//!     .serve(application, listener, shutdown_signal())
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Beside the application's own routes it answers `GET /health/live`, `GET /health/ready` and
//! `GET /metrics` (Prometheus text format). These three are answered under overload too.

mod admission;
mod body;
mod connections;
mod deadline;
mod health;
mod in_flight;
mod observation;
mod prometheus;
mod refusal;
mod request_id;
mod settings;
mod signals;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::serve::{Listener, ListenerExt as _};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tower_http::catch_panic::CatchPanicLayer;

pub use body::RequestBody;
pub use deadline::RequestDeadline;
pub use in_flight::InFlight;
pub use refusal::Refusal;
pub use request_id::RequestId;
pub use settings::ServerSettings;
pub use signals::shutdown_signal;

use admission::Admission;
use health::ReadyChecks;
use observation::Observation;
pub(crate) use refusal::Refusals;

/// A server that is being put together; see the [module](self).
pub struct Server {
    settings: ServerSettings,
    ready_checks: ReadyChecks,
    refusals: Refusals,
}

/// How a server ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped {
    /// Requests that were still running when the grace period was over, and were given up.
    pub abandoned_requests: usize,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address}: {source}; is it in use, or not an address of this machine?"
    )]
    Listen {
        /// What was asked for.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// The process has a recorder for the `metrics` crate that is not this library's.
    #[error("metrics cannot be recorded: {0}; install no other recorder of the metrics crate")]
    Metrics(String),
}

/// Listens for TCP connections. Port 0 takes a free one; ask the listener for its `local_addr`.
///
/// # Errors
/// [`ServerError::Listen`] when the address is in use or not this machine's.
pub async fn listen(address: SocketAddr) -> Result<impl Listener<Addr = SocketAddr>, ServerError> {
    let listener = TcpListener::bind(address)
        .await
        .map_err(|source| ServerError::Listen { address, source })?;
    Ok(listener.tap_io(|stream| {
        // Answers are written whole; waiting for more to send only delays them.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY was not set");
        }
    }))
}

impl Server {
    /// A server with these limits, no ready checks and refusals in plain text.
    #[must_use]
    pub fn new(settings: ServerSettings) -> Self {
        Self {
            settings,
            ready_checks: ReadyChecks::default(),
            refusals: Refusals::default(),
        }
    }

    /// Adds a check to `GET /health/ready`: `Err` says, for operators, what is not ready. A check
    /// that takes longer than five seconds counts as failed.
    #[must_use]
    pub fn ready_check<C, F>(mut self, name: impl Into<String>, check: C) -> Self
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.ready_checks.add(name.into(), check);
        self
    }

    /// Answers everything the server refuses by itself (see [`Refusal`]) with this body and these
    /// headers. The status is always the refusal's.
    #[must_use]
    pub fn refusals(
        mut self,
        answer: impl Fn(&Refusal) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.refusals = Refusals::new(answer);
        self
    }

    /// Serves until `shutdown` completes, then finishes what is running, for
    /// [`ServerSettings::shutdown_grace`] at most.
    ///
    /// The application's own fallbacks are replaced by [`Refusal::NotFound`] and
    /// [`Refusal::MethodNotAllowed`].
    ///
    /// # Errors
    /// [`ServerError::Metrics`].
    pub async fn serve<L: Listener>(
        self,
        application: Router,
        listener: L,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<Stopped, ServerError> {
        let metrics = prometheus::recorder()?;
        let permits = Arc::new(Semaphore::new(self.settings.maximum_concurrent_requests));
        let router = self.router(application, &permits, metrics.clone());
        let upkeep = tokio::spawn(prometheus::upkeep(metrics));
        let stopped = connections::serve(listener, router, &self.settings, permits, shutdown).await;
        upkeep.abort();
        Ok(stopped)
    }

    fn router(
        &self,
        application: Router,
        permits: &Arc<Semaphore>,
        metrics: metrics_exporter_prometheus::PrometheusHandle,
    ) -> Router {
        let admission = Admission {
            permits: Arc::clone(permits),
            settings: self.settings.clone(),
            refusals: self.refusals.clone(),
        };
        let panicked = {
            let refusals = self.refusals.clone();
            move |_payload| refusals.answer(&Refusal::Panicked)
        };
        let not_allowed = |router: Router| {
            let refusals = self.refusals.clone();
            router.method_not_allowed_fallback(move || async move {
                refusals.answer(&Refusal::MethodNotAllowed)
            })
        };
        let not_found = {
            let refusals = self.refusals.clone();
            move || async move { refusals.answer(&Refusal::NotFound) }
        };
        let application = not_allowed(application)
            .fallback(not_found)
            .layer(DefaultBodyLimit::disable())
            .layer(axum::middleware::from_fn_with_state(
                Arc::new(admission),
                admission::admit,
            ))
            .layer(CatchPanicLayer::custom(panicked.clone()))
            .layer(axum::middleware::from_fn_with_state(
                Observation::Application,
                observation::observe,
            ));
        let operation = not_allowed(
            health::routes(self.ready_checks.clone()).merge(prometheus::routes(metrics)),
        )
        .layer(CatchPanicLayer::custom(panicked))
        .layer(axum::middleware::from_fn_with_state(
            Observation::Operation,
            observation::observe,
        ));
        application.merge(operation)
    }
}

impl std::fmt::Debug for Server {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Server")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
