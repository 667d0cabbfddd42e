//! Maps, models and ConceptMaps that clients upload, kept in the embedded database.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{SecondsFormat, Utc};
use fhir_mapping::structure_map::{self, FhirVersion};
use fhir_mapping::{MapError, MapLibrary};
use rusqlite::Connection;
use serde_json::{Value, json};
use tokio::sync::Mutex;

use super::map_engine::MapEngine;
use super::{Definitions, LoadError};
use crate::database::{Database, DatabaseError};

/// How many definitions are kept.
const MAXIMUM_DEFINITIONS: usize = 2_000;
/// How many bytes they may have together.
const MAXIMUM_BYTES: usize = 64 * 1024 * 1024;

/// What can be uploaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DefinitionType {
    /// A map.
    StructureMap,
    /// A logical model or a profile.
    StructureDefinition,
    /// A concept map.
    ConceptMap,
}

impl DefinitionType {
    /// Every one.
    pub const ALL: [Self; 3] = [
        Self::StructureMap,
        Self::StructureDefinition,
        Self::ConceptMap,
    ];

    /// The resource's type.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::StructureMap => "StructureMap",
            Self::StructureDefinition => "StructureDefinition",
            Self::ConceptMap => "ConceptMap",
        }
    }
}

/// What a client sends.
#[derive(Debug, Clone)]
pub enum Upload {
    /// A map in the FHIR Mapping Language.
    Language(String),
    /// A resource.
    Resource(Value),
}

/// A definition that is kept or configured.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its type.
    pub definition_type: DefinitionType,
    /// Id here.
    pub id: String,
    /// Canonical url without a version.
    pub url: String,
    version: i64,
    last_updated: String,
    /// The resource; of a map also when it was written in the mapping language.
    resource: Arc<Value>,
    /// Of a map.
    text: Option<Arc<str>>,
    bytes: usize,
}

impl Definition {
    /// The resource, with its id and `meta`.
    #[must_use]
    pub fn resource(&self) -> Value {
        let mut resource = Value::clone(&self.resource);
        if let Some(object) = resource.as_object_mut() {
            object.insert("id".to_owned(), json!(self.id));
            let meta = object.entry("meta").or_insert_with(|| json!({}));
            if let Some(meta) = meta.as_object_mut() {
                meta.insert("versionId".to_owned(), json!(self.version.to_string()));
                meta.insert("lastUpdated".to_owned(), json!(self.last_updated));
            }
        }
        resource
    }

    /// Of a map, in the FHIR Mapping Language.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }

    pub(super) fn bare(&self) -> &Value {
        &self.resource
    }

    /// Reads what a client sends, or what was kept of that.
    ///
    /// # Errors
    /// [`UploadError::Unusable`] with every mistake.
    fn read(
        definition_type: DefinitionType,
        id: Option<&str>,
        upload: &Upload,
    ) -> Result<Self, UploadError> {
        let unusable = |error: MapError| UploadError::Unusable(error.to_string());
        let refuse = |reason: String| Err(UploadError::Unusable(reason));
        let (resource, text, bytes) = match upload {
            Upload::Language(text) => {
                let resource = structure_map::to_json(text, FhirVersion::R4).map_err(unusable)?;
                (resource, Some(Arc::from(text.as_str())), text.len())
            }
            Upload::Resource(resource) => {
                let found = resource["resourceType"].as_str().unwrap_or_default();
                let expected = definition_type.as_str();
                if found != expected {
                    return refuse(format!("send a {expected}; this is a {found}"));
                }
                let text = match definition_type {
                    DefinitionType::StructureMap => {
                        let written = structure_map::from_json(resource).map_err(unusable)?;
                        MapLibrary::new().add_map(&written.text).map_err(unusable)?;
                        Some(Arc::from(written.text.as_str()))
                    }
                    DefinitionType::ConceptMap => {
                        MapLibrary::new()
                            .add_concept_map(resource)
                            .map_err(unusable)?;
                        None
                    }
                    // What it refers to may be uploaded later.
                    DefinitionType::StructureDefinition => None,
                };
                (resource.clone(), text, resource.to_string().len())
            }
        };
        let Some(url) = resource["url"].as_str().filter(|url| !url.is_empty()) else {
            return refuse("url is missing: a definition is found by it".to_owned());
        };
        let url = url.split('|').next().unwrap_or_default().to_owned();
        Ok(Self {
            definition_type,
            id: id.map_or_else(|| id_of(&url), str::to_owned),
            url,
            version: 1,
            last_updated: now(),
            resource: Arc::new(resource),
            text,
            bytes,
        })
    }
}

