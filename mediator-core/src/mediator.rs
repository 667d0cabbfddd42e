//! A mediator put together: routes, registration, heartbeat, jobs and server.
//!
//! ```no_run
//! use axum::{Router, routing::get};
//! use mediator_core::Mediator;
//! use mediator_core::mediator_config::MediatorConfig;
//! use mediator_core::openhim::{OpenHim, OpenHimSettings};
//! use mediator_core::transaction::Transaction;
//!
//! # #[tokio::main]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! async fn hello(transaction: Transaction) -> &'static str {
//!     transaction.property("greeting", "hello");
//!     "Hello, health information exchange"
//! }
//!
//! let config = MediatorConfig::from_file("mediatorConfig.json")?;
//! let openhim = OpenHim::new(&OpenHimSettings::new(
//!     "https://localhost:8080".parse()?,
//!     "root@openhim.org",
//!     std::env::var("OPENHIM_PASSWORD")?.into(),
//! ))?;
//! Mediator::builder(config)
//!     .openhim(openhim)
//!     .router(Router::new().route("/hello", get(hello)))
//!     .build()?
//!     .run()
//!     .await?;
//! # Ok(())
//! # }
//! ```

mod address;
mod builder;

use std::sync::Arc;

use axum::Router;
use axum::serve::Listener;
use tokio::sync::watch;

pub use builder::MediatorBuilder;

use crate::heartbeat::Heartbeat;
use crate::jobs::{Jobs, JobsError, JobsStopped};
use crate::mediator_config::MediatorConfig;
use crate::server::{Server, ServerError, Stopped, listen, shutdown_signal};

/// A mediator that is ready to run; see the [module](self).
#[derive(Debug)]
pub struct Mediator {
    config: Arc<MediatorConfig>,
    heartbeat: Option<Heartbeat>,
    router: Router,
    jobs: Jobs,
    server: Server,
}

/// How a mediator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediatorStopped {
    /// Requests that were still running when the grace period was over, and were given up.
    pub abandoned_requests: usize,
    /// Runs of jobs that were, likewise.
    pub abandoned_job_runs: usize,
}

/// Why a mediator does not run.
#[derive(Debug, thiserror::Error)]
pub enum MediatorError {
    /// Something is wrong with the jobs.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// The server does not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There is no address to listen on.
    #[error(
        "no endpoint of the mediator's configuration is of type http; add one, or use run_on with a listener"
    )]
    NoEndpoint,
}

impl Mediator {
    /// A mediator that tells OpenHIM this about itself.
    #[must_use]
    pub fn builder(config: MediatorConfig) -> MediatorBuilder {
        MediatorBuilder::new(config)
    }

    /// The jobs, to run them on demand and to see how they are doing.
    #[must_use]
    pub fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Runs until SIGTERM or Ctrl-C. It listens on the port of the configuration's primary
    /// endpoint: on loopback when that endpoint's host is `localhost` or a loopback address, else
    /// on every address.
    ///
    /// # Errors
    /// [`MediatorError`]; what goes wrong with OpenHIM is logged and tried again instead.
    pub async fn run(self) -> Result<MediatorStopped, MediatorError> {
        let address = address::of(&self.config).ok_or(MediatorError::NoEndpoint)?;
        let listener = listen(address).await?;
        tracing::info!(urn = self.config.urn(), %address, "serving");
        self.run_on(listener, shutdown_signal()).await
    }

    /// Runs on this listener until `shutdown` completes, then finishes what is running.
    ///
    /// # Errors
    /// [`MediatorError`]; what goes wrong with OpenHIM is logged and tried again instead.
    pub async fn run_on<L>(
        self,
        listener: L,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Result<MediatorStopped, MediatorError>
    where
        L: Listener,
        L::Addr: Clone + Sync + 'static,
    {
        let (ending, is_ending) = watch::channel(false);
        let ended = |mut is_ending: watch::Receiver<bool>| async move {
            // An error is the sender's end, and so this mediator's.
            let _ = is_ending.wait_for(|ending| *ending).await;
        };
        self.jobs.start().await?;
        let core = tokio::spawn(keep_registered(self.heartbeat, ended(is_ending.clone())));
        let jobs = self.jobs.clone();
        let shutdown_grace = self.server.settings().shutdown_grace;
        let serving = self.server.serve(self.router, listener, async {
            shutdown.await;
            ending.send_replace(true);
        });
        let jobs_stopped = {
            let ending = ended(is_ending);
            let grace = shutdown_grace;
            async move {
                ending.await;
                jobs.stop(grace).await
            }
        };
        let served = async {
            let served = serving.await;
            // It may never have begun.
            ending.send_replace(true);
            served
        };
        let (served, JobsStopped { abandoned_runs }) = tokio::join!(served, jobs_stopped);
        core.abort();
        let Stopped { abandoned_requests } = served?;
        Ok(MediatorStopped {
            abandoned_requests,
            abandoned_job_runs: abandoned_runs,
        })
    }
}

/// Registers with core and beats, until `ended`.
async fn keep_registered(heartbeat: Option<Heartbeat>, ended: impl Future<Output = ()> + Send) {
    let Some(heartbeat) = heartbeat else {
        return;
    };
    tokio::pin!(ended);
    tokio::select! {
        () = &mut ended => return,
        // What came of it is in the log. Even when core finds fault with this version, an earlier
        // one may be registered, whose heartbeat this is.
        _ = heartbeat.register_until_done() => {}
    }
    heartbeat.run(ended).await;
}
