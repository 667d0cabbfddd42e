use std::path::Path;

use mediator_ddcc::repository::sqlite::unmoved_in;

use super::check::Check;
use super::finding::Finding;
use crate::configuration::Configuration;
use crate::service::DATABASE;

const NAME: &str = "FHIR repository: documents to move";

/// Whether the embedded database has documents that are not in the configured FHIR server yet;
/// nothing without either.
pub(super) fn check(configuration: &Configuration) -> Option<Check> {
    let file = configuration.data_directory.join(DATABASE);
    let is_asked = configuration.repository.url.is_some() && file.exists();
    is_asked.then(|| Check::blocking(NAME, move || vec![examine(&file)]))
}

fn examine(file: &Path) -> Finding {
    let unmoved = match unmoved_in(file) {
        Ok(unmoved) => unmoved,
        Err(error) => return Finding::error(NAME, &error),
    };
    if unmoved.resources == 0 {
        return Finding::ok(NAME, "none is left in the embedded database");
    }
    let details = format!(
        "{} documents ({} resources) of the embedded database are not in the FHIR server yet",
        unmoved.documents, unmoved.resources
    );
    let advice = "`serve` moves them; what is left then, its log tells why";
    Finding::warning(NAME, details, advice)
}
