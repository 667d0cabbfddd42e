//! The FHIR repository in the embedded database.

mod reference;
mod search;
mod transaction;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::{FhirRepository, RepositoryError};
use crate::database::{Database, DatabaseError};

/// Keeps FHIR resources in a [`Database`], each in its current version.
///
/// `meta.versionId` and `meta.lastUpdated` are added when a resource is read, except to a Bundle:
/// a signed document is returned as it was stored.
#[derive(Clone)]
pub struct SqliteRepository {
    database: Database,
}

impl SqliteRepository {
    /// A repository in this database.
    #[must_use]
    pub fn new(database: Database) -> Self {
        Self { database }
    }
}

#[async_trait]
impl FhirRepository for SqliteRepository {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        let transaction = transaction::Transaction::read(bundle)?;
        self.database
            .write(move |connection| Box::pin(transaction.execute(connection)))
            .await
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        let row = sqlx::query(
            "SELECT version, last_updated, content FROM resource \
             WHERE resource_type = ? AND id = ? AND content IS NOT NULL",
        )
        .bind(resource_type)
        .bind(id)
        .fetch_optional(self.database.readers())
        .await
        .map_err(DatabaseError::from)?;
        row.as_ref().map(resource).transpose()
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        let mut query = search::query(resource_type, parameters)?;
        let rows = query
            .build()
            .fetch_all(self.database.readers())
            .await
            .map_err(DatabaseError::from)?;
        rows.iter().map(resource).collect()
    }
}

impl From<DatabaseError> for RepositoryError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// A resource of a row with `version`, `last_updated` and `content`.
fn resource(row: &SqliteRow) -> Result<Value, RepositoryError> {
    let broken = |_| RepositoryError::Unavailable("a stored resource is unreadable".to_owned());
    let content: String = row.try_get("content").map_err(broken)?;
    let mut resource: Value = serde_json::from_str(&content)
        .map_err(|_| RepositoryError::Unavailable("a stored resource is unreadable".to_owned()))?;
    if resource.get("resourceType") == Some(&json!("Bundle")) {
        return Ok(resource);
    }
    let version: i64 = row.try_get("version").map_err(broken)?;
    let last_updated: String = row.try_get("last_updated").map_err(broken)?;
    if let Some(object) = resource.as_object_mut() {
        let meta = object.entry("meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("versionId".to_owned(), json!(version.to_string()));
            meta.insert("lastUpdated".to_owned(), json!(last_updated));
        }
    }
    Ok(resource)
}

#[cfg(test)]
mod tests;
