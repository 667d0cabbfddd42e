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
//! `GET /metrics` (Prometheus text format). These three are answered under overload too, and at
//! another address if [`Server::operation_listener`] says so.
//!
//! With [`Server::tls`] it speaks HTTPS. A handler learns who is asking through
//! [`ClientCertificate`] and, by address, through axum's `ConnectInfo<SocketAddr>`.

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
mod tls;

use std::any::Any;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::response::Response;
use axum::serve::{Listener, ListenerExt as _};
use futures::future::BoxFuture;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tower_http::catch_panic::CatchPanicLayer;

pub use body::RequestBody;
pub use deadline::RequestDeadline;
pub use in_flight::InFlight;
pub use refusal::Refusal;
pub use request_id::RequestId;
pub use settings::ServerSettings;
pub use signals::shutdown_signal;
pub use tls::{
    ClientCertificate, ClientCertificates, SubjectAlternativeName, TlsError, TlsMistake,
    TlsSettings, TlsVersion,
};

use admission::Admission;
pub(crate) use body::Arrival;
use health::ReadyChecks;
use observation::Observation;
pub(crate) use refusal::Refusals;

/// A server that is being put together; see the [module](self).
pub struct Server {
    settings: ServerSettings,
    ready_checks: ReadyChecks,
    refusals: Refusals,
    tls: Option<TlsSettings>,
    operation: Option<ServeOperation>,
}

/// Serves the operation routes until the receiver is told of the end.
type ServeOperation =
    Box<dyn FnOnce(Router, ServerSettings, oneshot::Receiver<()>) -> BoxFuture<'static, ()> + Send>;

/// How long a shutdown waits for a probe that is being answered, when the application has ended.
const OPERATION_GRACE: Duration = Duration::from_secs(1);

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
    /// The files that [`TlsSettings`] name cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Records metrics from now on, and not from the start of the server on: what is described and
/// counted before that is not lost.
///
/// # Errors
/// [`ServerError::Metrics`].
pub fn record_metrics() -> Result<(), ServerError> {
    prometheus::recorder().map(drop)
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
            tls: None,
            operation: None,
        }
    }

    /// Its limits.
    #[must_use]
    pub fn settings(&self) -> &ServerSettings {
        &self.settings
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

    /// Speaks TLS, and nothing else, at the application's address. Clients choose HTTP/2 or
    /// HTTP/1.1 by ALPN.
    #[must_use]
    pub fn tls(mut self, settings: TlsSettings) -> Self {
        self.tls = Some(settings);
        self
    }

    /// Answers health checks and metrics here, in plain HTTP, and no longer at the application's
    /// address: so that they are not for everyone. They are answered until the application has
    /// ended; while it is ending, it is not ready.
    #[must_use]
    pub fn operation_listener<L>(mut self, listener: L) -> Self
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
    {
        self.operation = Some(Box::new(move |router, settings, ended| {
            Box::pin(async move {
                let settings = ServerSettings {
                    shutdown_grace: settings.shutdown_grace.min(OPERATION_GRACE),
                    ..settings
                };
                // Operation routes take no permits.
                let permits = Arc::new(Semaphore::new(settings.maximum_concurrent_requests));
                let ended = async {
                    let _ = ended.await;
                };
                connections::serve(listener, router, &settings, None, permits, ended).await;
            })
        }));
        self
    }

    /// Serves until `shutdown` completes, then finishes what is running, for
    /// [`ServerSettings::shutdown_grace`] at most.
    ///
    /// The application's own fallbacks are replaced by [`Refusal::NotFound`] and
    /// [`Refusal::MethodNotAllowed`].
    ///
    /// # Errors
    /// [`ServerError::Metrics`] and [`ServerError::Tls`], both at once and never later.
    pub async fn serve<L>(
        mut self,
        application: Router,
        listener: L,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<Stopped, ServerError>
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
    {
        let metrics = prometheus::recorder()?;
        // What it holds ends when it is dropped.
        let mut background = JoinSet::new();
        let tls = match &self.tls {
            None => None,
            Some(settings) => {
                let (tls, reload) = settings.start().await?;
                background.spawn(reload.run());
                Some(tls)
            }
        };
        background.spawn(prometheus::upkeep(metrics.clone()));
        let permits = Arc::new(Semaphore::new(self.settings.maximum_concurrent_requests));
        let is_ending = Arc::new(AtomicBool::new(false));
        let shutdown = async {
            shutdown.await;
            is_ending.store(true, Ordering::Relaxed);
        };
        let operation = self.operation_routes(metrics, &is_ending);
        let application = self.application_routes(application, &permits);
        let settings = &self.settings;
        let Some(serve_operation) = self.operation.take() else {
            let router = application.merge(operation);
            return Ok(
                connections::serve(listener, router, settings, tls, permits, shutdown).await,
            );
        };
        let not_found = self.refusals.clone();
        let operation =
            operation.fallback(move || async move { not_found.answer(&Refusal::NotFound) });
        let (ended, is_ended) = oneshot::channel();
        let operating = serve_operation(operation, settings.clone(), is_ended);
        let serving = async {
            let stopped =
                connections::serve(listener, application, settings, tls, permits, shutdown).await;
            let _ = ended.send(());
            stopped
        };
        let (stopped, ()) = tokio::join!(serving, operating);
        Ok(stopped)
    }

    fn application_routes(&self, application: Router, permits: &Arc<Semaphore>) -> Router {
        let admission = Admission {
            permits: Arc::clone(permits),
            settings: self.settings.clone(),
            refusals: self.refusals.clone(),
        };
        let not_found = self.refusals.clone();
        self.refuse_methods(application)
            .fallback(move || async move { not_found.answer(&Refusal::NotFound) })
            .layer(DefaultBodyLimit::disable())
            .layer(axum::middleware::from_fn_with_state(
                Arc::new(admission),
                admission::admit,
            ))
            .layer(self.catch_panics())
            .layer(axum::middleware::from_fn_with_state(
                Observation::Application,
                observation::observe,
            ))
    }

    fn operation_routes(&self, metrics: PrometheusHandle, is_ending: &Arc<AtomicBool>) -> Router {
        let health = health::routes(self.ready_checks.clone(), Arc::clone(is_ending));
        self.refuse_methods(health.merge(prometheus::routes(metrics)))
            .layer(self.catch_panics())
            .layer(axum::middleware::from_fn_with_state(
                Observation::Operation,
                observation::observe,
            ))
    }

    fn refuse_methods(&self, router: Router) -> Router {
        let refusals = self.refusals.clone();
        router.method_not_allowed_fallback(move || async move {
            refusals.answer(&Refusal::MethodNotAllowed)
        })
    }

    fn catch_panics(
        &self,
    ) -> CatchPanicLayer<impl Fn(Box<dyn Any + Send>) -> Response + Clone + Send + 'static> {
        let refusals = self.refusals.clone();
        CatchPanicLayer::custom(move |_payload| refusals.answer(&Refusal::Panicked))
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
