use std::fmt;

use axum::response::{IntoResponse, Response};
use http::StatusCode;

use super::call::CallError;
use crate::envelope::ErrorDetails;

/// Why a handler cannot give the client what it asked for.
///
/// ```
/// use http::StatusCode;
/// use mediator_core::transaction::HandlerError;
///
/// async fn handler() -> Result<String, HandlerError> {
///     let registry_is_down = HandlerError::new(StatusCode::BAD_GATEWAY, "the registry is down");
///     Err(registry_is_down.worth_a_retry())
/// }
/// ```
#[derive(Debug)]
pub struct HandlerError {
    status: StatusCode,
    details: ErrorDetails,
    is_worth_a_retry: bool,
    answer: Option<Box<Response>>,
}

impl HandlerError {
    /// An error of this status, 500 if that is none of an error. The message goes to the client
    /// as plain text, and into OpenHIM: nothing personal, nothing secret.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status: if status.is_client_error() || status.is_server_error() {
                status
            } else {
                StatusCode::INTERNAL_SERVER_ERROR
            },
            details: ErrorDetails::new(message),
            is_worth_a_retry: false,
            answer: None,
        }
    }

    /// Makes core send the same request again, and again, for as long as this is the answer: its
    /// channel may have a limit, and has none by default. Only for what time mends, in a handler
    /// that can be repeated.
    #[must_use]
    pub fn worth_a_retry(mut self) -> Self {
        self.is_worth_a_retry = true;
        self
    }

    /// With what caused it, for the operator and not the client.
    #[must_use]
    pub fn caused_by(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let cause = ErrorDetails::of(cause);
        self.details = self.details.stack(format!(
            "caused by: {}\n{}",
            cause.message(),
            cause.recorded_stack().unwrap_or_default()
        ));
        self
    }

    /// Answered with these headers and this body in place of the message. The status stays.
    #[must_use]
    pub fn answered_with(mut self, answer: impl IntoResponse) -> Self {
        self.answer = Some(Box::new(answer.into_response()));
        self
    }

    /// HTTP status of the answer.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Whether core is told to send the request again.
    #[must_use]
    pub fn is_worth_a_retry(&self) -> bool {
        self.is_worth_a_retry
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.details.message())
    }
}

impl std::error::Error for HandlerError {}

impl From<CallError> for HandlerError {
    /// 504 when it took too long, else 502; not worth a retry unless you say so.
    fn from(error: CallError) -> Self {
        let status = match error {
            CallError::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            _ => StatusCode::BAD_GATEWAY,
        };
        Self::new(status, error.to_string()).caused_by(&error)
    }
}

/// What a response carries from a handler's error to the envelope.
#[derive(Debug, Clone)]
pub(super) struct Retry(pub(super) ErrorDetails);

impl IntoResponse for HandlerError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(
                status = self.status.as_u16(),
                error = self.details.message(),
                "a handler failed"
            );
        }
        let mut response = match self.answer {
            Some(answer) => *answer,
            None => format!("{}\n", self.details.message()).into_response(),
        };
        *response.status_mut() = self.status;
        if self.is_worth_a_retry {
            response.extensions_mut().insert(Retry(self.details));
        }
        response
    }
}
