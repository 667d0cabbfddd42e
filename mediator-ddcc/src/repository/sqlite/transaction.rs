//! Executing a transaction Bundle (FHIR R4 3.1.0.11): every entry or none.

mod draft;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{SecondsFormat, Utc};
use rusqlite::{Connection, OptionalExtension as _, Params, params};
use serde_json::{Map, Value, json};

use self::draft::{Draft, drafts, refuse};
use super::super::RepositoryError;
use super::{held, search};
use crate::database::DatabaseError;
use crate::document::registration::Registration;
use crate::json_text::json_text;
use crate::resource::remove_version;

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
    /// Whether this is the document that holds others.
    is_document: bool,
    if_match: Option<i64>,
    if_none_exist: Option<Vec<(String, String)>>,
}

enum Action {
    /// PUT, or POST with the id made here.
    Store {
        content: Content,
        /// What it is found by.
        index: Vec<search::IndexRow>,
    },
    Delete,
}

/// Where a resource is.
enum Content {
    /// JSON; of a document also where its entries are that moved.
    Text(Arc<str>, Option<String>),
    /// In the document of the transaction.
    InDocument,
}

/// A resource that was stored earlier.
struct Known {
    version: i64,
    /// Number of its content; `None` when it was deleted.
    content: Option<i64>,
    is_held: bool,
}

/// What became of a transaction.
pub(super) struct Executed {
    /// What was stored before, by the entries' places.
    known: HashMap<usize, Known>,
    /// Locations of what was there already (`ifNoneExist`), likewise.
    existing: HashMap<usize, String>,
    /// Time of what is stored now.
    now: String,
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
        let drafts = drafts(values, HashMap::new())?;
        Ok(Self {
            entries: entries(drafts),
        })
    }

    /// What the registration's transaction does. It would copy the document for its resources, only
    /// to find that the document holds them.
    pub(super) fn of_registration(registration: Registration<'_>) -> Result<Self, RepositoryError> {
        let (document, patient, others) = registration.into_parts();
        let bundle = document.bundle();
        let patient_id = patient
            .full_url
            .strip_prefix("urn:uuid:")
            .map(str::to_owned);
        let moved = Map::from_iter([(patient.full_url, patient.location.into())]);
        let mut locations = held::locations(bundle, &moved);
        let mut entries: Vec<Entry> = held::resources(bundle)
            .filter(|(_, id, _)| Some(*id) != patient_id.as_deref())
            .map(|(resource_type, id, resource)| {
                let index = search::stored_index(resource_type, id, resource, &locations);
                Entry::stored(resource_type, id, Content::InDocument, index)
            })
            .collect();
        let id = document.id().to_string();
        let content = Content::Text(Arc::clone(document.text()), Some(json_text(&moved.into())));
        let index = search::stored_index("Bundle", &id, bundle, &HashMap::new());
        entries.push(Entry {
            is_document: true,
            ..Entry::stored("Bundle", &id, content, index)
        });
        locations.insert(format!("urn:uuid:{id}"), format!("Bundle/{id}"));
        entries.extend(self::entries(drafts(others, locations)?));
        Ok(Self { entries })
    }

    pub(super) fn execute(&self, connection: &Connection) -> Result<Executed, RepositoryError> {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true);
        let mut known = self.known(connection)?;
        let mut existing = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            entry.check_version(known.get(&index))?;
            if let Some(location) = entry.find_existing(connection)? {
                existing.insert(index, location);
            }
        }
        known.retain(|index, _| !existing.contains_key(index));
        let mut replaced: Vec<(&Entry, &Known)> = known
            .iter()
            .filter_map(|(index, known)| Some((self.entries.get(*index)?, known)))
            .collect();
        // Documents last: what they hold is read first.
        replaced.sort_by_key(|(entry, _)| entry.resource_type == "Bundle");
        for (entry, known) in &replaced {
            forget(connection, entry, known, &replaced)?;
        }
        self.store(connection, &known, &existing, &now)?;
        Ok(Executed {
            known,
            existing,
            now,
        })
    }

    /// The transaction-response Bundle.
    pub(super) fn response(&self, executed: &Executed) -> Value {
        let Executed {
            known,
            existing,
            now,
        } = executed;
        let response: Vec<Value> = self
            .entries
            .iter()
            .enumerate()
            .map(|(index, entry)| match (existing.get(&index), &entry.action) {
                (Some(location), _) => {
                    json!({"response": {"status": "200 OK", "location": location}})
                }
                (None, Action::Store { .. }) => {
                    let version = known.get(&index).map_or(1, |known| known.version + 1);
                    json!({"response": {
                        "status": if version == 1 { "201 Created" } else { "200 OK" },
                        "location": format!("{}/{}/_history/{version}", entry.resource_type, entry.id),
                        "etag": format!("W/\"{version}\""),
                        "lastModified": now,
                    }})
                }
                (None, Action::Delete) => json!({"response": {"status": "204 No Content"}}),
            })
            .collect();
        json!({"resourceType": "Bundle", "type": "transaction-response", "entry": response})
    }

    /// What was stored of the entries' resources, by the entries' places.
    fn known(&self, connection: &Connection) -> Result<HashMap<usize, Known>, RepositoryError> {
        let sql = "SELECT version, content, is_held FROM resource \
                   WHERE resource_type = ? AND id = ?";
        let mut select = connection
            .prepare_cached(sql)
            .map_err(DatabaseError::from)?;
        let mut known = HashMap::new();
        for (index, entry) in self.entries.iter().enumerate() {
            let found = select.query_row([&entry.resource_type, &entry.id], |row| {
                Ok(Known {
                    version: row.get(0)?,
                    content: row.get(1)?,
                    is_held: row.get(2)?,
                })
            });
            if let Some(found) = found.optional().map_err(DatabaseError::from)? {
                known.insert(index, found);
            }
        }
        Ok(known)
    }

    /// Stores contents, resources and what they are found by. Conflicts that are impossible are
    /// not to be undone by SQLite, which it prepares for at some cost (`OR FAIL`).
    fn store(
        &self,
        connection: &Connection,
        known: &HashMap<usize, Known>,
        existing: &HashMap<usize, String>,
        now: &str,
    ) -> Result<(), RepositoryError> {
        let entries = || {
            let entries = self.entries.iter().enumerate();
            entries.filter(|(index, _)| !existing.contains_key(index))
        };
        let mut numbers = HashMap::new();
        let mut document = None;
        for (index, entry) in entries() {
            if let Action::Store {
                content: Content::Text(text, moved),
                ..
            } = &entry.action
            {
                let number = add_content(connection, text, moved.as_deref())?;
                numbers.insert(index, number);
                if entry.is_document {
                    document = Some(number);
                }
            }
        }
        for (index, entry) in entries() {
            // Its number, and whether a document holds it.
            let (content, is_held) = match &entry.action {
                Action::Store {
                    content: Content::InDocument,
                    ..
                } => (document, true),
                _ => (numbers.get(&index).copied(), false),
            };
            let (resource_type, id) = (&entry.resource_type, &entry.id);
            match known.get(&index) {
                None if content.is_some() => run(
                    connection,
                    "INSERT OR FAIL INTO resource \
                     (resource_type, id, version, last_updated, content, is_held) \
                     VALUES (?, ?, 1, ?, ?, ?)",
                    params![resource_type, id, now, content, is_held],
                )?,
                None => {}
                // A resource that was deleted is not deleted again.
                Some(known) if known.content.is_none() && content.is_none() => {}
                Some(_) => run(
                    connection,
                    "UPDATE resource SET version = version + 1, last_updated = ?, \
                     content = ?, is_held = ? WHERE resource_type = ? AND id = ?",
                    params![now, content, is_held, resource_type, id],
                )?,
            }
            if let Action::Store { index: rows, .. } = &entry.action {
                for row in rows {
                    run(
                        connection,
                        "INSERT OR IGNORE INTO search_index \
                         (resource_type, parameter, key, id) VALUES (?, ?, ?, ?)",
                        params![resource_type, row.parameter, row.key, id],
                    )?;
                }
            }
        }
        Ok(())
    }
}

