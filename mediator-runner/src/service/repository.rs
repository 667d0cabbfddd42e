//! What keeps documents and registers them.

use std::sync::Arc;
use std::time::Duration;

use mediator_ddcc::database::Database;
use mediator_ddcc::recorded::{self, Told};
use mediator_ddcc::repository::moving::MovingRepository;
use mediator_ddcc::repository::rest::RestRepository;
use mediator_ddcc::repository::sqlite::SqliteRepository;
use mediator_ddcc::repository::{FhirRepository, RepositoryError};

use super::StartError;
use crate::configuration::Configuration;

/// What it is called in messages, metrics and OpenHIM's transactions.
const NAME: &str = "FHIR repository";

/// The start waits this long for the server to tell what it can do.
const PATIENCE: Duration = Duration::from_secs(10);

/// The configured FHIR server, or else the embedded database; and what moves the documents of the
/// second to the first, where there are any.
///
/// # Errors
/// [`StartError`] when the server lacks what is needed. One that does not answer is no error: it is
/// asked again before the first document is stored.
pub(super) async fn open(
    configuration: &Configuration,
    database: &Database,
) -> Result<(Arc<dyn FhirRepository>, Option<MovingRepository>), StartError> {
    let embedded = SqliteRepository::new(database.clone());
    let Some(client) = configuration.repository.client(NAME)? else {
        return Ok((recorded::repository(embedded, Told::as_embedded()), None));
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
    let unmoved = embedded.unmoved().await.map_err(StartError::Repository)?;
    if unmoved.resources == 0 {
        return Ok((recorded::repository(repository, Told::ByThePart), None));
    }
    tracing::info!(
        documents = unmoved.documents,
        resources = unmoved.resources,
        "the embedded database has what is not in the FHIR server yet; `serve` moves it"
    );
    let moving = MovingRepository::new(embedded, repository);
    let repository = recorded::repository(moving.clone(), Told::ByThePart);
    Ok((repository, Some(moving)))
}
