//! What remembers accepted events.

use std::sync::Arc;
use std::time::Duration;

use mediator_ddcc::database::Database;
use mediator_ddcc::ledger::Ledger;
use mediator_ddcc::ledger::postgresql::{PostgreSqlLedger, PostgreSqlSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::recorded::{self, Told};

use super::StartError;
use crate::configuration::{self, Configuration};

/// The configured PostgreSQL database, or else the embedded one. The first takes over what the
/// second holds.
///
/// # Errors
/// [`StartError`] when the database refuses its use. One that cannot be reached is no error: it is
/// looked for again before the first event is accepted.
pub(super) async fn open(
    configuration: &Configuration,
    database: &Database,
) -> Result<Arc<dyn Ledger>, StartError> {
    let embedded = SqliteLedger::new(database.clone());
    let Some(settings) = settings(&configuration.ledger)? else {
        return Ok(recorded::ledger(embedded, Told::as_embedded()));
    };
    let ledger = PostgreSqlLedger::in_place_of(embedded, &settings).map_err(StartError::Ledger)?;
    match ledger.prepare().await {
        Ok(()) => tracing::info!(
            host = settings.url.host_str(),
            database = settings.url.path().trim_start_matches('/'),
            "accepted events are kept in PostgreSQL"
        ),
        Err(error) if error.is_transient() => {
            tracing::error!("{error}; nothing is accepted before it is there");
        }
        Err(error) => return Err(StartError::Ledger(error)),
    }
    let told = Told::AsCallsTo {
        host: settings.url.host_str().unwrap_or("postgresql").to_owned(),
        port: Some(settings.url.port().unwrap_or(5432)),
    };
    Ok(recorded::ledger(ledger, told))
}

/// How to reach the configured database; nothing when the embedded one is used.
///
/// # Errors
/// The password cannot be read.
pub(crate) fn settings(
    configured: &configuration::Ledger,
) -> Result<Option<PostgreSqlSettings>, StartError> {
    let Some(url) = &configured.url else {
        return Ok(None);
    };
    let mut settings = PostgreSqlSettings::new(url.clone());
    settings.password = match (&configured.password, &configured.password_file) {
        (Some(password), _) => Some(password.expose().into()),
        (None, Some(path)) => {
            let text =
                std::fs::read_to_string(path).map_err(|source| StartError::LedgerPassword {
                    path: path.clone(),
                    source,
                })?;
            Some(text.trim_end_matches(['\r', '\n']).into())
        }
        (None, None) => None,
    };
    if let Some(tls) = configured.tls {
        settings.tls = tls;
    }
    settings
        .certificate_authority
        .clone_from(&configured.ca_file);
    settings.client_certificate = configured
        .client_certificate_file
        .clone()
        .zip(configured.client_key_file.clone());
    settings.maximum_connections = configured.maximum_connections;
    settings.connect_timeout = Duration::from_secs(configured.connect_timeout_seconds);
    settings.timeout = Duration::from_secs(configured.timeout_seconds);
    Ok(Some(settings))
}
