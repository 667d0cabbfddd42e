use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{Method, StatusCode};
use tracing::{Instrument as _, Span};

use super::request_id::{HEADER, RequestId};
use crate::telemetry;

/// Which requests are observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// The application's.
    Application,
    /// Probes and metrics, which come every few seconds: logged and traced at debug level.
    Operation,
}

impl Observation {
    fn span(
        self,
        Record {
            id, method, route, ..
        }: &Record,
    ) -> Span {
        let id = id.as_str();
        if self == Self::Application {
            // OpenTelemetry's kind can be said here only.
            #[cfg(feature = "opentelemetry")]
            return tracing::info_span!("request", id, method, route, otel.kind = "server");
            #[cfg(not(feature = "opentelemetry"))]
            return tracing::info_span!("request", id, method, route);
        }
        tracing::debug_span!("request", id, method, route)
    }
}

/// Gives every request an id and a span, and records it when it ends.
///
/// A route's template stands for the path and there is no query string: both may name a person.
pub(super) async fn observe(
    State(observation): State<Observation>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = RequestId::of(request.headers());
    let record = Record::start(observation, &request, id.clone());
    let span = observation.span(&record);
    telemetry::began(&span, record.method, &record.route, request.headers());
    request.extensions_mut().insert(id.clone());
    let mut response = next.run(request).instrument(span.clone()).await;
    telemetry::ended(&span, response.status());
    response.headers_mut().insert(HEADER, id.header_value());
    record.end(response.status());
    response
}

/// One request in the access log and the metrics.
struct Record {
    observation: Observation,
    id: RequestId,
    method: &'static str,
    route: String,
    start: Instant,
    status: Option<StatusCode>,
}

impl Record {
    fn start(observation: Observation, request: &Request, id: RequestId) -> Self {
        metrics::gauge!("http_requests_in_flight").increment(1.0);
        Self {
            observation,
            id,
            method: known(request.method()),
            route: request
                .extensions()
                .get::<MatchedPath>()
                .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned()),
            start: Instant::now(),
            status: None,
        }
    }

    fn end(mut self, status: StatusCode) {
        self.status = Some(status);
    }
}

impl Drop for Record {
    // Also runs when the client hangs up and the request's future is dropped.
    fn drop(&mut self) {
        let duration = self.start.elapsed();
        let status = self
            .status
            .as_ref()
            .map_or("disconnected", StatusCode::as_str)
            .to_owned();
        let id = self.id.as_str();
        let (method, route) = (self.method, self.route.as_str());
        let milliseconds = duration.as_micros() as f64 / 1000.0;
        if self.observation == Observation::Application {
            tracing::info!(target: "access", id, method, route, status, milliseconds);
        } else {
            tracing::debug!(target: "access", id, method, route, status, milliseconds);
        }
        metrics::gauge!("http_requests_in_flight").decrement(1.0);
        metrics::counter!(
            "http_requests_total",
            "method" => method, "route" => self.route.clone(), "status" => status
        )
        .increment(1);
        metrics::histogram!(
            "http_request_duration_seconds",
            "method" => method, "route" => std::mem::take(&mut self.route)
        )
        .record(duration);
    }
}

/// A client can invent methods; the metrics' labels must not grow with them.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
