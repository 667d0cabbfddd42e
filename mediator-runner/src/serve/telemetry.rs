//! Spans of requests, for an OpenTelemetry collector.

use mediator_core::telemetry::{TelemetryError, TelemetrySettings};
use tokio::runtime::Handle;

use crate::configuration::Telemetry;

/// Begins to send spans, where that is configured.
pub(super) fn start(
    settings: &Telemetry,
    runtime: &Handle,
) -> Result<Option<mediator_core::telemetry::Telemetry>, TelemetryError> {
    let Some(endpoint) = &settings.endpoint else {
        return Ok(None);
    };
    let endpoint = endpoint
        .parse()
        .map_err(|error: url::ParseError| TelemetryError::Start(error.to_string()))?;
    let settings = TelemetrySettings {
        endpoint: Some(endpoint),
        service_name: env!("CARGO_PKG_NAME").to_owned(),
        service_version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    mediator_core::telemetry::Telemetry::start(&settings, runtime).map(Some)
}
