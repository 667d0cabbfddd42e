//! Where FHIR resources are kept: any FHIR R4 server, or the embedded SQLite one.

pub(crate) mod document_of_composition;
pub mod moving;
pub mod rest;
pub mod sqlite;

use async_trait::async_trait;
use serde_json::Value;

use crate::document::registration::Registration;
use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

/// A FHIR R4 repository, as far as the DDCC transactions need one.
#[async_trait]
pub trait FhirRepository: Send + Sync {
    /// Executes a `Bundle` of type `transaction` (FHIR R4 3.1.0.11): every entry or none.
    ///
    /// Entries are `PUT Type/id` (with `ifMatch`, or `ifNoneMatch: *` for what must not be there
    /// yet), `POST Type` (with `ifNoneExist`) and `DELETE Type/id`; references to a `fullUrl` of the Bundle are rewritten to `Type/id`.
    /// Returns the `transaction-response`.
    ///
    /// # Errors
    /// [`RepositoryError`]; nothing was written then.
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError>;

    /// Stores and registers a document: what its transaction does, for which a repository may have
    /// a shorter way.
    ///
    /// # Errors
    /// Those of [`FhirRepository::transaction`].
    async fn provide_document_bundle(
        &self,
        registration: Registration<'_>,
    ) -> Result<(), RepositoryError> {
        let executed = self.transaction(registration.into_transaction());
        executed.await.map(drop)
    }

    /// Reads one resource with its `meta.versionId`; `None` when it does not exist (any more).
    ///
    /// # Errors
    /// [`RepositoryError::Unavailable`] when the repository cannot be asked.
    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError>;

    /// Searches by FHIR search parameters, such as
    /// `[("code", "folder"), ("identifier", "urn:x|123")]`; all must match.
    ///
    /// # Errors
    /// [`RepositoryError::UnsupportedParameter`] rather than a wrong result.
    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError>;

    /// A document of a stored Composition, as the operation `Composition/[id]/$document` makes
    /// one: unsigned, and not kept. `None` when there is no such Composition.
    ///
    /// # Errors
    /// [`RepositoryError::Refused`] when a resource that it refers to is not there.
    async fn document(&self, composition_id: &str) -> Result<Option<Value>, RepositoryError> {
        document_of_composition::assemble(self, composition_id).await
    }
}

/// Why the repository did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// `ifMatch` named a version that is not the current one: read again and repeat.
    #[error("{resource} was changed by someone else in the meantime; read it again and repeat")]
    VersionConflict {
        /// `Type/id`.
        resource: String,
    },
    /// The request is not one that this repository can execute; repeating it does not help.
    #[error("the repository refused the request: {0}")]
    Refused(String),
    /// It does not take this service's credentials (401), or does not let it do this (403).
    #[error("the repository does not permit the request: {0}")]
    NotPermitted(String),
    /// The answer is none of a FHIR repository. The request may have been executed.
    #[error("the answer of the repository is unreadable: {0}")]
    Unreadable(String),
    /// A search parameter that the repository does not know.
    #[error("search parameter {parameter} of {resource_type} is not supported by the repository")]
    UnsupportedParameter {
        /// Resource type searched.
        resource_type: String,
        /// Parameter's name.
        parameter: String,
    },
    /// The repository cannot be reached or failed: safe to repeat.
    #[error("the repository is unavailable: {0}")]
    Unavailable(String),
}

impl From<RepositoryError> for OperationOutcome {
    fn from(error: RepositoryError) -> Self {
        let (status, code) = match &error {
            RepositoryError::VersionConflict { .. } => (409, IssueType::Conflict),
            RepositoryError::Refused(_)
            | RepositoryError::NotPermitted(_)
            | RepositoryError::Unreadable(_) => (502, IssueType::Exception),
            RepositoryError::UnsupportedParameter { .. } => (400, IssueType::NotSupported),
            RepositoryError::Unavailable(_) => (503, IssueType::Transient),
        };
        Self::new(status, Issue::general(code, error.to_string()))
    }
}
