use serde::Serialize;

use super::super::reader::Section;
use super::{url, value};

/// Where spans of requests are sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Telemetry {
    /// Base URL of an OpenTelemetry collector (OTLP over HTTP); without it nothing is sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) endpoint: Option<String>,
}

impl Telemetry {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            endpoint: value(section.parsed("endpoint", |text| url(text, &["http", "https"]))),
        }
    }
}