/// Why a definition is not taken.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// It is none, or has mistakes: one a line.
    #[error("{0}")]
    Unusable(String),
    /// Its id belongs to another url.
    #[error("the id {id} is that of {url}; choose another one")]
    IdTaken {
        /// Which.
        id: String,
        /// Whose it is.
        url: String,
    },
    /// There is no room for it.
    #[error(
        "no more than {} definitions of {} bytes together are kept; delete some",
        MAXIMUM_DEFINITIONS,
        MAXIMUM_BYTES
    )]
    Full,
    /// The database does not take it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Whether something was there before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// It was not.
    Created,
    /// It was replaced.
    Updated,
}

/// Definitions that clients have uploaded, beside those that are configured, and the engine that
/// runs all of them. Of two with one url the uploaded one counts.
pub struct UploadedDefinitions {
    database: Database,
    configured: Vec<Definition>,
    current: RwLock<Arc<MapEngine>>,
    /// One change at a time.
    changing: Mutex<()>,
}

impl UploadedDefinitions {
    /// Those that the database has.
    ///
    /// # Errors
    /// [`LoadError`] when a configured definition, or the database, cannot be read. What an earlier
    /// version took and this one does not is left out, with a word in the log.
    pub async fn open(database: Database, configured: &Definitions) -> Result<Self, LoadError> {
        let configured = read_configured(configured)?;
        let mut uploaded = Vec::new();
        for row in database.read(stored).await? {
            let known = DefinitionType::ALL.into_iter();
            let mut known = known.filter(|known| known.as_str() == row.resource_type);
            let upload = match row.is_language {
                true => Some(Upload::Language(row.content)),
                false => serde_json::from_str(&row.content)
                    .ok()
                    .map(Upload::Resource),
            };
            let read = known.next().zip(upload).map(|(definition_type, upload)| {
                Definition::read(definition_type, Some(&row.id), &upload)
            });
            let (resource_type, id) = (row.resource_type, row.id);
            match read {
                Some(Ok(mut definition)) => {
                    definition.version = row.version;
                    definition.last_updated = row.last_updated;
                    uploaded.push(definition);
                }
                Some(Err(error)) => {
                    tracing::error!(resource_type, id, %error, "an uploaded definition is left out");
                }
                None => {
                    tracing::error!(resource_type, id, "an uploaded definition is left out");
                }
            }
        }
        let engine = MapEngine::new(&configured, uploaded);
        Ok(Self {
            database,
            configured,
            current: RwLock::new(Arc::new(engine)),
            changing: Mutex::default(),
        })
    }

    /// The engine with what is there now.
    #[must_use]
    pub fn engine(&self) -> Arc<MapEngine> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The definition of this id.
    #[must_use]
    pub fn read(&self, definition_type: DefinitionType, id: &str) -> Option<Definition> {
        let engine = self.engine();
        let mut found = engine.definitions().filter(|found| found.id == id);
        found
            .find(|found| found.definition_type == definition_type)
            .cloned()
    }

    /// The definition of this canonical url, which may have a version behind `|`; without a url
    /// all.
    #[must_use]
    pub fn search(&self, definition_type: DefinitionType, url: Option<&str>) -> Vec<Definition> {
        let url = url.map(|url| url.split('|').next().unwrap_or_default());
        let engine = self.engine();
        let found = engine.definitions().filter(|found| {
            found.definition_type == definition_type && url.is_none_or(|url| found.url == url)
        });
        found.cloned().collect()
    }

