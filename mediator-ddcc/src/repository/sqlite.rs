//! The FHIR repository in the embedded database.

mod held;
mod reference;
mod search;
mod transaction;

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use sqlx::Row as _;
use sqlx::sqlite::{SqliteConnection, SqliteRow};

use self::transaction::Transaction;
use super::{FhirRepository, RepositoryError};
use crate::database::{Database, DatabaseError};
use crate::document::registration::Registration;

/// Keeps FHIR resources in a [`Database`], each in its current version.
///
/// `meta.versionId` and `meta.lastUpdated` are added when a resource is read, except to a Bundle:
/// a signed document is returned as it was stored. The resources that a document holds are not
/// stored beside it, but taken out of it when they are read.
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

    async fn execute(&self, transaction: Transaction) -> Result<Value, RepositoryError> {
        let transaction = Arc::new(transaction);
        self.database
            .write(move |connection| {
                let transaction = Arc::clone(&transaction);
                Box::pin(async move { transaction.execute(connection).await })
            })
            .await
    }
}

#[async_trait]
impl FhirRepository for SqliteRepository {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        self.execute(Transaction::read(bundle)?).await
    }

    async fn provide_document_bundle(
        &self,
        registration: Registration<'_>,
    ) -> Result<(), RepositoryError> {
        let transaction = Transaction::of_registration(registration)?;
        self.execute(transaction).await.map(drop)
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        let mut connection = self
            .database
            .readers()
            .acquire()
            .await
            .map_err(DatabaseError::from)?;
        read(&mut connection, resource_type, id).await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        let mut connection = self
            .database
            .readers()
            .acquire()
            .await
            .map_err(DatabaseError::from)?;
        search(&mut connection, resource_type, parameters).await
    }
}

/// Resources that there are, each with its content or the document that holds it.
const SELECT: &str = "SELECT r.resource_type, r.id, r.version, r.last_updated, r.is_held, \
     c.text, c.moved FROM resource r JOIN content c ON c.number = r.content WHERE TRUE";

async fn read(
    connection: &mut SqliteConnection,
    resource_type: &str,
    id: &str,
) -> Result<Option<Value>, RepositoryError> {
    let sql = format!("{SELECT} AND r.resource_type = ? AND r.id = ?");
    let row = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(resource_type)
        .bind(id)
        .fetch_optional(connection)
        .await
        .map_err(DatabaseError::from)?;
    row.as_ref().map(resource).transpose()
}

async fn search(
    connection: &mut SqliteConnection,
    resource_type: &str,
    parameters: &[(&str, &str)],
) -> Result<Vec<Value>, RepositoryError> {
    let criteria = search::criteria(resource_type, parameters)?;
    let rows = search::query(resource_type, &criteria)
        .build()
        .fetch_all(connection)
        .await
        .map_err(DatabaseError::from)?;
    let mut found = Vec::new();
    for row in &rows {
        let resource = resource(row)?;
        if search::matches(resource_type, &resource, &criteria) {
            found.push(resource);
        }
    }
    Ok(found)
}

impl From<DatabaseError> for RepositoryError {
    fn from(error: DatabaseError) -> Self {
        Self::Unavailable(error.to_string())
    }
}

/// The resource of a row of [`SELECT`].
fn resource(row: &SqliteRow) -> Result<Value, RepositoryError> {
    let unreadable = || RepositoryError::Unavailable("a stored resource is unreadable".to_owned());
    let broken = |_| unreadable();
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| unreadable());
    let mut resource = json(row.try_get("text").map_err(broken)?)?;
    if row.try_get("is_held").map_err(broken)? {
        let moved: Option<&str> = row.try_get("moved").map_err(broken)?;
        let moved = moved.map(json).transpose()?;
        let moved = moved.as_ref().and_then(Value::as_object).cloned();
        let (resource_type, id): (&str, &str) = (
            row.try_get("resource_type").map_err(broken)?,
            row.try_get("id").map_err(broken)?,
        );
        resource = held::Holder::of(&resource, &moved.unwrap_or_default())
            .resource(resource_type, id)
            .ok_or_else(unreadable)?;
    }
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

/// Takes away what [`resource`] adds.
fn remove_version(resource: &mut Value) {
    let Some(object) = resource.as_object_mut() else {
        return;
    };
    if let Some(meta) = object.get_mut("meta").and_then(Value::as_object_mut) {
        meta.remove("versionId");
        meta.remove("lastUpdated");
        if meta.is_empty() {
            object.remove("meta");
        }
    }
}

#[cfg(test)]
mod tests;
