//! TLS by rustls, with files that may change while the server runs.

mod begun;
mod client_certificate;
mod distinguished_name;
mod identity;
mod mistake;
mod reload;
mod settings;

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

pub use client_certificate::{ClientCertificate, SubjectAlternativeName};
pub use mistake::{TlsError, TlsMistake};
pub use settings::{ClientCertificates, TlsSettings, TlsVersion};

use begun::Begun;
use identity::Identity;

/// TLS as connections begin with it now.
#[derive(Clone)]
pub(super) struct Tls {
    identity: Arc<RwLock<Identity>>,
    handshake_timeout: Duration,
}

impl Tls {
    fn new(identity: Identity, settings: &TlsSettings) -> Self {
        Self {
            identity: Arc::new(RwLock::new(identity)),
            handshake_timeout: settings.handshake_timeout,
        }
    }

    /// The client's certificate beside the connection, if it showed one. `None` when the handshake
    /// failed, which is counted and logged here: on an open port that happens all the time.
    pub(super) async fn handshake<Io>(
        &self,
        io: Io,
    ) -> Option<(TlsStream<Begun<Io>>, Option<ClientCertificate>)>
    where
        Io: AsyncRead + AsyncWrite + Unpin,
    {
        let config = Arc::clone(&self.identity().config);
        let accepted = async {
            let begun = Begun::with_tls(io).await?;
            TlsAcceptor::from(config).accept(begun).await
        };
        let (result, shaken) = match timeout(self.handshake_timeout, accepted).await {
            Err(_) => {
                tracing::debug!("a TLS handshake took too long");
                ("timed out", None)
            }
            Ok(accepted) => match accepted.and_then(with_client_certificate) {
                Ok(shaken) => ("succeeded", Some(shaken)),
                Err(error) => {
                    tracing::debug!(%error, "a TLS handshake failed");
                    ("failed", None)
                }
            },
        };
        metrics::counter!("tls_handshakes_total", "result" => result).increment(1);
        shaken
    }

    fn identity(&self) -> Identity {
        self.identity
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn replace(&self, identity: Identity) {
        *self
            .identity
            .write()
            .unwrap_or_else(PoisonError::into_inner) = identity;
    }
}

fn with_client_certificate<Io>(
    stream: TlsStream<Io>,
) -> io::Result<(TlsStream<Io>, Option<ClientCertificate>)> {
    let shown = stream.get_ref().1.peer_certificates();
    let certificate = shown
        .and_then(|chain| chain.first())
        .map(|der| ClientCertificate::parse(der))
        .transpose()
        .map_err(|reason| io::Error::new(io::ErrorKind::InvalidData, reason))?;
    Ok((stream, certificate))
}

pub(super) fn describe_metrics() {
    metrics::describe_counter!(
        "tls_handshakes_total",
        "TLS handshakes, by result: succeeded, failed, timed out"
    );
    metrics::describe_gauge!(
        "tls_certificate_expiry_timestamp_seconds",
        metrics::Unit::Seconds,
        "When the server's certificate ends, in seconds since 1970"
    );
    metrics::describe_counter!(
        "tls_reloads_total",
        "Times that changed certificate files were read, by result: succeeded, failed"
    );
}
