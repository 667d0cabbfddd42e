use chrono::{DateTime, Utc};

use crate::openhim::OpenHimError;

/// How it stands between a mediator and core.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeartbeatState {
    /// When core last took a heartbeat.
    pub last_success: Option<DateTime<Utc>>,
    /// Why it did not take the last one, or why the mediator is not registered yet.
    pub failure: Option<OpenHimError>,
    /// How many in a row it has not taken.
    pub missed: u64,
}

impl HeartbeatState {
    /// Whether core took the last heartbeat.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.last_success.is_some() && self.failure.is_none()
    }

    /// For [`Server::ready_check`](crate::server::Server::ready_check).
    ///
    /// # Errors
    /// What an operator must know when core did not take the last heartbeat.
    pub fn check(&self) -> Result<(), String> {
        match &self.failure {
            Some(error) => Err(error.to_string()),
            None if self.last_success.is_none() => Err("no heartbeat was sent yet".to_owned()),
            None => Ok(()),
        }
    }

    pub(super) fn succeeded(&mut self, urn: &str) {
        metrics::counter!("openhim_heartbeats_total", "outcome" => "taken").increment(1);
        metrics::gauge!("openhim_connected").set(1.0);
        if self.missed > 0 {
            tracing::info!(urn, missed = self.missed, "OpenHIM takes heartbeats again");
        } else if self.last_success.is_none() {
            tracing::info!(urn, "OpenHIM takes heartbeats");
        }
        *self = Self {
            last_success: Some(Utc::now()),
            failure: None,
            missed: 0,
        };
    }

    /// Registering says so in the log itself.
    pub(super) fn is_not_registered(&mut self, error: &OpenHimError) {
        metrics::gauge!("openhim_connected").set(0.0);
        self.failure = Some(error.clone());
    }

    pub(super) fn failed(&mut self, urn: &str, error: &OpenHimError) {
        metrics::counter!("openhim_heartbeats_total", "outcome" => "missed").increment(1);
        metrics::gauge!("openhim_connected").set(0.0);
        if self.failure.as_ref() == Some(error) {
            tracing::debug!(urn, %error, "OpenHIM still takes no heartbeat");
        } else if error.is_transient() {
            tracing::warn!(urn, %error, "OpenHIM takes no heartbeat; trying on");
        } else {
            tracing::error!(urn, %error, "OpenHIM takes no heartbeat; trying on");
        }
        self.failure = Some(error.clone());
        self.missed += 1;
    }
}
