use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

use super::connection::Request;
use super::signature_request::SignatureRequest;
use super::{VaultClient, VaultError};
use crate::signing::Algorithm;

/// Calls that Vault works on at a time. What comes while they are under way is one call more.
const CALLS: usize = 4;
/// Signatures of one call. Vault makes a hundred in some milliseconds.
const BATCH: usize = 64;

/// Signatures that wait for Vault. One that comes alone is asked for at once; those that come
/// together, or while calls are under way, are asked for together.
#[derive(Debug)]
pub(super) struct SigningQueue {
    sender: mpsc::Sender<Waiting>,
    maximum_waiting: usize,
    wait: Duration,
}

/// Which key signs.
#[derive(Debug, Clone)]
pub(super) struct TransitKey {
    pub(super) client: VaultClient,
    /// `transit/keys/document-signer`.
    pub(super) path: String,
    /// `transit/sign/document-signer`.
    pub(super) sign_path: String,
}

/// One signature to be made.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) version: u32,
    pub(super) algorithm: Algorithm,
    /// SHA-256 of the message.
    pub(super) hash: [u8; 32],
    pub(super) correlation_id: String,
}

struct Waiting {
    wanted: Wanted,
    reply: oneshot::Sender<Result<Vec<u8>, VaultError>>,
}

impl SigningQueue {
    /// Works in a task of the current runtime, which ends with the queue.
    pub(super) fn start(key: TransitKey, maximum_waiting: usize, wait: Duration) -> Self {
        let maximum_waiting = maximum_waiting.max(1);
        let (sender, receiver) = mpsc::channel(maximum_waiting);
        tokio::spawn(work(key, wait, receiver));
        Self {
            sender,
            maximum_waiting,
            wait,
        }
    }

    /// Where what is wanted comes to be signed.
    pub(super) async fn sign(&self, wanted: Wanted) -> Result<Vec<u8>, VaultError> {
        let (reply, answer) = oneshot::channel();
        self.sender
            .try_send(Waiting { wanted, reply })
            .map_err(|_| VaultError::Busy {
                waiting: self.maximum_waiting,
            })?;
        match timeout(self.wait, answer).await {
            Ok(Ok(signed)) => signed,
            _ => Err(VaultError::TooSlow {
                seconds: self.wait.as_secs(),
            }),
        }
    }
}

async fn work(key: TransitKey, wait: Duration, mut queue: mpsc::Receiver<Waiting>) {
    let key = Arc::new(key);
    let calls = Arc::new(Semaphore::new(CALLS));
    loop {
        let Ok(permit) = Arc::clone(&calls).acquire_owned().await else {
            return;
        };
        let Some(first) = queue.recv().await else {
            return;
        };
        // The signatures of one certificate are asked for one right after the other.
        tokio::task::yield_now().await;
        let mut batches: BTreeMap<u32, Vec<Waiting>> = BTreeMap::new();
        batches.entry(first.wanted.version).or_default().push(first);
        for _ in 1..BATCH {
            let Ok(next) = queue.try_recv() else { break };
            batches.entry(next.wanted.version).or_default().push(next);
        }
        let key = Arc::clone(&key);
        tokio::spawn(async move {
            for batch in batches.into_values() {
                key.sign(batch, wait).await;
            }
            drop(permit);
        });
    }
}

impl TransitKey {
    /// Signs what is still waited for, all of one version.
    async fn sign(&self, mut batch: Vec<Waiting>, wait: Duration) {
        batch.retain(|waiting| !waiting.reply.is_closed());
        let Some(first) = batch.first() else {
            return;
        };
        let asked = SignatureRequest {
            key_path: &self.path,
            version: first.wanted.version,
            algorithm: first.wanted.algorithm,
            items: batch
                .iter()
                .map(|waiting| {
                    let wanted = &waiting.wanted;
                    (wanted.hash, wanted.correlation_id.as_str())
                })
                .collect(),
        };
        let mut ids: Vec<&str> = asked.items.iter().map(|(_, id)| *id).collect();
        ids.dedup();
        let mut request = Request::post("Sign", &self.sign_path, asked.body());
        request.correlation_ids = Some(ids.join(","));
        request.safe_to_repeat = true;
        request.timeout = Some(wait);
        let signed = match self.client.answer(&request, "update").await {
            Ok(answer) if answer.status == http::StatusCode::SERVICE_UNAVAILABLE => {
                match answer.success(&self.sign_path) {
                    Ok(_) => Vec::new(),
                    Err(error) => asked.items.iter().map(|_| Err(error.clone())).collect(),
                }
            }
            Ok(answer) => asked.signatures(answer.status.as_u16(), &answer.body),
            Err(error) => asked.items.iter().map(|_| Err(error.clone())).collect(),
        };
        for (waiting, signed) in batch.into_iter().zip(signed) {
            // Who does not wait any more needs no signature.
            let _ = waiting.reply.send(signed);
        }
    }
}
