//! Executing a transaction Bundle (FHIR R4 3.1.0.11): every entry or none.

use std::collections::{HashMap, HashSet};

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Row as _, Sqlite};
use uuid::Uuid;

use super::super::RepositoryError;
use super::{reference, search};
use crate::database::DatabaseError;

/// Entries of one transaction at most.
const MAXIMUM_ENTRIES: usize = 1000;

/// A transaction that was read and found executable.
pub(super) struct Transaction {
    entries: Vec<Entry>,
}

struct Entry {
    action: Action,
    resource_type: String,
    id: String,
    if_match: Option<i64>,
    if_none_exist: Option<Vec<(String, String)>>,
}

enum Action {
    /// PUT, or POST with the id made here; the resource as text, and what it is found by.
    Store(String, Vec<search::IndexRow>),
    Delete,
}

impl Transaction {
    /// Checks the Bundle and prepares everything that needs no database.
    pub(super) fn read(mut bundle: Value) -> Result<Self, RepositoryError> {
        if bundle.get("type").and_then(Value::as_str) != Some("transaction") {
            return refuse("Bundle.type: a transaction is asked for");
        }
        let Some(Value::Array(values)) = bundle.get_mut("entry").map(Value::take) else {
            return refuse("Bundle.entry: at least one entry is needed");
        };
        if values.len() > MAXIMUM_ENTRIES {
            return refuse("Bundle.entry: a transaction has at most 1000 entries");
        }
        let mut locations = HashMap::new();
        let mut seen = HashSet::new();
        let mut drafts = Vec::with_capacity(values.len());
        for (index, value) in values.into_iter().enumerate() {
            let draft = Draft::read(index, value)?;
            if !seen.insert((draft.resource_type.clone(), draft.id.clone())) {
                return refuse(format!(
                    "Bundle.entry[{index}]: the same resource is in two entries"
                ));
            }
            if let Some(full_url) = &draft.full_url {
                locations.insert(
                    full_url.clone(),
                    format!("{}/{}", draft.resource_type, draft.id),
                );
            }
            drafts.push(draft);
        }
        let entries = drafts
            .into_iter()
            .map(|draft| draft.finish(&locations))
            .collect();
        Ok(Self { entries })
    }

    pub(super) async fn execute(
        mut self,
        connection: &mut SqliteConnection,
    ) -> Result<Value, RepositoryError> {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut existing = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            entry.check_version(&mut *connection).await?;
            if let Some(location) = entry.find_existing(&mut *connection).await? {
                existing.insert(index, location);
            }
        }
        let versions = self.store(&mut *connection, &existing, &now).await?;
        self.index(&mut *connection, &existing, &versions).await?;
        let mut response = Vec::with_capacity(self.entries.len());
        for (index, entry) in self.entries.drain(..).enumerate() {
            response.push(match (existing.remove(&index), &entry.action) {
                (Some(location), _) => json!({"response": {"status": "200 OK", "location": location}}),
                (None, Action::Store(..)) => {
                    let version = versions.get(&(entry.resource_type.clone(), entry.id.clone())).copied().unwrap_or(1);
                    json!({"response": {
                        "status": if version == 1 { "201 Created" } else { "200 OK" },
                        "location": format!("{}/{}/_history/{version}", entry.resource_type, entry.id),
                        "etag": format!("W/\"{version}\""),
                        "lastModified": now,
                    }})
                }
                (None, Action::Delete) => {
                    entry.delete(&mut *connection, &now).await?;
                    json!({"response": {"status": "204 No Content"}})
                }
            });
        }
        Ok(json!({"resourceType": "Bundle", "type": "transaction-response", "entry": response}))
    }

    /// Stores every resource in one statement; returns their new versions.
    async fn store(
        &self,
        connection: &mut SqliteConnection,
        existing: &HashMap<usize, String>,
        now: &str,
    ) -> Result<HashMap<(String, String), i64>, RepositoryError> {
        let stored: Vec<(&Entry, &String)> = self
            .stored(existing)
            .map(|(entry, text, _)| (entry, text))
            .collect();
        if stored.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
            "INSERT INTO resource (resource_type, id, version, last_updated, content) ",
        );
        query.push_values(stored, |mut row, (entry, text)| {
            row.push_bind(&entry.resource_type)
                .push_bind(&entry.id)
                .push_bind(1_i64)
                .push_bind(now)
                .push_bind(text);
        });
        query.push(
            " ON CONFLICT (resource_type, id) DO UPDATE SET version = resource.version + 1, \
             last_updated = excluded.last_updated, content = excluded.content \
             RETURNING resource_type, id, version",
        );
        let rows = query
            .build()
            .fetch_all(connection)
            .await
            .map_err(DatabaseError::from)?;
        Ok(rows
            .iter()
            .map(|row| ((row.get(0), row.get(1)), row.get(2)))
            .collect())
    }

    async fn index(
        &self,
        connection: &mut SqliteConnection,
        existing: &HashMap<usize, String>,
        versions: &HashMap<(String, String), i64>,
    ) -> Result<(), RepositoryError> {
        for ((resource_type, id), _) in versions.iter().filter(|(_, version)| **version > 1) {
            remove_index(&mut *connection, resource_type, id).await?;
        }
        let rows: Vec<_> = self
            .stored(existing)
            .flat_map(|(entry, _, rows)| rows.iter().map(move |row| (entry, row)))
            .collect();
        // SQLite takes 32766 values in a statement, five for each row here.
        for rows in rows.chunks(6000) {
            let mut query: QueryBuilder<Sqlite> = QueryBuilder::new(
                "INSERT INTO search_index (resource_type, id, parameter, system, value) ",
            );
            query.push_values(rows, |mut values, (entry, row)| {
                values
                    .push_bind(&entry.resource_type)
                    .push_bind(&entry.id)
                    .push_bind(row.parameter)
                    .push_bind(&row.system)
                    .push_bind(&row.value);
            });
            query
                .build()
                .execute(&mut *connection)
                .await
                .map_err(DatabaseError::from)?;
        }
        Ok(())
    }

    fn stored<'a>(
        &'a self,
        existing: &'a HashMap<usize, String>,
    ) -> impl Iterator<Item = (&'a Entry, &'a String, &'a Vec<search::IndexRow>)> {
        self.entries
            .iter()
            .enumerate()
            .filter(|(index, _)| !existing.contains_key(index))
            .filter_map(|(_, entry)| match &entry.action {
                Action::Store(text, rows) => Some((entry, text, rows)),
                Action::Delete => None,
            })
    }
}

