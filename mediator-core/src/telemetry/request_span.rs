use http::{HeaderMap, HeaderValue, StatusCode};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Status, TraceContextExt as _};
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// Before the span is entered for the first time: its parent cannot change later.
pub(crate) fn began(span: &Span, method: &'static str, route: &str, headers: &HeaderMap) {
    let parent = TraceContextPropagator::new().extract(&HeaderExtractor(headers));
    // Fails when spans are not sent.
    if parent.span().span_context().is_valid() && span.set_parent(parent).is_err() {
        return;
    }
    span.context()
        .span()
        .update_name(format!("{method} {route}"));
    // Names of OpenTelemetry's semantic conventions for HTTP.
    span.set_attribute("http.request.method", method);
    span.set_attribute("http.route", route.to_owned());
}

pub(crate) fn ended(span: &Span, status: StatusCode) {
    span.set_attribute("http.response.status_code", i64::from(status.as_u16()));
    // A client's mistake is no error of the server.
    if status.is_server_error() {
        span.set_status(Status::error(""));
    }
}

/// The `traceparent` header with which a call to another system makes that system's spans children
/// of this one; `None` when spans are not sent anywhere.
#[must_use]
pub fn traceparent(span: &Span) -> Option<HeaderValue> {
    let mut headers = HeaderMap::new();
    let context = span.context();
    TraceContextPropagator::new().inject_context(&context, &mut HeaderInjector(&mut headers));
    headers.remove("traceparent")
}
