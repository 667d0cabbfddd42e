//! The program's own log, on standard error.

use std::io::{self, IsTerminal as _};

use tracing_subscriber::EnvFilter;

use crate::configuration::{Configuration, LogFormat};

/// Starts logging as configured. Colours only on a terminal.
pub(crate) fn start(configuration: &Configuration) {
    // The configuration was checked, so the filter parses.
    let filter = EnvFilter::new(&configuration.log.filter);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal());
    let started = match configuration.log.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // A second start would be a mistake of this program, and the first one's log is still there.
    debug_assert!(started.is_ok());
}
