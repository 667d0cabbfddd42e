//! Runs StructureMaps: the embedded engine, Matchbox, or some here and some there.

mod definitions;
mod embedded;
mod map_by_map;
mod map_engine;
pub mod matchbox;
mod uploaded;

use async_trait::async_trait;
use serde_json::Value;

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

pub use definitions::{Definitions, LoadError};
pub use embedded::EmbeddedTransformer;
pub use map_by_map::{MapByMap, MapSelection};
pub use map_engine::{EngineError, MapEngine, Supplement};
pub use uploaded::{Definition, DefinitionType, Stored, Upload, UploadError, UploadedDefinitions};

/// Transforms FHIR JSON by the StructureMap of a canonical url.
#[async_trait]
pub trait Transformer: Send + Sync {
    /// Runs the map `map_url` on `input`. `seed` makes generated ids repeatable.
    ///
    /// # Errors
    /// [`TransformerError`].
    async fn transform(
        &self,
        map_url: &str,
        input: &Value,
        seed: uuid::Uuid,
    ) -> Result<Value, TransformerError>;
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum TransformerError {
    /// No map has this url: check `maps` in the configuration.
    #[error("no StructureMap with url {0} is loaded; add it to the folder of maps")]
    UnknownMap(String),
    /// A ConceptMap, StructureDefinition or another definition that the map needs is not there: add
    /// it to the folder of maps.
    #[error("map {map_url} lacks what it needs: {reason}")]
    MissingDefinition {
        /// Canonical url of the map.
        map_url: String,
        /// What is missing.
        reason: String,
    },
    /// The map does not fit the input.
    #[error("map {map_url} failed: {reason}")]
    Failed {
        /// Canonical url of the map.
        map_url: String,
        /// What the engine said.
        reason: String,
    },
    /// A remote engine cannot be reached: safe to repeat.
    #[error("the mapping engine is unavailable: {0}")]
    Unavailable(String),
    /// A remote engine took too long: safe to repeat.
    #[error("the mapping engine took too long: {0}")]
    TimedOut(String),
    /// A remote engine answered, but neither with a result nor with what is wrong with the input:
    /// its map, its configuration, or what is in front of it has to be mended.
    #[error("map {map_url} cannot be run by the mapping engine: {reason}")]
    Engine {
        /// Canonical url of the map.
        map_url: String,
        /// What is wrong, and what to do.
        reason: String,
    },
}

impl From<TransformerError> for OperationOutcome {
    fn from(error: TransformerError) -> Self {
        let (status, code) = match &error {
            TransformerError::UnknownMap(_) | TransformerError::MissingDefinition { .. } => {
                (500, IssueType::Exception)
            }
            TransformerError::Failed { .. } => (422, IssueType::BusinessRule),
            TransformerError::Unavailable(_) => (503, IssueType::Transient),
            TransformerError::TimedOut(_) => (504, IssueType::Timeout),
            TransformerError::Engine { .. } => (502, IssueType::Transient),
        };
        Self::new(status, Issue::general(code, error.to_string()))
    }
}
