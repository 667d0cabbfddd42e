use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};

/// What the server refuses by itself, without the application. Displays as a sentence for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// 403: the handler needs a [`ClientCertificate`](super::ClientCertificate).
    #[error("this needs a client certificate, shown when the TLS connection begins")]
    NoClientCertificate,
    /// 404.
    #[error("there is nothing at this path")]
    NotFound,
    /// 405, with `Allow`.
    #[error("this path does not answer that method")]
    MethodNotAllowed,
    /// 400: the connection ended or broke before the body did.
    #[error("the request body did not arrive completely")]
    BodyIncomplete,
    /// 408.
    #[error("the request body did not arrive within {} s", .limit.as_secs_f32())]
    BodyTooSlow {
        /// The request timeout.
        limit: Duration,
    },
    /// 413.
    #[error("the request body is longer than the {limit} bytes that are accepted")]
    BodyTooLarge {
        /// Longest body, in bytes.
        limit: usize,
    },
    /// 500: a handler panicked.
    #[error("the request failed for a reason that is not yours; the server's log says more")]
    Panicked,
    /// 503, with `Retry-After`.
    #[error("the server is working on as many requests as it can; repeat this one later")]
    Overloaded {
        /// When to repeat.
        retry_after: Duration,
    },
    /// 504.
    #[error("there was no answer within {} s; the request may still be worked on", .limit.as_secs_f32())]
    TimedOut {
        /// The request timeout.
        limit: Duration,
    },
}

impl Refusal {
    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NoClientCertificate => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyIncomplete => StatusCode::BAD_REQUEST,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overloaded { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

/// Turns refusals into answers, as the application wants them.
#[derive(Clone)]
pub(crate) struct Refusals(Arc<dyn Fn(&Refusal) -> Response + Send + Sync>);

impl Refusals {
    pub(super) fn new(answer: impl Fn(&Refusal) -> Response + Send + Sync + 'static) -> Self {
        Self(Arc::new(answer))
    }

    pub(crate) fn answer(&self, refusal: &Refusal) -> Response {
        let mut response = (self.0)(refusal);
        *response.status_mut() = refusal.status();
        if let Refusal::Overloaded { retry_after } = refusal {
            let seconds = retry_after.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}

impl Default for Refusals {
    fn default() -> Self {
        Self::new(|refusal| format!("{refusal}\n").into_response())
    }
}
