//! The FHIR repository in the embedded database.

mod held;
mod reference;
mod search;
mod transaction;
mod unmoved;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, Row, params_from_iter};
use serde_json::{Value, json};

use self::transaction::{Executed, Transaction};
use super::{FhirRepository, RepositoryError};
use crate::database::{Database, DatabaseError};
use crate::document::registration::Registration;

pub(super) use unmoved::{Key, UnmovedResource};
pub use unmoved::{Unmoved, unmoved_in};

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

    async fn execute(&self, transaction: Arc<Transaction>) -> Result<Executed, RepositoryError> {
        self.database
            .write(move |connection| transaction.execute(connection))
            .await
    }
}

#[async_trait]
impl FhirRepository for SqliteRepository {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        let transaction = Arc::new(Transaction::read(bundle)?);
        let executed = self.execute(Arc::clone(&transaction)).await?;
        Ok(transaction.response(&executed))
    }

    async fn provide_document_bundle(
        &self,
        registration: Registration<'_>,
    ) -> Result<(), RepositoryError> {
        let transaction = Transaction::of_registration(registration)?;
        self.execute(Arc::new(transaction)).await.map(drop)
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        self.database
            .read_little(|connection| read(connection, resource_type, id))
            .await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        let criteria = search::criteria(resource_type, parameters)?;
        let resource_type = resource_type.to_owned();
        self.database
            .read(move |connection| search(connection, &resource_type, criteria))
            .await
    }
}

/// Resources that there are, each with its content or the document that holds it.
const SELECT: &str = "SELECT r.resource_type, r.id, r.version, r.last_updated, r.is_held, \
     c.text, c.moved FROM resource r JOIN content c ON c.number = r.content WHERE TRUE";

const SELECT_ONE: &str = "SELECT r.resource_type, r.id, r.version, r.last_updated, r.is_held, \
     c.text, c.moved FROM resource r JOIN content c ON c.number = r.content \
     WHERE r.resource_type = ? AND r.id = ?";

fn read(
    connection: &Connection,
    resource_type: &str,
    id: &str,
) -> Result<Option<Value>, RepositoryError> {
    let mut select = connection
        .prepare_cached(SELECT_ONE)
        .map_err(DatabaseError::from)?;
    let mut rows = select
        .query([resource_type, id])
        .map_err(DatabaseError::from)?;
    let row = rows.next().map_err(DatabaseError::from)?;
    row.map(resource).transpose()
}

fn search(
    connection: &Connection,
    resource_type: &str,
    mut criteria: Vec<search::Criterion>,
) -> Result<Vec<Value>, RepositoryError> {
    for criterion in &mut criteria {
        if let Some(of_patients) = criterion.of_patients() {
            criterion.refer_to(&search(connection, "Patient", vec![of_patients])?);
        }
    }
    let (sql, values) = search::query(resource_type, &criteria);
    let mut select = connection.prepare(&sql).map_err(DatabaseError::from)?;
    let mut rows = select
        .query(params_from_iter(values))
        .map_err(DatabaseError::from)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(DatabaseError::from)? {
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
fn resource(row: &Row<'_>) -> Result<Value, RepositoryError> {
    const UNREADABLE: &str = "a stored resource is unreadable";
    let unreadable = || RepositoryError::Unavailable(UNREADABLE.to_owned());
    let broken = |_| unreadable();
    let json = |text: &str| serde_json::from_str::<Value>(text).map_err(|_| unreadable());
    let column = |index: usize| row.get_ref(index).map_err(|_| unreadable());
    let text = |index: usize| column(index)?.as_str().map_err(|_| unreadable());
    let mut resource = json(text(5)?)?;
    if row.get(4).map_err(broken)? {
        let moved = column(6)?.as_str_or_null().map_err(|_| unreadable())?;
        let moved = moved.map(json).transpose()?;
        let moved = moved.as_ref().and_then(Value::as_object).cloned();
        resource = held::Holder::of(&resource, &moved.unwrap_or_default())
            .resource(text(0)?, text(1)?)
            .ok_or_else(unreadable)?;
    }
    if resource.get("resourceType") == Some(&json!("Bundle")) {
        return Ok(resource);
    }
    let version: i64 = row.get(2).map_err(broken)?;
    if let Some(object) = resource.as_object_mut() {
        let meta = object.entry("meta").or_insert_with(|| json!({}));
        if let Some(meta) = meta.as_object_mut() {
            meta.insert("versionId".to_owned(), json!(version.to_string()));
            meta.insert("lastUpdated".to_owned(), json!(text(3)?));
        }
    }
    Ok(resource)
}

#[cfg(test)]
mod tests;
