//! What codes mean: which ValueSet a code is in, and what a ConceptMap translates it to.
//!
//! [`LoadedTerminology`] knows the ValueSets, CodeSystems and ConceptMaps that it is given. A
//! [`Terminology`] of one's own, such as a client of a terminology server, answers what it does not
//! know:
//!
//! ```
//! use fhir_mapping::terminology::{Code, LoadedTerminology, Terminology, TerminologyError};
//! use serde_json::json;
//!
//! let mut terminology = LoadedTerminology::new();
//! terminology.add_value_set(&json!({
//!     "resourceType": "ValueSet",
//!     "url": "http://example.org/ValueSet/vaccines",
//!     "compose": {"include": [{"system": "http://example.org/vaccines", "concept": [{"code": "A"}]}]},
//! }))?;
//! let vaccines = "http://example.org/ValueSet/vaccines";
//! let code = Code::new("http://example.org/vaccines", "A");
//! assert!(terminology.is_member(vaccines, &code)?);
//! assert!(matches!(
//!     terminology.is_member("http://example.org/ValueSet/other", &code),
//!     Err(TerminologyError::Unknown(_))
//! ));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod loaded;
mod value_set;

use std::fmt::Debug;

pub use loaded::LoadedTerminology;

/// A code, and the system that defines it where that is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Code {
    /// Url of the code system; `None` for a plain `code`, whose element implies it.
    pub system: Option<String>,
    /// The code itself.
    pub code: String,
}

impl Code {
    /// A code of a system.
    #[must_use]
    pub fn new(system: &str, code: &str) -> Self {
        Self {
            system: Some(system.to_owned()),
            code: code.to_owned(),
        }
    }
}

/// What a ConceptMap translates a code to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translation {
    /// The code that it becomes.
    pub code: Code,
    /// What people read.
    pub display: Option<String>,
    /// How the two relate, by the code of R4: `equivalent`, `wider`, `narrower`, `inexact` and so on.
    pub equivalence: String,
}

/// Why a question about codes has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TerminologyError {
    /// Nobody who was asked knows the ValueSet, CodeSystem or ConceptMap.
    #[error("{0} is not known: load it, or set a terminology server")]
    Unknown(String),
    /// It is known, but needs more than what is loaded.
    #[error("{url} cannot be used without a terminology server: {reason}")]
    NeedsServer {
        /// Canonical url of the ValueSet or ConceptMap.
        url: String,
        /// What it needs.
        reason: String,
    },
    /// Whoever answers failed; may be tried again.
    #[error("the terminology server did not answer: {0}")]
    Failed(String),
}

/// Answers questions about codes, as a terminology server does. Called while an expression or a map
/// runs, which waits for the answer: keep answers, and limit the time of requests.
pub trait Terminology: Debug + Send + Sync {
    /// Whether the code is in the ValueSet of this canonical url (`$validate-code`). A code without
    /// system is in it when it is there with any system.
    ///
    /// # Errors
    /// [`TerminologyError`]; [`TerminologyError::Unknown`] lets another one be asked.
    fn is_member(&self, value_set: &str, code: &Code) -> Result<bool, TerminologyError>;

    /// What the ConceptMap of this canonical url makes of the code (`$translate`), best first; none
    /// when the map does not have it.
    ///
    /// # Errors
    /// [`TerminologyError`]; [`TerminologyError::Unknown`] lets another one be asked.
    fn translate(
        &self,
        concept_map: &str,
        code: &Code,
    ) -> Result<Vec<Translation>, TerminologyError>;
}
