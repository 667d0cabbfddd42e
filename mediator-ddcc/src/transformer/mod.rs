//! Runs StructureMaps: the embedded engine, or Matchbox.

mod embedded;

use async_trait::async_trait;
use serde_json::Value;

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

pub use embedded::{EmbeddedTransformer, LoadError};

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
}

impl From<TransformerError> for OperationOutcome {
    fn from(error: TransformerError) -> Self {
        let (status, code) = match &error {
            TransformerError::UnknownMap(_) => (500, IssueType::Exception),
            TransformerError::Failed { .. } => (422, IssueType::BusinessRule),
            TransformerError::Unavailable(_) => (503, IssueType::Transient),
        };
        Self::new(status, Issue::general(code, error.to_string()))
    }
}
