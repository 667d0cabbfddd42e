use std::time::Duration;

use async_trait::async_trait;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::identity::TransactionId;
use super::recording::Outcome;
use crate::envelope::{
    ErrorDetails, Orchestration, RecordedResponse, Timestamp, TransactionStatus,
};

/// How long after an update it is looked whether core has kept it: core writes its own part of a
/// transaction at about the time when it has sent our answer on.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(500);

const FIRST_DELAY: Duration = Duration::from_millis(200);
const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// Attempts after which core is told although it seems not to have our answer yet.
const ATTEMPTS_FOR_THE_ANSWER: usize = 6;

/// Where OpenHIM keeps transactions: core's API, whose user needs the permission
/// `channel-manage-all`.
#[async_trait]
pub trait TransactionStore: Send + Sync {
    /// `GET /transactions/:id`, with `filterRepresentation=simpledetails`.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn transaction(&self, id: &TransactionId) -> Result<Value, StoreError>;

    /// `PUT /transactions/:id` with this body.
    ///
    /// # Errors
    /// [`StoreError`].
    async fn update_transaction(
        &self,
        id: &TransactionId,
        update: &Value,
    ) -> Result<(), StoreError>;
}

/// Why a transaction was not read or not updated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    message: String,
    is_transient: bool,
}

impl StoreError {
    /// What a later attempt can mend: core is down, or busy.
    #[must_use]
    pub fn transient(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_transient: true,
        }
    }

    /// What stays as it is: a wrong password, a missing permission, no such transaction.
    #[must_use]
    pub fn lasting(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            is_transient: false,
        }
    }
}

/// What core has to be told about a transaction after its answer.
#[derive(Debug)]
pub(super) struct Completion {
    pub(super) status: TransactionStatus,
    /// In the place of the answer that was given before.
    pub(super) response: Option<RecordedResponse>,
    pub(super) outcome: Outcome,
    pub(super) error: Option<ErrorDetails>,
}

/// Tells core until it knows, or `time` is over.
///
/// Core writes the status, the answer and its own orchestration of a transaction shortly after it
/// has our answer, over what is there; so this waits for them, adds only what is missing, and
/// looks afterwards whether it is still there. Attempts can be repeated without doing anything
/// twice.
pub(super) async fn deliver(
    store: &dyn TransactionStore,
    id: &TransactionId,
    completion: &Completion,
    time: Duration,
) -> Result<(), StoreError> {
    let backoff = ExponentialBuilder::new()
        .with_min_delay(FIRST_DELAY)
        .with_max_delay(LONGEST_DELAY)
        .with_jitter()
        .with_total_delay(Some(time))
        .without_max_times();
    let begun = Instant::now();
    let mut delays = backoff.build();
    for attempt in 1.. {
        let must_be_answered = attempt <= ATTEMPTS_FOR_THE_ANSWER;
        let error = match try_once(store, id, completion, must_be_answered).await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let delay = delays
            .next()
            .filter(|delay| begun.elapsed() + *delay < time);
        let Some(delay) = delay.filter(|_| error.is_transient) else {
            return Err(error);
        };
        tracing::debug!(transaction = %id, %error, ?delay, "core will be told again");
        tokio::time::sleep(delay).await;
    }
    Ok(())
}

async fn try_once(
    store: &dyn TransactionStore,
    id: &TransactionId,
    completion: &Completion,
    must_be_answered: bool,
) -> Result<(), StoreError> {
    let stored = Stored::read(store, id).await?;
    if must_be_answered && !stored.is_answered() {
        return Err(StoreError::transient(
            "core has not stored the answer to this transaction yet",
        ));
    }
    let update = completion.update(&stored);
    store.update_transaction(id, &update).await?;
    tokio::time::sleep(LOOK_AGAIN_AFTER).await;
    if Stored::read(store, id).await?.has(completion) {
        Ok(())
    } else {
        Err(StoreError::transient(
            "core has written over what it was told about this transaction",
        ))
    }
}

impl Completion {
    fn update(&self, stored: &Stored) -> Value {
        let mut update = Map::new();
        update.insert("status".to_owned(), json!(self.status));
        if let Some(response) = &self.response {
            update.insert("response".to_owned(), json!(response));
        }
        if let Some(error) = &self.error {
            update.insert("error".to_owned(), json!(error));
        }
        // One by one: those of the answer stay.
        for (name, value) in self.outcome.properties.iter() {
            update.insert(format!("properties.{name}"), json!(value));
        }
        let calls = &self.outcome.orchestrations;
        let missing: Vec<_> = calls.iter().filter(|call| !stored.knows(call)).collect();
        if !missing.is_empty() {
            update.insert(
                "$push".to_owned(),
                json!({"orchestrations": {"$each": missing}}),
            );
        }
        Value::Object(update)
    }
}

/// What is looked at of a transaction that core has stored.
#[derive(Debug, Deserialize)]
struct Stored {
    status: Option<String>,
    #[serde(default)]
    response: Option<StoredResponse>,
    #[serde(default)]
    orchestrations: Vec<StoredCall>,
}

#[derive(Debug, Deserialize)]
struct StoredResponse {
    status: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct StoredCall {
    name: Option<String>,
    request: Option<StoredRequest>,
}

#[derive(Debug, Deserialize)]
struct StoredRequest {
    timestamp: Option<Timestamp>,
}

impl Stored {
    async fn read(store: &dyn TransactionStore, id: &TransactionId) -> Result<Self, StoreError> {
        let json = store.transaction(id).await?;
        Self::deserialize(json)
            .map_err(|_| StoreError::lasting("core's transaction is of an unknown form"))
    }

    fn is_answered(&self) -> bool {
        let status = self.response.as_ref().map(|response| &response.status);
        matches!(status, Some(Some(_)))
    }

    fn knows(&self, call: &Orchestration) -> bool {
        self.orchestrations.iter().any(|stored| {
            let timestamp = stored
                .request
                .as_ref()
                .and_then(|request| request.timestamp);
            stored.name.as_deref() == Some(call.name())
                && timestamp == Some(call.request().timestamp())
        })
    }

    fn has(&self, completion: &Completion) -> bool {
        let mut calls = completion.outcome.orchestrations.iter();
        self.status.as_deref() == Some(completion.status.as_str())
            && calls.all(|call| self.knows(call))
    }
}