impl Entry {
    /// `ifMatch`: the version that the client knows is still the current one.
    async fn check_version(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<(), RepositoryError> {
        let Some(expected) = self.if_match else {
            return Ok(());
        };
        let current: Option<i64> = sqlx::query_scalar(
            "SELECT version FROM resource WHERE resource_type = ? AND id = ? AND content IS NOT NULL",
        )
        .bind(&self.resource_type)
        .bind(&self.id)
        .fetch_optional(connection)
        .await
        .map_err(DatabaseError::from)?;
        // Version 0 stands for `If-None-Match: *`: it must not exist yet.
        if current.unwrap_or(0) == expected {
            Ok(())
        } else {
            Err(RepositoryError::VersionConflict {
                resource: format!("{}/{}", self.resource_type, self.id),
            })
        }
    }

    /// `ifNoneExist`: the location of the resource that is there already.
    async fn find_existing(
        &self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<String>, RepositoryError> {
        let Some(parameters) = &self.if_none_exist else {
            return Ok(None);
        };
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let rows = search::query(&self.resource_type, &parameters)?
            .build()
            .fetch_all(connection)
            .await
            .map_err(DatabaseError::from)?;
        match rows.as_slice() {
            [] => Ok(None),
            [row] => {
                let resource = super::resource(row)?;
                let id = resource.get("id").and_then(Value::as_str);
                Ok(id.map(|id| format!("{}/{id}", self.resource_type)))
            }
            _ => refuse(format!(
                "ifNoneExist of {} matches several resources",
                self.resource_type
            )),
        }
    }

    async fn delete(
        &self,
        connection: &mut SqliteConnection,
        now: &str,
    ) -> Result<(), RepositoryError> {
        sqlx::query(
            "UPDATE resource SET content = NULL, version = version + 1, last_updated = ? \
             WHERE resource_type = ? AND id = ? AND content IS NOT NULL",
        )
        .bind(now)
        .bind(&self.resource_type)
        .bind(&self.id)
        .execute(&mut *connection)
        .await
        .map_err(DatabaseError::from)?;
        remove_index(connection, &self.resource_type, &self.id).await
    }
}

async fn remove_index(
    connection: &mut SqliteConnection,
    resource_type: &str,
    id: &str,
) -> Result<(), RepositoryError> {
    sqlx::query("DELETE FROM search_index WHERE resource_type = ? AND id = ?")
        .bind(resource_type)
        .bind(id)
        .execute(connection)
        .await
        .map_err(DatabaseError::from)?;
    Ok(())
}

/// An entry before references are resolved.
struct Draft {
    full_url: Option<String>,
    resource: Option<Value>,
    resource_type: String,
    id: String,
    if_match: Option<i64>,
    if_none_exist: Option<Vec<(String, String)>>,
}

impl Draft {
    fn read(index: usize, mut value: Value) -> Result<Self, RepositoryError> {
        let at =
            |element: &str, text: &str| refuse(format!("Bundle.entry[{index}].{element}: {text}"));
        let request = value.get("request").cloned().unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let url = text("url").unwrap_or_default().trim_start_matches('/');
        let resource = value.get_mut("resource").map(Value::take);
        let in_resource = |name: &str| {
            resource
                .as_ref()
                .and_then(|resource| resource.get(name)?.as_str())
                .map(str::to_owned)
        };
        let (resource_type, id) = match (text("method"), url.split_once('/')) {
            (Some("PUT" | "DELETE"), Some((resource_type, id))) => (resource_type, id.to_owned()),
            (Some("PUT" | "DELETE"), None) => return at("request.url", "Type/id is asked for"),
            (Some("POST"), None) if !url.is_empty() => (url, Uuid::new_v4().to_string()),
            (Some("POST"), _) => return at("request.url", "a resource type is asked for"),
            _ => return at("request.method", "PUT, POST or DELETE is asked for"),
        };
        if !is_type(resource_type) || !is_id(&id) {
            return at("request.url", "this is no resource type or id");
        }
        match (text("method"), in_resource("resourceType")) {
            (Some("DELETE"), _) => {}
            (_, Some(found)) if found == resource_type => {}
            _ => {
                return at(
                    "resource",
                    "a resource of the type in request.url is asked for",
                );
            }
        }
        // A signed document keeps the id it was signed with, or none.
        if text("method") == Some("PUT")
            && in_resource("id").is_some_and(|found| found != id)
            && resource_type != "Bundle"
        {
            return at("resource.id", "the id is not the one in request.url");
        }
        let if_match = match (text("ifMatch"), text("ifNoneMatch")) {
            (None, Some("*")) => Some(0),
            (Some(etag), _) => match version_of(etag) {
                Some(version) => Some(version),
                None => return at("request.ifMatch", "W/\"version\" is asked for"),
            },
            (None, None) => None,
            (None, Some(_)) => return at("request.ifNoneMatch", "only * is supported"),
        };
        let if_none_exist = text("ifNoneExist").map(|query| {
            query
                .trim_start_matches('?')
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect::<Vec<_>>()
        });
        if if_none_exist.as_ref().is_some_and(Vec::is_empty) {
            return at("request.ifNoneExist", "a search is asked for");
        }
        Ok(Self {
            full_url: value
                .get("fullUrl")
                .and_then(Value::as_str)
                .map(str::to_owned),
            resource: if text("method") == Some("DELETE") {
                None
            } else {
                resource
            },
            resource_type: resource_type.to_owned(),
            id,
            if_match,
            if_none_exist,
        })
    }

    fn finish(self, locations: &HashMap<String, String>) -> Entry {
        let action = match self.resource {
            None => Action::Delete,
            Some(mut resource) => {
                reference::resolve(&mut resource, locations);
                if let Some(object) = resource.as_object_mut()
                    && self.resource_type != "Bundle"
                {
                    object.insert("id".to_owned(), json!(self.id));
                }
                let rows = search::index(&self.resource_type, &resource);
                Action::Store(resource.to_string(), rows)
            }
        };
        Entry {
            action,
            resource_type: self.resource_type,
            id: self.id,
            if_match: self.if_match,
            if_none_exist: self.if_none_exist,
        }
    }
}

fn version_of(etag: &str) -> Option<i64> {
    etag.strip_prefix("W/")?
        .strip_prefix('"')?
        .strip_suffix('"')?
        .parse()
        .ok()
        .filter(|version| *version > 0)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

fn is_type(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// FHIR `id`: 1 to 64 letters, digits, `-` and `.`.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

fn refuse<T>(reason: impl Into<String>) -> Result<T, RepositoryError> {
    Err(RepositoryError::Refused(reason.into()))
}
