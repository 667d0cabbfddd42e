use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::IntoResponse;
use axum::routing::Route;
use serde::de::DeserializeOwned;
use tower::{Layer, Service};

use super::{Mediator, MediatorError};
use crate::heartbeat::{self, Heartbeat};
use crate::jobs::{Job, JobLock, Jobs, JobsError};
use crate::mediator_config::MediatorConfig;
use crate::openhim::OpenHim;
use crate::pushed_configuration::PushedConfiguration;
use crate::server::{Server, ServerSettings};
use crate::transaction::{TransactionLayer, TransactionSettings};

/// A mediator that is being put together; see [`Mediator::builder`].
pub struct MediatorBuilder {
    config: MediatorConfig,
    openhim: Option<OpenHim>,
    heartbeat_period: Duration,
    receive_configuration: Option<ReceiveConfiguration>,
    router: Router,
    transactions: TransactionSettings,
    jobs: Vec<Job>,
    make_jobs: MakeJobs,
    layers: Vec<AddLayer>,
    server: Option<Server>,
}

type AddLayer = Box<dyn FnOnce(Router) -> Router + Send>;
type ReceiveConfiguration = Box<dyn FnOnce(Heartbeat) -> Heartbeat + Send>;
type MakeJobs = Box<dyn FnOnce(Vec<Job>) -> Result<Jobs, JobsError> + Send>;

impl MediatorBuilder {
    pub(super) fn new(config: MediatorConfig) -> Self {
        Self {
            transactions: TransactionSettings::new(config.urn()),
            config,
            openhim: None,
            heartbeat_period: heartbeat::PERIOD,
            receive_configuration: None,
            router: Router::new(),
            jobs: Vec::new(),
            make_jobs: Box::new(Jobs::new),
            layers: Vec::new(),
            server: None,
        }
    }

    /// Registers with this core, beats, and installs the configuration's default channels where
    /// they are missing. Without a core, the same routes are served and answer plainly.
    #[must_use]
    pub fn openhim(mut self, openhim: OpenHim) -> Self {
        self.openhim = Some(openhim);
        self
    }

    /// Sets how often the mediator beats; ten seconds otherwise.
    #[must_use]
    pub fn heartbeat_period(mut self, period: Duration) -> Self {
        self.heartbeat_period = period;
        self
    }

    /// Takes in what operators change in OpenHIM's console.
    #[must_use]
    pub fn configuration<T>(mut self, configuration: &PushedConfiguration<T>) -> Self
    where
        T: DeserializeOwned + Send + Sync + 'static,
    {
        let configuration = configuration.clone();
        self.receive_configuration = Some(Box::new(move |heartbeat| {
            heartbeat.configuration(&configuration)
        }));
        self
    }

    /// Adds routes, whose handlers may take a [`Transaction`](crate::transaction::Transaction).
    #[must_use]
    pub fn router(mut self, router: Router) -> Self {
        self.router = self.router.merge(router);
        self
    }

    /// Handles transactions like this instead.
    #[must_use]
    pub fn transactions(mut self, settings: TransactionSettings) -> Self {
        self.transactions = settings;
        self
    }

    /// Adds a job. A mediator with jobs also answers [`Jobs::routes`] and
    /// [`Jobs::polling_routes`].
    #[must_use]
    pub fn job(mut self, job: Job) -> Self {
        self.jobs.push(job);
        self
    }

    /// Lets one of several replicas run what is due.
    #[must_use]
    pub fn job_lock(mut self, lock: impl JobLock) -> Self {
        self.make_jobs = Box::new(move |jobs| Jobs::with_lock(jobs, lock));
        self
    }

    /// Puts this around every route, those of jobs and the transactions' handling included, but not
    /// around health and metrics; a later one around earlier ones. Such as an
    /// [`AuthenticationLayer`](crate::authentication::AuthenticationLayer).
    #[must_use]
    pub fn layer<L>(mut self, layer: L) -> Self
    where
        L: Layer<Route> + Clone + Send + Sync + 'static,
        L::Service: Service<Request> + Clone + Send + Sync + 'static,
        <L::Service as Service<Request>>::Response: IntoResponse + 'static,
        <L::Service as Service<Request>>::Error: Into<Infallible> + 'static,
        <L::Service as Service<Request>>::Future: Send + 'static,
    {
        self.layers
            .push(Box::new(move |router| router.layer(layer)));
        self
    }

    /// Serves with this server, for other limits, TLS, ready checks or refusals than the defaults.
    #[must_use]
    pub fn server(mut self, server: Server) -> Self {
        self.server = Some(server);
        self
    }

    /// The mediator.
    ///
    /// # Errors
    /// [`MediatorError::Jobs`] with everything that is wrong with the jobs.
    pub fn build(self) -> Result<Mediator, MediatorError> {
        let config = Arc::new(self.config);
        let has_jobs = !self.jobs.is_empty();
        let jobs = (self.make_jobs)(self.jobs)?;
        let mut layer = TransactionLayer::new(self.transactions);
        if let Some(openhim) = &self.openhim {
            layer = layer.completed_through(Arc::new(openhim.clone()));
        }
        let mut router = self.router;
        if has_jobs {
            router = router.merge(jobs.polling_routes());
        }
        router = router.layer(layer);
        if has_jobs {
            // Not a transaction's: OpenHIM has no business there.
            router = router.merge(jobs.routes());
        }
        for add_to in self.layers {
            router = add_to(router);
        }
        let heartbeat = self.openhim.map(|openhim| {
            let heartbeat = Heartbeat::new(openhim, Arc::clone(&config))
                .period(self.heartbeat_period)
                .install_default_channels();
            match self.receive_configuration {
                Some(receive) => receive(heartbeat),
                None => heartbeat,
            }
        });
        Ok(Mediator {
            config,
            heartbeat,
            router,
            jobs,
            server: self
                .server
                .unwrap_or_else(|| Server::new(ServerSettings::default())),
        })
    }
}

impl fmt::Debug for MediatorBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MediatorBuilder")
            .field("urn", &self.config.urn())
            .field("jobs", &self.jobs.len())
            .finish_non_exhaustive()
    }
}