    /// Keeps what a client sends, under this id or one that its url gives. What has its url is
    /// replaced.
    ///
    /// # Errors
    /// [`UploadError`]; nothing has changed then.
    pub async fn put(
        &self,
        definition_type: DefinitionType,
        id: Option<&str>,
        upload: Upload,
    ) -> Result<(Definition, Stored), UploadError> {
        let mut definition = Definition::read(definition_type, id, &upload)?;
        let _one_at_a_time = self.changing.lock().await;
        let mut uploaded = self.engine().uploaded().to_vec();
        let is_same = |other: &Definition| {
            other.definition_type == definition_type && other.url == definition.url
        };
        let replaced = uploaded.iter().position(is_same);
        let replaced = replaced.map(|place| uploaded.remove(place));
        let has_id = |other: &&Definition| {
            other.definition_type == definition_type && other.id == definition.id
        };
        if let Some(other) = uploaded.iter().find(has_id) {
            // By the id that it is updated at, a definition may get another url.
            match id {
                Some(_) => {
                    let (other_type, other_id) = (other.definition_type, other.id.clone());
                    uploaded
                        .retain(|kept| kept.definition_type != other_type || kept.id != other_id);
                }
                None => {
                    return Err(UploadError::IdTaken {
                        id: definition.id,
                        url: other.url.clone(),
                    });
                }
            }
        }
        let stored = match &replaced {
            Some(replaced) => {
                definition.version = replaced.version + 1;
                Stored::Updated
            }
            None => Stored::Created,
        };
        let bytes: usize = uploaded.iter().map(|kept| kept.bytes).sum();
        if uploaded.len() >= MAXIMUM_DEFINITIONS || bytes + definition.bytes > MAXIMUM_BYTES {
            return Err(UploadError::Full);
        }
        self.write(&definition, &upload).await?;
        uploaded.push(definition.clone());
        self.replace(uploaded);
        Ok((definition, stored))
    }

    /// Forgets the uploaded definition of this id; whether there was one.
    ///
    /// # Errors
    /// [`DatabaseError`]; nothing has changed then.
    pub async fn delete(
        &self,
        definition_type: DefinitionType,
        id: &str,
    ) -> Result<bool, DatabaseError> {
        let _one_at_a_time = self.changing.lock().await;
        let mut uploaded = self.engine().uploaded().to_vec();
        let before = uploaded.len();
        uploaded.retain(|kept| kept.definition_type != definition_type || kept.id != id);
        if uploaded.len() == before {
            return Ok(false);
        }
        let (resource_type, id) = (definition_type.as_str(), id.to_owned());
        self.database
            .write::<(), DatabaseError, _>(move |connection| {
                let sql = "DELETE FROM definition WHERE resource_type = ? AND id = ?";
                connection.execute(sql, (resource_type, &id))?;
                Ok(())
            })
            .await?;
        self.replace(uploaded);
        Ok(true)
    }

    fn replace(&self, uploaded: Vec<Definition>) {
        let engine = Arc::new(MapEngine::new(&self.configured, uploaded));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = engine;
    }

    async fn write(&self, definition: &Definition, upload: &Upload) -> Result<(), DatabaseError> {
        let (content, is_language) = match upload {
            Upload::Language(text) => (text.clone(), true),
            Upload::Resource(resource) => (resource.to_string(), false),
        };
        let definition = definition.clone();
        self.database
            .write::<(), DatabaseError, _>(move |connection| {
                let resource_type = definition.definition_type.as_str();
                let Definition { id, url, .. } = &definition;
                connection.execute(
                    "DELETE FROM definition WHERE resource_type = ? AND (id = ? OR url = ?)",
                    (resource_type, id, url),
                )?;
                connection.execute(
                    "INSERT INTO definition VALUES (?, ?, ?, ?, ?, ?, ?)",
                    (
                        resource_type,
                        id,
                        url,
                        definition.version,
                        &definition.last_updated,
                        &content,
                        is_language,
                    ),
                )?;
                Ok(())
            })
            .await
    }
}

/// A row of the table of definitions.
struct Row {
    resource_type: String,
    id: String,
    version: i64,
    last_updated: String,
    content: String,
    is_language: bool,
}