fn run(connection: &Connection, sql: &str, values: impl Params) -> Result<(), DatabaseError> {
    connection.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// Stores a content, and tells its number.
fn add_content(
    connection: &Connection,
    text: &str,
    moved: Option<&str>,
) -> Result<i64, DatabaseError> {
    run(
        connection,
        "INSERT OR FAIL INTO content (text, moved) VALUES (?, ?)",
        params![text, moved],
    )?;
    Ok(connection.last_insert_rowid())
}

impl Entry {
    /// A resource to be stored, whatever there is now.
    fn stored(
        resource_type: &str,
        id: &str,
        content: Content,
        index: Vec<search::IndexRow>,
    ) -> Self {
        Self {
            action: Action::Store { content, index },
            resource_type: resource_type.to_owned(),
            id: id.to_owned(),
            is_document: false,
            if_match: None,
            if_none_exist: None,
        }
    }

    /// `ifMatch`: the version that the client knows is still the current one.
    fn check_version(&self, known: Option<&Known>) -> Result<(), RepositoryError> {
        let Some(expected) = self.if_match else {
            return Ok(());
        };
        let current = known.filter(|known| known.content.is_some());
        // Version 0 stands for `If-None-Match: *`: it must not exist yet.
        if current.map_or(0, |known| known.version) == expected {
            Ok(())
        } else {
            Err(RepositoryError::VersionConflict {
                resource: format!("{}/{}", self.resource_type, self.id),
            })
        }
    }

    /// `ifNoneExist`: the location of the resource that is there already.
    fn find_existing(&self, connection: &Connection) -> Result<Option<String>, RepositoryError> {
        let Some(parameters) = &self.if_none_exist else {
            return Ok(None);
        };
        let parameters: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let criteria = search::criteria(&self.resource_type, &parameters)?;
        let found = super::search(connection, &self.resource_type, criteria)?;
        match found.as_slice() {
            [] => Ok(None),
            [resource] => {
                let id = resource.get("id").and_then(Value::as_str);
                Ok(id.map(|id| format!("{}/{id}", self.resource_type)))
            }
            _ => refuse(format!(
                "ifNoneExist of {} matches several resources",
                self.resource_type
            )),
        }
    }
}

/// Takes a content away, and what its resource is found by. The resources that a document holds,
/// and that are not replaced too, get contents of their own.
fn forget(
    connection: &Connection,
    entry: &Entry,
    known: &Known,
    replaced: &[(&Entry, &Known)],
) -> Result<(), RepositoryError> {
    let Some(content) = known.content else {
        return Ok(());
    };
    let (resource_type, id) = (entry.resource_type.as_str(), entry.id.as_str());
    let Some(resource) = super::read(connection, resource_type, id)? else {
        return Ok(());
    };
    for row in search::stored_index(resource_type, id, &resource, &HashMap::new()) {
        run(
            connection,
            "DELETE FROM search_index WHERE resource_type = ? AND parameter = ? AND key = ? \
             AND id = ?",
            params![resource_type, row.parameter, row.key, id],
        )?;
    }
    if known.is_held {
        return Ok(());
    }
    if resource_type == "Bundle" {
        for (resource_type, id, _) in held::resources(&resource) {
            if replaced
                .iter()
                .any(|(entry, _)| entry.resource_type == resource_type && entry.id == id)
            {
                continue;
            }
            let mut select = connection
                .prepare_cached(
                    "SELECT 1 FROM resource \
                     WHERE resource_type = ? AND id = ? AND content = ? AND is_held",
                )
                .map_err(DatabaseError::from)?;
            let is_held = select
                .exists(params![resource_type, id, content])
                .map_err(DatabaseError::from)?;
            if !is_held {
                continue;
            }
            let Some(mut held) = super::read(connection, resource_type, id)? else {
                continue;
            };
            remove_version(&mut held);
            let number = add_content(connection, &json_text(&held), None)?;
            run(
                connection,
                "UPDATE resource SET content = ?, is_held = FALSE \
                 WHERE resource_type = ? AND id = ?",
                params![number, resource_type, id],
            )?;
        }
    }
    run(
        connection,
        "DELETE FROM content WHERE number = ?",
        [content],
    )?;
    Ok(())
}

/// Prepares everything that needs no database. What the transaction's document holds is left to
/// it.
fn entries(drafts: Vec<Draft>) -> Vec<Entry> {
    let document = drafts
        .iter()
        .find(|draft| draft.is_document())
        .and_then(|draft| Some((draft.id.clone(), draft.resource.as_ref()?)));
    let moved = document.as_ref().map(|(_, document)| {
        let stored = drafts.iter().filter(|draft| !draft.is_document());
        let stored = stored.filter_map(|draft| Some((draft.id.as_str(), draft.resource.as_ref()?)));
        held::moved(document, stored)
    });
    let holder = document.as_ref().map(|(id, document)| {
        let moved = moved.clone().unwrap_or_default();
        (id, held::Holder::of(document, &moved))
    });
    let actions: Vec<Action> = drafts
        .iter()
        .map(|draft| {
            let Some(resource) = &draft.resource else {
                return Action::Delete;
            };
            let (resource_type, id) = (draft.resource_type.as_str(), draft.id.as_str());
            let content = match &holder {
                Some((_, holder)) if holder.holds(resource_type, id, resource) => {
                    Content::InDocument
                }
                Some((document, _)) if draft.is_document() && draft.id == **document => {
                    let moved = moved.as_ref().filter(|moved| !moved.is_empty());
                    let moved = moved.map(|moved| json_text(&moved.clone().into()));
                    Content::Text(json_text(resource).into(), moved)
                }
                _ => Content::Text(json_text(resource).into(), None),
            };
            Action::Store {
                content,
                index: search::stored_index(resource_type, id, resource, &HashMap::new()),
            }
        })
        .collect();
    let document = document.map(|(id, _)| id);
    let entries = drafts.into_iter().zip(actions);
    entries
        .map(|(draft, action)| Entry {
            action,
            is_document: draft.is_document() && document.as_ref() == Some(&draft.id),
            resource_type: draft.resource_type,
            id: draft.id,
            if_match: draft.if_match,
            if_none_exist: draft.if_none_exist,
        })
        .collect()
}
