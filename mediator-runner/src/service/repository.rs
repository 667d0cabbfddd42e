//! What keeps documents and registers them.

use std::sync::Arc;
use std::time::Duration;

use mediator_ddcc::database::Database;
use mediator_ddcc::recorded::{self, Told};
use mediator_ddcc::repository::rest::RestRepository;
use mediator_ddcc::repository::sqlite::SqliteRepository;
use mediator_ddcc::repository::{FhirRepository, RepositoryError};

use super::StartError;
use crate::configuration::Configuration;

/// What it is called in messages, metrics and OpenHIM's transactions.
const NAME: &str = "FHIR repository";

/// The start waits this long for the server to tell what it can do.
const PATIENCE: Duration = Duration::from_secs(10);

/// The configured FHIR server, or else the embedded database.
///
/// # Errors
/// [`StartError`] when the server lacks what is needed. One that does not answer is no error: it is
/// asked again before the first document is stored.
pub(super) async fn open(
    configuration: &Configuration,
    database: &Database,
) -> Result<Arc<dyn FhirRepository>, StartError> {
    let Some(client) = configuration.repository.client(NAME)? else {
        let embedded = SqliteRepository::new(database.clone());
        return Ok(recorded::repository(embedded, Told::as_embedded()));
    };
    let url = client.base_url().to_string();
    let repository = RestRepository::new(client);
    let checked = tokio::time::timeout(PATIENCE, repository.check()).await;
    match checked {
        Ok(Ok(server)) => {
            tracing::info!(
                url,
                software = server.software(),
                "documents are kept in a FHIR server"
            );
        }
        Ok(Err(error @ RepositoryError::Refused(_))) => return Err(StartError::Repository(error)),
        Ok(Err(error)) => tracing::warn!(
            url,
            "the FHIR server is not usable yet; what is asked for meanwhile is accepted and issued later: {error}"
        ),
        Err(_) => tracing::warn!(
            url,
            "the FHIR server does not answer yet; what is asked for meanwhile is accepted and issued later"
        ),
    }
    Ok(recorded::repository(repository, Told::ByThePart))
}
