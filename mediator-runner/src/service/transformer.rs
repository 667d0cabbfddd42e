//! The engine that runs the configured maps.

use mediator_ddcc::transformer::EmbeddedTransformer;

use super::StartError;
use crate::configuration::Configuration;

/// The embedded engine, with the maps of the configured folder.
pub(super) fn embedded(configuration: &Configuration) -> Result<EmbeddedTransformer, StartError> {
    Ok(match &configuration.maps.folder {
        Some(folder) => EmbeddedTransformer::with_folder(folder)?,
        None => EmbeddedTransformer::builtin()?,
    })
}
