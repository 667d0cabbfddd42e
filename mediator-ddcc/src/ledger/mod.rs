//! The ledger: nothing lost, nothing twice.
//!
//! An accepted event is here before any side effect, and here until its certificate is stored.
//! Several processes may share a ledger: each event is in work with one of them at a time, and
//! another one takes it over when that one ends or gives it back.

mod error;
pub mod postgresql;
pub mod sqlite;
mod stored_event;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use chrono::{DateTime, Utc};
use uuid::Uuid;

pub use error::LedgerError;

/// What makes two submissions the same event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventKey(pub String);

/// State of an event in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum EventState {
    /// Accepted, not issued yet, and no other process works on it.
    Accepted,
    /// Another process is issuing it.
    InWorkElsewhere,
    /// Issued: the DDCC document's id in the repository.
    Issued {
        /// Id of the document Bundle.
        document_id: String,
    },
}

/// An event as the ledger knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The ledger's own id: the seed of every id made for this event, so that repeating is safe.
    pub id: Uuid,
    /// Identity of the event.
    pub key: EventKey,
    /// SHA-256 of the canonical request, lower-case hex.
    pub content_hash: String,
    /// What was accepted, as it was given; empty once the event is issued.
    pub request: String,
    /// When it was accepted, RFC 3339. Certificates are dated with this, so that repeating is safe.
    pub accepted_at: DateTime<Utc>,
    /// How far it is.
    pub state: EventState,
}

/// Durable record of accepted events.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records the event, or returns the one recorded earlier under the same key. The boolean
    /// tells whether it is new. Durable when this returns. `request` is a text that is given back
    /// as it is while the event is not issued. The event is this process's to issue, unless it has
    /// other content or its state says otherwise.
    ///
    /// # Errors
    /// [`LedgerError`]; the event is not accepted then.
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &str,
    ) -> Result<(Event, bool), LedgerError>;

    /// Marks the event as issued. Idempotent.
    ///
    /// # Errors
    /// [`LedgerError`]; repeat it.
    async fn issued(&self, id: Uuid, document_id: &str) -> Result<(), LedgerError>;

    /// Forgets an event that was refused for its content, so that nothing is stored for it.
    ///
    /// # Errors
    /// [`LedgerError`]; repeat it.
    async fn refused(&self, id: Uuid) -> Result<(), LedgerError>;

    /// Gives an event back that could not be issued now: any process may claim it.
    ///
    /// # Errors
    /// [`LedgerError`]. It stays with this process then, which may claim it again.
    async fn released(&self, id: Uuid) -> Result<(), LedgerError>;

    /// Makes events this process's to issue that were accepted and are not issued, oldest first:
    /// what a crash interrupted, what was given back, and what this process has in work already.
    /// With `after`, only those that come after that one, so that what fails again is not claimed
    /// again and again.
    ///
    /// # Errors
    /// [`LedgerError`].
    async fn claim(&self, after: Option<&Event>, limit: u32) -> Result<Vec<Event>, LedgerError>;

    /// Events accepted but not issued, whoever works on them, oldest first.
    ///
    /// # Errors
    /// [`LedgerError`].
    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError>;
}

fn key_hash(key: &EventKey) -> String {
    digest(&SHA256, key.0.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Milliseconds: what is stored and what is returned at once are the same.
fn now() -> DateTime<Utc> {
    let now = Utc::now();
    DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap_or(now)
}