fn stored(connection: &Connection) -> Result<Vec<Row>, DatabaseError> {
    let mut statement = connection.prepare(
        "SELECT resource_type, id, version, last_updated, content, is_language FROM definition",
    )?;
    let rows = statement.query_map([], |row| {
        Ok(Row {
            resource_type: row.get(0)?,
            id: row.get(1)?,
            version: row.get(2)?,
            last_updated: row.get(3)?,
            content: row.get(4)?,
            is_language: row.get(5)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// The configured definitions; of two with one url the last.
fn read_configured(definitions: &Definitions) -> Result<Vec<Definition>, LoadError> {
    let mut read: Vec<Definition> = Vec::new();
    for (path, definition_type, upload) in definitions.uploads() {
        let definition = Definition::read(definition_type, None, &upload);
        let definition = definition.map_err(|error| LoadError::Broken {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        read.retain(|other| {
            other.definition_type != definition_type || other.url != definition.url
        });
        read.push(definition);
    }
    Ok(read)
}

/// As Matchbox makes ids: the end of the url. What ids may not have (FHIR R4 2.24.0.1) is replaced.
pub(super) fn id_of(url: &str) -> String {
    let name = url.rsplit('/').next().unwrap_or_default();
    name.chars()
        .map(|character| match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '.' => character,
            _ => '-',
        })
        .take(64)
        .collect()
}

fn now() -> String {
    Utc::now().to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use tempfile::TempDir;

    use super::*;

    const MAP: DefinitionType = DefinitionType::StructureMap;

    #[test]
    fn ids_are_what_fhir_allows() {
        assert_eq!(id_of("http://x/StructureMap/Own"), "Own");
        assert_eq!(id_of("urn:own map|1"), "urn-own-map-1");
        assert_eq!(id_of(&"x".repeat(100)).len(), 64);
    }

    fn map(name: &str, value: &str) -> Upload {
        Upload::Language(format!(
            r#"map "http://example.org/StructureMap/{name}" = "{name}"
            uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
            uses "http://hl7.org/fhir/StructureDefinition/Basic" alias Basic as target
            group {name}(source s : Patient, target t : Basic) {{ s -> t.id = '{value}' "id"; }}"#
        ))
    }

    async fn open(folder: &TempDir) -> UploadedDefinitions {
        let database = Database::open(&folder.path().join("ddcc.sqlite"))
            .await
            .unwrap();
        UploadedDefinitions::open(database, &Definitions::builtin().unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn what_is_uploaded_is_kept_replaced_and_deleted() {
        let folder = TempDir::new().unwrap();
        let definitions = open(&folder).await;
        let (first, stored) = definitions.put(MAP, None, map("one", "a")).await.unwrap();
        assert_eq!((first.id.as_str(), stored), ("one", Stored::Created));
        let (second, stored) = definitions
            .put(MAP, Some("other"), map("one", "b"))
            .await
            .unwrap();
        assert_eq!(stored, Stored::Updated);
        assert_eq!(second.resource()["meta"]["versionId"], "2");
        drop(definitions);

        let definitions = open(&folder).await;
        let url = "http://example.org/StructureMap/one";
        let found = definitions.search(MAP, Some(&format!("{url}|1.0")));
        assert_eq!(found.len(), 1);
        let resource = definitions.read(MAP, "other").unwrap().resource();
        assert_eq!(resource, second.resource());
        assert_eq!(resource["resourceType"], "StructureMap");
        assert!(definitions.read(MAP, "one").is_none());

        assert!(definitions.delete(MAP, "other").await.unwrap());
        assert!(!definitions.delete(MAP, "other").await.unwrap());
        assert!(open(&folder).await.search(MAP, Some(url)).is_empty());
    }

    #[tokio::test]
    async fn an_id_is_not_taken_from_another_url_unless_it_is_updated() {
        let folder = TempDir::new().unwrap();
        let definitions = open(&folder).await;
        definitions
            .put(MAP, Some("x"), map("a", "1"))
            .await
            .unwrap();
        let Upload::Language(text) = map("x", "2") else {
            unreachable!()
        };
        let error = definitions
            .put(MAP, None, Upload::Language(text.clone()))
            .await;
        assert!(matches!(error, Err(UploadError::IdTaken { .. })));
        definitions
            .put(MAP, Some("x"), Upload::Language(text))
            .await
            .unwrap();
        let found = definitions.read(MAP, "x").unwrap();
        assert_eq!(found.url, "http://example.org/StructureMap/x");
        let gone = definitions.search(MAP, Some("http://example.org/StructureMap/a"));
        assert!(gone.is_empty());
    }

    #[tokio::test]
    async fn what_is_no_definition_is_refused_with_every_mistake() {
        let folder = TempDir::new().unwrap();
        let definitions = open(&folder).await;
        let two = "map 'http://example.org/m' = 'm'\n\
            group A(source s, target t) { s -> -> t; }\ngroup B(s) { }\n\
            group C(source s, target t) { s -> t; }";
        for (upload, reason) in [
            (Upload::Language(two.to_owned()), "line 3, column 9"),
            (
                Upload::Resource(json!({"resourceType": "Patient"})),
                "send a StructureMap; this is a Patient",
            ),
            (
                Upload::Resource(json!({"resourceType": "StructureMap"})),
                "StructureMap",
            ),
        ] {
            let error = definitions.put(MAP, None, upload).await.unwrap_err();
            assert!(error.to_string().contains(reason), "{error}");
        }
        let model = Upload::Resource(json!({"resourceType": "StructureDefinition"}));
        let error = definitions
            .put(DefinitionType::StructureDefinition, None, model)
            .await;
        assert!(error.unwrap_err().to_string().contains("url is missing"));
    }
}
