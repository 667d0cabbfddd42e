//! The program's own log, on standard error.

use std::io::{self, IsTerminal as _};

use mediator_core::telemetry::Telemetry;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _, fmt, registry};

use crate::configuration::{Configuration, LogFormat};

/// Starts logging as configured. Colours only on a terminal.
pub(crate) fn start(configuration: &Configuration) {
    start_beside(configuration, None);
}

/// Starts logging as configured, and sending spans.
pub(crate) fn start_beside(configuration: &Configuration, telemetry: Option<&Telemetry>) {
    // The configuration was checked, so the filter parses.
    let filter = EnvFilter::new(&configuration.log.filter);
    let lines = fmt::layer()
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let lines = match configuration.log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().boxed(),
    };
    let started = registry()
        .with(lines.with_filter(filter))
        .with(telemetry.map(Telemetry::layer))
        .try_init();
    // A second start would be a mistake of this program, and the first one's log is still there.
    debug_assert!(started.is_ok());
}
