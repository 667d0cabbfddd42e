use chrono::{DateTime, Utc};
use uuid::Uuid;

/// An event as ledgers store it, to be stored as it is in another one.
#[derive(Debug, Clone)]
pub(super) struct StoredEvent {
    pub(super) id: Uuid,
    pub(super) key_hash: String,
    pub(super) content_hash: String,
    pub(super) request: Option<String>,
    pub(super) accepted_at: DateTime<Utc>,
    pub(super) document_id: Option<String>,
}
