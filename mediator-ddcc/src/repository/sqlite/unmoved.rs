//! What of the embedded database is not in a FHIR server yet, and what belongs together.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};
use serde_json::Value;

use super::super::RepositoryError;
use super::{SqliteRepository, held, reference, search};
use crate::database::{self, DatabaseError};
use crate::resource::remove_version;

/// Resources that there are, and that were not moved as they are now.
const UNMOVED: &str = "FROM resource r WHERE r.content IS NOT NULL AND NOT EXISTS \
     (SELECT 1 FROM moved m WHERE m.id = r.id AND m.resource_type = r.resource_type \
      AND m.version = r.version)";

/// What is still to be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unmoved {
    /// Documents.
    pub documents: u32,
    /// Resources, documents among them.
    pub resources: u32,
}

/// Type and id of a resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in super::super) struct Key {
    pub(in super::super) resource_type: String,
    pub(in super::super) id: String,
}

impl Key {
    pub(in super::super) fn new(resource_type: &str, id: &str) -> Self {
        Self {
            resource_type: resource_type.to_owned(),
            id: id.to_owned(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.resource_type, self.id)
    }
}

/// A resource that is to be moved, without what says of its version.
#[derive(Debug)]
pub(in super::super) struct UnmovedResource {
    pub(in super::super) key: Key,
    pub(in super::super) version: i64,
    pub(in super::super) resource: Value,
}

/// What there is to be moved from the database in this file, without changing anything: the file
/// may also be of an earlier version of this program.
///
/// # Errors
/// [`DatabaseError`] when it cannot be read.
pub fn unmoved_in(file: &Path) -> Result<Unmoved, DatabaseError> {
    let connection = database::connect(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'moved'";
    if connection.prepare(sql)?.exists([])? {
        return count(&connection);
    }
    count_of(&connection, "FROM resource r WHERE r.content IS NOT NULL")
}

fn count(connection: &Connection) -> Result<Unmoved, DatabaseError> {
    count_of(connection, UNMOVED)
}

fn count_of(connection: &Connection, which: &str) -> Result<Unmoved, DatabaseError> {
    let sql =
        format!("SELECT count(*) FILTER (WHERE r.resource_type = 'Bundle'), count(*) {which}");
    Ok(connection.query_one(&sql, [], |row| {
        Ok(Unmoved {
            documents: row.get(0)?,
            resources: row.get(1)?,
        })
    })?)
}

impl SqliteRepository {
    /// How much is to be moved.
    ///
    /// # Errors
    /// [`RepositoryError::Unavailable`] when the database cannot be read.
    pub async fn unmoved(&self) -> Result<Unmoved, RepositoryError> {
        let counted = self.database.read(count).await;
        counted.map_err(RepositoryError::from)
    }

    pub(in super::super) async fn is_unmoved(&self, key: &Key) -> Result<bool, RepositoryError> {
        self.database
            .read_little(|connection| Ok(version_to_move(connection, key)?.is_some()))
            .await
    }

    /// Resources that are to be moved, in an order that stays; of this type, where one is named.
    pub(in super::super) async fn unmoved_after(
        &self,
        after: Option<&Key>,
        resource_type: Option<&'static str>,
        limit: u32,
    ) -> Result<Vec<Key>, RepositoryError> {
        let after = after.cloned().unwrap_or_else(|| Key::new("", ""));
        let read = move |connection: &Connection| {
            let sql = format!(
                "SELECT r.resource_type, r.id {UNMOVED} \
                 AND (r.id, r.resource_type) > (?1, ?2) AND (?3 IS NULL OR r.resource_type = ?3) \
                 ORDER BY r.id, r.resource_type LIMIT ?4"
            );
            let mut select = connection.prepare(&sql)?;
            let values = params![after.id, after.resource_type, resource_type, limit];
            let rows = select.query_map(values, |row| {
                Ok(Key {
                    resource_type: row.get(0)?,
                    id: row.get(1)?,
                })
            })?;
            Ok::<_, DatabaseError>(rows.collect::<Result<Vec<Key>, _>>()?)
        };
        Ok(self.database.read(read).await?)
    }

    /// These resources with all that has to be moved with them: what they refer to, what a document
    /// holds, and the Lists that they are in.
    pub(in super::super) async fn unmoved_with(
        &self,
        keys: &[Key],
    ) -> Result<Vec<UnmovedResource>, RepositoryError> {
        let keys = VecDeque::from(keys.to_vec());
        self.database
            .read(move |connection| together(connection, keys))
            .await
    }

    /// Notes the versions of resources that are in the server now.
    pub(in super::super) async fn mark_as_moved(
        &self,
        moved: Vec<(Key, i64)>,
    ) -> Result<(), RepositoryError> {
        let write = move |connection: &Connection| {
            let mut insert = connection.prepare_cached(
                "INSERT OR REPLACE INTO moved (resource_type, id, version) VALUES (?, ?, ?)",
            )?;
            for (key, version) in &moved {
                insert.execute(params![key.resource_type, key.id, version])?;
            }
            Ok::<_, DatabaseError>(())
        };
        Ok(self.database.write(write).await?)
    }
}

fn version_to_move(connection: &Connection, key: &Key) -> Result<Option<i64>, DatabaseError> {
    let sql = format!("SELECT r.version {UNMOVED} AND r.id = ? AND r.resource_type = ?");
    let mut select = connection.prepare_cached(&sql)?;
    let version = select.query_row([&key.id, &key.resource_type], |row| row.get(0));
    Ok(version.optional()?)
}

fn together(
    connection: &Connection,
    mut keys: VecDeque<Key>,
) -> Result<Vec<UnmovedResource>, RepositoryError> {
    let mut seen = HashSet::new();
    let mut found = Vec::new();
    while let Some(key) = keys.pop_front() {
        if !seen.insert(key.clone()) {
            continue;
        }
        let Some(version) = version_to_move(connection, &key)? else {
            continue;
        };
        let Some(mut resource) = super::read(connection, &key.resource_type, &key.id)? else {
            continue;
        };
        if key.resource_type == "Bundle" {
            keys.extend(held::resources(&resource).map(|(kind, id, _)| Key::new(kind, id)));
        } else {
            remove_version(&mut resource);
            let targets = reference::targets(&resource).into_iter();
            keys.extend(targets.map(|(kind, id)| Key::new(kind, id)));
        }
        keys.extend(lists_with(connection, &key)?);
        found.push(UnmovedResource {
            key,
            version,
            resource,
        });
    }
    Ok(found)
}

fn lists_with(connection: &Connection, item: &Key) -> Result<Vec<Key>, DatabaseError> {
    let mut select = connection.prepare_cached(
        "SELECT id FROM search_index \
         WHERE key = ? AND parameter = 'item' AND resource_type = 'List'",
    )?;
    let ids = select.query_map([search::key(&item.to_string())], |row| {
        row.get::<_, String>(0)
    })?;
    Ok(ids
        .map(|id| Ok(Key::new("List", &id?)))
        .collect::<Result<Vec<Key>, rusqlite::Error>>()?)
}
