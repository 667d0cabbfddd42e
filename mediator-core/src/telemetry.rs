//! Traces of requests, across all systems that work on one.
//!
//! With the feature `opentelemetry`, `Telemetry` sends the spans of the `tracing` crate to an
//! OpenTelemetry collector, and a request's span has for its parent the one that its `traceparent`
//! header names (W3C Trace Context). Without the feature nothing is sent, and nothing of it is
//! compiled.

#[cfg(feature = "opentelemetry")]
mod export;
#[cfg(feature = "opentelemetry")]
mod request_span;
#[cfg(not(feature = "opentelemetry"))]
mod request_span {
    use http::{HeaderMap, HeaderValue, StatusCode};
    use tracing::Span;

    pub(crate) fn began(_span: &Span, _method: &str, _route: &str, _headers: &HeaderMap) {}

    pub(crate) fn ended(_span: &Span, _status: StatusCode) {}

    /// The `traceparent` header with which a call to another system makes that system's spans
    /// children of this one. `None`: spans are not sent anywhere, without the feature
    /// `opentelemetry`.
    #[must_use]
    pub fn traceparent(_span: &Span) -> Option<HeaderValue> {
        None
    }
}

#[cfg(feature = "opentelemetry")]
pub use export::{Telemetry, TelemetryError, TelemetrySettings};
pub use request_span::traceparent;
pub(crate) use request_span::{began, ended};
