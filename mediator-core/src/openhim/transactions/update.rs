use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};
use serde_json::json;

use crate::envelope::{
    ErrorDetails, Orchestration, Properties, RecordedResponse, TransactionStatus,
};

/// What to change about a transaction. What is not named stays.
///
/// ```
/// use http::StatusCode;
/// use mediator_core::envelope::{RecordedResponse, Timestamp, TransactionStatus};
/// use mediator_core::openhim::TransactionUpdate;
///
/// let answer = RecordedResponse::new(StatusCode::OK, Timestamp::now()).body("printed");
/// let update = TransactionUpdate::new()
///     .status(TransactionStatus::Successful)
///     .response(answer)
///     .property("printer", "2nd floor");
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TransactionUpdate {
    status: Option<TransactionStatus>,
    response: Option<RecordedResponse>,
    orchestrations: Vec<Orchestration>,
    properties: Properties,
    error: Option<ErrorDetails>,
}

impl TransactionUpdate {
    /// Changes nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: TransactionStatus) -> Self {
        self.status = Some(status);
        self
    }

    /// Replaces what the client was answered. The client does not get it any more.
    #[must_use]
    pub fn response(mut self, response: RecordedResponse) -> Self {
        self.response = Some(response);
        self
    }

    /// Adds a call that was made for this transaction.
    #[must_use]
    pub fn orchestration(mut self, orchestration: Orchestration) -> Self {
        self.orchestrations.push(orchestration);
        self
    }

    /// Adds calls that were made for this transaction.
    #[must_use]
    pub fn orchestrations(mut self, calls: impl IntoIterator<Item = Orchestration>) -> Self {
        self.orchestrations.extend(calls);
        self
    }

    /// Sets a property; the others stay.
    #[must_use]
    pub fn property(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// Makes core send the client's request again by itself, without limit unless the channel has
    /// one. Only for what a repetition can mend.
    #[must_use]
    pub fn retried_by_core(mut self, error: ErrorDetails) -> Self {
        self.error = Some(error);
        self
    }

    /// Sent twice, orchestrations are there twice, and core retries twice.
    pub(super) fn is_repeatable(&self) -> bool {
        self.orchestrations.is_empty() && self.error.is_none()
    }
}

/// An update of MongoDB's.
impl Serialize for TransactionUpdate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if let Some(status) = &self.status {
            map.serialize_entry("status", status)?;
        }
        if let Some(response) = &self.response {
            map.serialize_entry("response", response)?;
        }
        if let Some(error) = &self.error {
            map.serialize_entry("error", error)?;
        }
        // One by one: the whole object would replace those that are there.
        for (name, value) in self.properties.iter() {
            map.serialize_entry(&format!("properties.{name}"), value)?;
        }
        if !self.orchestrations.is_empty() {
            let each = json!({"orchestrations": {"$each": self.orchestrations}});
            map.serialize_entry("$push", &each)?;
        }
        map.end()
    }
}
