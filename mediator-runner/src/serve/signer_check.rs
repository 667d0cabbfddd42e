//! Whether certificates could be signed now.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mediator_ddcc::signing::Signer;
use tokio::sync::Mutex;
use tokio::time::Instant;

/// Probes of a cluster come often and from everywhere; a key store need not sign for each of them.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// What is signed: nothing that anybody could take for a certificate or a document.
const PROBE: &[u8] = b"mediator-runner: is the signer ready?";

const EXPIRY: &str = "signing_certificate_expiry_timestamp_seconds";

/// How often the metric follows a rotation.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Signs from time to time, to see whether that works.
#[derive(Clone)]
pub(super) struct SignerCheck {
    signer: Arc<dyn Signer>,
    signed_at: Arc<Mutex<Option<Instant>>>,
}

impl SignerCheck {
    pub(super) fn new(signer: Arc<dyn Signer>) -> Self {
        Self {
            signer,
            signed_at: Arc::default(),
        }
    }

    /// # Errors
    /// Why nothing can be signed. It is tried again when the next one asks.
    pub(super) async fn ready(&self) -> Result<(), String> {
        let identity = self.signer.identity();
        if !identity.certificate.is_valid_at(Utc::now()) {
            let text = "the document signing certificate is not valid now; configure its successor";
            return Err(text.to_owned());
        }
        // Who asks at the same time waits for the same signature.
        let mut signed_at = self.signed_at.lock().await;
        if signed_at.is_some_and(|at| at.elapsed() < GOOD_FOR) {
            return Ok(());
        }
        *signed_at = None;
        let signature = self.signer.sign(&identity, PROBE).await;
        let signature = signature.map_err(|error| error.to_string())?;
        let key = identity.certificate.public_key();
        if key.is_some_and(|key| !key.verify(PROBE, &signature)) {
            return Err("what the key signs, its certificate does not verify".to_owned());
        }
        *signed_at = Some(Instant::now());
        Ok(())
    }
}

/// Tells in the metrics when the certificate ends that signs now.
pub(super) fn follow_expiry(signer: Arc<dyn Signer>) {
    metrics::describe_gauge!(
        EXPIRY,
        metrics::Unit::Seconds,
        "When the document signing certificate ends that signs now, in seconds since 1970"
    );
    tokio::spawn(async move {
        loop {
            let ends: DateTime<Utc> = signer.identity().certificate.not_after();
            metrics::gauge!(EXPIRY).set(ends.timestamp() as f64);
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
}
