//! Telling OpenHIM core, every few seconds, that a mediator is alive.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # use mediator_core::{heartbeat::Heartbeat, mediator_config::MediatorConfig, openhim::OpenHim};
//! # async fn example(openhim: OpenHim, config: MediatorConfig) {
//! let heartbeat = Heartbeat::new(openhim, Arc::new(config)).install_default_channels();
//! let mut state = heartbeat.state();
//! tokio::spawn(async move { heartbeat.run(mediator_core::server::shutdown_signal()).await });
//! while state.changed().await.is_ok() {
//!     println!("connected with OpenHIM: {}", state.borrow().is_connected());
//! }
//! # }
//! ```

mod core_uptime;
mod state;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};

pub use state::HeartbeatState;

use crate::default_channels::install_default_channels;
use crate::mediator_config::MediatorConfig;
use crate::openhim::{ConfigurationWanted, OpenHim, OpenHimError};
use crate::pushed_configuration::{Applied, Apply, PushedConfiguration};
use crate::registration::{self, Registered, register};

use core_uptime::CoreUptime;

/// How often a mediator tells that it is alive, unless told otherwise. Core shows it as down after
/// 60 s.
pub const PERIOD: Duration = Duration::from_secs(10);

/// The heartbeat of one mediator.
pub struct Heartbeat {
    openhim: OpenHim,
    mediator: Arc<MediatorConfig>,
    period: Duration,
    started: Instant,
    configuration: Option<Arc<dyn Apply>>,
    /// Default channels are still to be installed.
    channels_due: AtomicBool,
    install_channels: bool,
    core_uptime: CoreUptime,
    state: watch::Sender<HeartbeatState>,
}

/// What came of a heartbeat that core took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beat {
    /// Core had forgotten the mediator, which was registered again.
    pub registered: Option<Registered>,
    /// Core was started again since the last heartbeat.
    pub core_restarted: bool,
    /// What became of the configuration that core sent, if it sent one.
    pub configuration: Option<Applied>,
}

impl Heartbeat {
    /// A heartbeat every ten seconds, for a mediator that is running from now on.
    #[must_use]
    pub fn new(openhim: OpenHim, mediator: Arc<MediatorConfig>) -> Self {
        Self {
            openhim,
            mediator,
            period: PERIOD,
            started: Instant::now(),
            configuration: None,
            channels_due: AtomicBool::new(false),
            install_channels: false,
            core_uptime: CoreUptime::default(),
            state: watch::Sender::default(),
        }
    }

    /// Sets how often; less than a minute, or core shows the mediator as down.
    #[must_use]
    pub fn period(mut self, period: Duration) -> Self {
        self.period = period;
        self
    }

    /// Hands over the configuration that core sends.
    #[must_use]
    pub fn configuration<T>(mut self, configuration: &PushedConfiguration<T>) -> Self
    where
        T: serde::de::DeserializeOwned + Send + Sync + 'static,
    {
        self.configuration = Some(configuration.applier());
        self
    }

    /// Installs missing default channels with the first heartbeat, and again whenever core has
    /// forgotten the mediator.
    #[must_use]
    pub fn install_default_channels(mut self) -> Self {
        self.install_channels = true;
        self.channels_due = AtomicBool::new(true);
        self
    }

    /// How it stands with core, now and later: for a ready check, or for metrics.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<HeartbeatState> {
        self.state.subscribe()
    }

    /// Registers the mediator as [`registration::register_until_done`] does, with what goes wrong
    /// in the state.
    ///
    /// # Errors
    /// As [`registration::register_until_done`].
    pub async fn register_until_done(&self) -> Result<Registered, OpenHimError> {
        registration::register_until_done_telling(&self.openhim, &self.mediator, |error| {
            self.state
                .send_modify(|state| state.is_not_registered(error));
        })
        .await
    }

    /// Sends heartbeats until `shutdown` completes. What goes wrong is logged when it begins, when
    /// it changes, and when it ends.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let mut ticks = tokio::time::interval(self.period);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        tokio::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => return,
                _ = ticks.tick() => {}
            }
            tokio::select! {
                () = &mut shutdown => return,
                // The outcome is in the state and the log.
                _ = self.heartbeat_once() => {}
            }
        }
    }

    /// Sends one heartbeat, and does what core's answer asks for: registers again, applies a
    /// configuration, installs default channels.
    ///
    /// # Errors
    /// Core cannot be reached or refuses; or, when it had forgotten the mediator, as [`register`].
    pub async fn heartbeat_once(&self) -> Result<Beat, OpenHimError> {
        let outcome = self.beat().await;
        let urn = self.mediator.urn();
        self.state.send_modify(|state| match &outcome {
            Ok(_) => state.succeeded(urn),
            Err(error) => state.failed(urn, error),
        });
        outcome
    }

    async fn beat(&self) -> Result<Beat, OpenHimError> {
        let mut registered = None;
        let configuration = match self.send().await {
            Err(OpenHimError::UnknownMediator { .. }) => {
                tracing::warn!(
                    urn = self.mediator.urn(),
                    "OpenHIM has forgotten the mediator; registering it again"
                );
                registered = Some(register(&self.openhim, &self.mediator).await?);
                self.channels_due
                    .fetch_or(self.install_channels, Ordering::Relaxed);
                self.send().await?
            }
            other => other?,
        };
        let configuration = self.apply(configuration);
        let core_restarted = self.core_restarted().await;
        if self.channels_due.load(Ordering::Relaxed) {
            self.install_missing_channels().await;
        }
        Ok(Beat {
            registered,
            core_restarted,
            configuration,
        })
    }

    async fn send(&self) -> Result<Option<Map<String, Value>>, OpenHimError> {
        // Core tells of a change once only, to whichever replica asks first, even when the answer
        // is lost: so it is asked for all of it every time, and what is new is found out here.
        let wanted = match self.configuration {
            Some(_) => ConfigurationWanted::Always,
            None => ConfigurationWanted::WhenChanged,
        };
        self.openhim
            .mediator_heartbeat(self.mediator.urn(), self.started.elapsed(), wanted)
            .await
    }

    fn apply(&self, configuration: Option<Map<String, Value>>) -> Option<Applied> {
        let (apply, configuration) = (self.configuration.as_ref()?, configuration?);
        Some(apply.apply(configuration))
    }

    async fn core_restarted(&self) -> bool {
        let asked = Instant::now();
        // Core has just taken a heartbeat; not knowing its uptime is no failure.
        let Ok(core) = self.openhim.heartbeat().await else {
            return false;
        };
        let restarted = self
            .core_uptime
            .is_new_start(asked, Instant::now(), core.uptime);
        if restarted {
            tracing::info!(uptime = ?core.uptime, "OpenHIM core was started again");
        }
        restarted
    }

    async fn install_missing_channels(&self) {
        let installed = install_default_channels(&self.openhim, &self.mediator).await;
        let again = match &installed {
            Ok(_) => false,
            Err(error) => {
                tracing::error!(
                    urn = self.mediator.urn(),
                    %error,
                    "default channels are not installed"
                );
                error.is_transient()
            }
        };
        self.channels_due.store(again, Ordering::Relaxed);
    }
}

impl std::fmt::Debug for Heartbeat {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Heartbeat")
            .field("urn", &self.mediator.urn())
            .field("period", &self.period)
            .field("state", &*self.state.borrow())
            .finish_non_exhaustive()
    }
}
