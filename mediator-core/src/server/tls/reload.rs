use std::convert::Infallible;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::task::{JoinError, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use super::Tls;
use super::identity::Files;
use super::mistake::{TlsError, TlsMistake};
use super::settings::TlsSettings;

/// Keeps [`Tls`] as its files are.
pub(in super::super) struct Reload {
    tls: Tls,
    settings: TlsSettings,
    /// Of the files as they are served, or as they were found to be wrong.
    digest: Vec<u8>,
    /// Of files that are wrong, and maybe only half written.
    suspect: Option<Vec<u8>>,
    warned: Option<DateTime<Utc>>,
}

impl TlsSettings {
    /// Reads the files, as a server does when it starts. Blocks for as long as that takes.
    ///
    /// # Errors
    /// Every mistake in them.
    pub fn check(&self) -> Result<(), TlsError> {
        Files::read(self).identity(self).map(drop)
    }

    pub(in super::super) async fn start(&self) -> Result<(Tls, Reload), TlsError> {
        let settings = self.clone();
        let (digest, identity) = spawn_blocking(move || {
            let files = Files::read(&settings);
            (files.digest(), files.identity(&settings))
        })
        .await
        .map_err(gave_up)?;
        let tls = Tls::new(identity?, self);
        let reload = Reload {
            tls: tls.clone(),
            settings: self.clone(),
            digest,
            suspect: None,
            warned: None,
        };
        Ok((tls, reload))
    }
}

impl Reload {
    /// Looks at the files from time to time, and at SIGHUP.
    pub(in super::super) async fn run(mut self) -> Infallible {
        let mut hang_up = HangUp::new();
        let every = self.settings.reload_interval.max(Duration::from_millis(1));
        let mut interval = interval_at(Instant::now() + every, every);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.report_expiry();
        loop {
            let is_asked = tokio::select! {
                _ = interval.tick() => false,
                () = hang_up.received() => true,
            };
            if is_asked {
                tracing::info!("SIGHUP: the TLS files are read again");
            }
            self.look(is_asked).await;
            self.report_expiry();
        }
    }

    /// What is wrong is said when it was asked for, or is still there at the next look: two files
    /// are seldom written at once.
    async fn look(&mut self, is_asked: bool) {
        let (settings, known) = (self.settings.clone(), self.digest.clone());
        let changed = spawn_blocking(move || {
            let files = Files::read(&settings);
            let digest = files.digest();
            (digest != known).then(|| (digest, files.identity(&settings)))
        })
        .await;
        let read = match changed {
            Ok(None) => {
                self.suspect = None;
                return;
            }
            Ok(Some((digest, Err(_)))) if !is_asked && self.suspect.as_ref() != Some(&digest) => {
                self.suspect = Some(digest);
                return;
            }
            Ok(Some((digest, read))) => {
                self.digest = digest;
                read
            }
            Err(error) => Err(gave_up(error)),
        };
        let result = match read {
            Ok(identity) => {
                tracing::info!(
                    file = %self.settings.certificate_chain.display(),
                    ends = %identity.ends,
                    "new connections get a new certificate"
                );
                self.tls.replace(identity);
                self.warned = None;
                "succeeded"
            }
            Err(error) => {
                tracing::error!(
                    %error,
                    "the TLS files have changed and cannot be used; the certificate from before is kept"
                );
                "failed"
            }
        };
        metrics::counter!("tls_reloads_total", "result" => result).increment(1);
    }

    fn report_expiry(&mut self) {
        let ends = self.tls.identity().ends;
        metrics::gauge!("tls_certificate_expiry_timestamp_seconds").set(ends.timestamp() as f64);
        let now = Utc::now();
        let warning = TimeDelta::from_std(self.settings.expiry_warning).unwrap_or(TimeDelta::MAX);
        let was_said = self.warned.is_some_and(|at| now - at < TimeDelta::days(1));
        if ends - now > warning || was_said {
            return;
        }
        self.warned = Some(now);
        let file = self.settings.certificate_chain.display();
        if ends < now {
            tracing::error!(%file, %ends, "the server's certificate has ended; renew it");
        } else {
            tracing::warn!(%file, %ends, "the server's certificate ends soon; renew it");
        }
    }
}

fn gave_up(error: JoinError) -> TlsError {
    TlsError(vec![TlsMistake::Refused(error.to_string())])
}

/// SIGHUP, where there is one.
struct HangUp {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl HangUp {
    #[cfg(unix)]
    fn new() -> Self {
        let kind = tokio::signal::unix::SignalKind::hangup();
        let signal = tokio::signal::unix::signal(kind)
            .inspect_err(|error| tracing::warn!(%error, "SIGHUP cannot be waited for"))
            .ok();
        Self { signal }
    }

    #[cfg(not(unix))]
    fn new() -> Self {
        Self {}
    }

    async fn received(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending().await
    }
}
