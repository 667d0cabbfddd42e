use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use reqwest::RequestBuilder;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::RecordingClient;

/// One call that is being put together.
#[derive(Debug)]
#[must_use = "a call is made by `send`"]
pub struct Call {
    pub(super) client: RecordingClient,
    pub(super) name: String,
    /// Or why there is no client.
    pub(super) request: Result<RequestBuilder, Arc<str>>,
}

impl Call {
    /// With this header.
    pub fn header(self, name: HeaderName, value: HeaderValue) -> Self {
        self.with(|request| request.header(name, value))
    }

    /// With these parameters after those in the URL.
    pub fn query(self, parameters: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.query(parameters))
    }

    /// With this body, and `Content-Type: application/json` unless there is another.
    pub fn json(self, body: &(impl Serialize + ?Sized)) -> Self {
        self.with(|request| request.json(body))
    }

    /// With this body.
    pub fn body(self, body: impl Into<reqwest::Body>) -> Self {
        self.with(|request| request.body(body))
    }

    /// With `Authorization: Bearer`; never recorded.
    pub fn bearer_auth(self, token: &str) -> Self {
        self.with(|request| request.bearer_auth(token))
    }

    /// With `Authorization: Basic`; never recorded.
    pub fn basic_auth(self, user: &str, password: &str) -> Self {
        self.with(|request| request.basic_auth(user, Some(password)))
    }

    /// At most this long, if neither the request's deadline nor the settings end it before.
    pub fn timeout(self, timeout: Duration) -> Self {
        self.with(|request| request.timeout(timeout))
    }

    /// With anything else that reqwest can do.
    pub fn with(mut self, change: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Self {
        self.request = self.request.map(change);
        self
    }

    /// Shown with the other calls of this group in OpenHIM.
    pub fn group(mut self, group: &str) -> Self {
        self.client = self.client.group(group);
        self
    }

    /// Makes the call and reads its whole answer.
    ///
    /// # Errors
    /// When there is no answer. An answer of any status is one; see
    /// [`CallResponse::error_for_status`].
    pub async fn send(self) -> Result<CallResponse, CallError> {
        let Self {
            client,
            name,
            request,
        } = self;
        let request = match request {
            Ok(request) => request,
            Err(reason) => {
                let reason = reason.to_string();
                return Err(CallError::Client { name, reason });
            }
        };
        match request.build() {
            Ok(request) => client.execute(&name, request).await,
            Err(error) => Err(CallError::Request {
                name,
                source: error.without_url(),
            }),
        }
    }
}

/// The answer to a call.
#[derive(Debug)]
pub struct CallResponse {
    pub(super) name: String,
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl CallResponse {
    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The headers.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body, without copying it.
    #[must_use]
    pub fn into_body(self) -> Bytes {
        self.body
    }

    pub(crate) fn into_parts(self) -> (StatusCode, HeaderMap, Bytes) {
        (self.status, self.headers, self.body)
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`CallError::Unreadable`] when it is not UTF-8.
    pub fn text(&self) -> Result<&str, CallError> {
        std::str::from_utf8(&self.body).map_err(|_| CallError::Unreadable {
            name: self.name.clone(),
            expected: "text",
        })
    }

    /// The body as JSON of this type.
    ///
    /// # Errors
    /// [`CallError::Unreadable`] when it is not.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|_| CallError::Unreadable {
            name: self.name.clone(),
            expected: "the JSON that was expected",
        })
    }

    /// Itself, if its status is below 400.
    ///
    /// # Errors
    /// [`CallError::Status`].
    pub fn error_for_status(self) -> Result<Self, CallError> {
        if self.status.is_client_error() || self.status.is_server_error() {
            Err(CallError::Status {
                name: self.name,
                status: self.status,
            })
        } else {
            Ok(self)
        }
    }
}

/// Why a call did not give what was wanted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The HTTP client could not be made.
    #[error("{name}: there is no HTTP client: {reason}")]
    Client {
        /// Name of the call.
        name: String,
        /// What reqwest said.
        reason: String,
    },
    /// The call is none: its URL or a header is wrong.
    #[error("{name}: the call cannot be made: {source}")]
    Request {
        /// Name of the call.
        name: String,
        /// What reqwest said.
        source: reqwest::Error,
    },
    /// The other side cannot be reached.
    #[error("{name}: the other side cannot be reached; is it running, and is its address right?")]
    Unreachable {
        /// Name of the call.
        name: String,
        /// What reqwest said.
        source: reqwest::Error,
    },
    /// No answer in time.
    #[error("{name}: no answer within {} s", .after.as_secs_f32())]
    TimedOut {
        /// Name of the call.
        name: String,
        /// How long it was waited for.
        after: Duration,
    },
    /// The answer did not arrive completely, or is no HTTP.
    #[error("{name}: the answer broke off: {source}")]
    Broken {
        /// Name of the call.
        name: String,
        /// What reqwest said.
        source: reqwest::Error,
    },
    /// The answer is longer than
    /// [`maximum_call_body_bytes`](super::TransactionSettings::maximum_call_body_bytes).
    #[error("{name}: the answer is longer than the {limit} bytes that are accepted")]
    TooLarge {
        /// Name of the call.
        name: String,
        /// Longest body, in bytes.
        limit: usize,
    },
    /// The answer says that something is wrong; see [`CallResponse::error_for_status`].
    #[error("{name}: answered {status}")]
    Status {
        /// Name of the call.
        name: String,
        /// HTTP status.
        status: StatusCode,
    },
    /// The answer's body is not what it should be.
    #[error("{name}: the answer is not {expected}")]
    Unreadable {
        /// Name of the call.
        name: String,
        /// What it should be.
        expected: &'static str,
    },
}
