//! The ledger: nothing lost, nothing twice.
//!
//! An accepted event is here before any side effect, and here until its certificate is stored.

pub mod sqlite;

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

/// What makes two submissions the same event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EventKey(pub String);

/// State of an event in the ledger.
#[derive(Debug, Clone, PartialEq)]
pub enum EventState {
    /// Accepted, not issued yet: by another worker, or left by a crash.
    Accepted,
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
    /// The QuestionnaireResponse.
    pub request: Value,
    /// When it was accepted, RFC 3339. Certificates are dated with this, so that repeating is safe.
    pub accepted_at: chrono::DateTime<chrono::Utc>,
    /// How far it is.
    pub state: EventState,
}

/// Durable record of accepted events.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records the event, or returns the one recorded earlier under the same key. The boolean
    /// tells whether it is new. Durable when this returns.
    ///
    /// # Errors
    /// [`LedgerError`]; the event is not accepted then.
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &Value,
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

    /// Events accepted but not issued, oldest first: what a crash interrupted.
    ///
    /// # Errors
    /// [`LedgerError`].
    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError>;
}

/// Why the ledger did not record.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The store failed: safe to repeat.
    #[error("the ledger is unavailable: {0}; check the free space and permissions of its database")]
    Unavailable(String),
}

impl From<LedgerError> for OperationOutcome {
    fn from(error: LedgerError) -> Self {
        Self::new(503, Issue::general(IssueType::Transient, error.to_string()))
    }
}
