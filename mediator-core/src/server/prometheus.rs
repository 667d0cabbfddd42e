use std::convert::Infallible;
use std::sync::OnceLock;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::header;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::{ServerError, tls};
use crate::back_end;

/// Upper bounds of durations, in seconds: from a code that is only looked up to a card with images.
const SECONDS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

const UPKEEP: Duration = Duration::from_secs(5);

static RECORDER: OnceLock<Result<PrometheusHandle, String>> = OnceLock::new();

/// The process's one recorder, installed on first use.
pub(super) fn recorder() -> Result<PrometheusHandle, ServerError> {
    RECORDER
        .get_or_init(|| {
            let handle = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
                .map_err(|error| error.to_string())?
                .install_recorder()
                .map_err(|error| error.to_string())?;
            describe();
            tls::describe_metrics();
            back_end::describe_metrics();
            Ok(handle)
        })
        .clone()
        .map_err(ServerError::Metrics)
}

fn describe() {
    metrics::describe_counter!(
        "http_requests_total",
        "Requests answered, by method, route template and status; status disconnected: the client did not wait"
    );
    metrics::describe_histogram!(
        "http_request_duration_seconds",
        metrics::Unit::Seconds,
        "Time from a request's head to its answer's, by method and route template"
    );
    metrics::describe_gauge!("http_requests_in_flight", "Requests being worked on");
    metrics::describe_gauge!("http_connections", "Open connections");
}

/// Moves recorded durations into their buckets; without it they pile up until `/metrics` is asked.
pub(super) async fn upkeep(handle: PrometheusHandle) -> Infallible {
    let mut interval = tokio::time::interval(UPKEEP);
    loop {
        interval.tick().await;
        handle.run_upkeep();
    }
}

pub(super) fn routes(handle: PrometheusHandle) -> Router {
    Router::new().route(
        "/metrics",
        get(move || async move {
            (
                [(
                    header::CONTENT_TYPE,
                    "text/plain; version=0.0.4; charset=utf-8",
                )],
                handle.render(),
            )
        }),
    )
}
