//! What a mediator tells OpenHIM core about one transaction.
//!
//! Core checks little of it and punishes mistakes silently: an orchestration without a name loses
//! the whole answer, one without a request crashes a worker, a body that is no string is a 500 for
//! the client. These types cannot express such envelopes, and do not read them either.
//!
//! ```
//! use http::StatusCode;
//! use mediator_core::envelope::{
//!     Envelope, Orchestration, RecordedRequest, RecordedResponse, Timestamp, TransactionStatus,
//! };
//!
//! let request = RecordedRequest::new(Timestamp::now()).method("GET");
//! let lookup = Orchestration::new("Look up the patient", request)
//!     .response(RecordedResponse::new(StatusCode::OK, Timestamp::now()));
//! let answer = RecordedResponse::new(StatusCode::OK, Timestamp::now()).body("hello");
//! let envelope = Envelope::new("urn:mediator:hello", TransactionStatus::Successful, answer)
//!     .orchestration(lookup)
//!     .property("greeted", "1");
//! assert!(envelope.to_json().starts_with(br#"{"x-mediator-urn":"urn:mediator:hello""#));
//! ```

mod body;
mod error_details;
mod headers;
mod orchestration;
mod properties;
mod recorded_request;
mod recorded_response;
mod status;
mod timestamp;

use serde::{Deserialize, Serialize};

pub use body::{BodyText, NotText};
pub use error_details::ErrorDetails;
pub use headers::RecordedHeaders;
pub use orchestration::Orchestration;
pub use properties::Properties;
pub use recorded_request::RecordedRequest;
pub use recorded_response::RecordedResponse;
pub use status::TransactionStatus;
pub use timestamp::Timestamp;

/// The answer of a mediator, in the form that core unpacks when `Content-Type` contains
/// [`Envelope::MEDIA_TYPE`].
///
/// Core ignores the HTTP status it comes with, gives the client [`Envelope::answer`], and takes
/// the status as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    #[serde(rename = "x-mediator-urn")]
    mediator_urn: String,
    #[serde(
        default = "TransactionStatus::pending_async",
        skip_serializing_if = "TransactionStatus::is_pending_async"
    )]
    status: TransactionStatus,
    #[serde(serialize_with = "recorded_response::write_answer")]
    response: RecordedResponse,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    orchestrations: Vec<Orchestration>,
    #[serde(default, skip_serializing_if = "Properties::is_empty")]
    properties: Properties,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDetails>,
}

impl Envelope {
    /// What `Content-Type` has to contain.
    pub const MEDIA_TYPE: &'static str = "application/json+openhim";

    /// An envelope without orchestrations and properties. The answer loses its body where its
    /// status has none (204, 205, 304); 1xx, which is no answer, becomes 500.
    ///
    /// [`TransactionStatus::PendingAsync`] is not written: OpenHIM 4 does not know it and would lose
    /// the answer, and later versions set it by themselves on a channel with
    /// `isAsynchronousProcess`.
    #[must_use]
    pub fn new(
        mediator_urn: impl Into<String>,
        status: TransactionStatus,
        answer: RecordedResponse,
    ) -> Self {
        Self {
            mediator_urn: mediator_urn.into(),
            status,
            response: answer.into_answer(),
            orchestrations: Vec::new(),
            properties: Properties::default(),
            error: None,
        }
    }

    /// Adds a call that was made for this transaction.
    #[must_use]
    pub fn orchestration(mut self, orchestration: Orchestration) -> Self {
        self.orchestrations.push(orchestration);
        self
    }

    /// Replaces the calls that were made for this transaction.
    #[must_use]
    pub fn orchestrations(mut self, orchestrations: Vec<Orchestration>) -> Self {
        self.orchestrations = orchestrations;
        self
    }

    /// Adds a property, or replaces the one of this name.
    #[must_use]
    pub fn property(mut self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.properties.insert(name, value);
        self
    }

    /// Replaces the properties.
    #[must_use]
    pub fn properties(mut self, properties: Properties) -> Self {
        self.properties = properties;
        self
    }

    /// Makes core send the same request again by itself, without limit unless its channel has
    /// one. Only for what a repetition can mend.
    #[must_use]
    pub fn retried_by_core(mut self, error: ErrorDetails) -> Self {
        self.error = Some(error);
        self
    }

    /// URN of the mediator.
    #[must_use]
    pub fn mediator_urn(&self) -> &str {
        &self.mediator_urn
    }

    /// Status of the transaction.
    #[must_use]
    pub fn status(&self) -> TransactionStatus {
        self.status
    }

    /// What the client gets.
    #[must_use]
    pub fn answer(&self) -> &RecordedResponse {
        &self.response
    }

    /// The calls that were made for this transaction.
    #[must_use]
    pub fn recorded_orchestrations(&self) -> &[Orchestration] {
        &self.orchestrations
    }

    /// The properties.
    #[must_use]
    pub fn recorded_properties(&self) -> &Properties {
        &self.properties
    }

    /// Why core shall send the request again, if it shall.
    #[must_use]
    pub fn error(&self) -> Option<&ErrorDetails> {
        self.error.as_ref()
    }

    /// The JSON that core reads.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let bodies = self.orchestrations.iter().map(Orchestration::body_bytes);
        let length = self.response.body_bytes() + bodies.sum::<usize>();
        // Quotes in JSON bodies are escaped; headers and names come on top.
        let mut json =
            Vec::with_capacity(length + length / 8 + 512 * (1 + self.orchestrations.len()));
        // Strings, numbers and maps with string keys: nothing in here can fail.
        let _ = serde_json::to_writer(&mut json, self);
        json
    }
}

#[cfg(test)]
mod tests;
