//! Maps and what they refer to, as they are written: those built in, and an operator's.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_mapping::{MapError, MapLibrary, MapOutline};
use serde_json::Value;

use super::uploaded::{DefinitionType, Upload};
use crate::database::DatabaseError;
use crate::strict_json;

const MAPS: [(&str, &str); 6] = [
    (
        "QRespToCoreDataSet.map",
        include_str!("../../maps/QRespToCoreDataSet.map"),
    ),
    (
        "QRespToVSCoreDataSet.map",
        include_str!("../../maps/QRespToVSCoreDataSet.map"),
    ),
    (
        "QRespToTRCoreDataSet.map",
        include_str!("../../maps/QRespToTRCoreDataSet.map"),
    ),
    (
        "CoreDataSetToAddBundle.map",
        include_str!("../../maps/CoreDataSetToAddBundle.map"),
    ),
    (
        "CoreDataSetVSToAddBundle.map",
        include_str!("../../maps/CoreDataSetVSToAddBundle.map"),
    ),
    (
        "CoreDataSetTRToAddBundle.map",
        include_str!("../../maps/CoreDataSetTRToAddBundle.map"),
    ),
];

const MODELS: [(&str, &str); 2] = [
    (
        "DDCCCoreDataSetVS.json",
        include_str!("../../models/DDCCCoreDataSetVS.json"),
    ),
    (
        "DDCCCoreDataSetTR.json",
        include_str!("../../models/DDCCCoreDataSetTR.json"),
    ),
];

/// Why maps cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read: check the path and its access rights.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{path}: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What to mend, and where.
        reason: String,
    },
    /// The maps do not fit together.
    #[error(transparent)]
    Maps(#[from] MapError),
    /// What was uploaded cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

/// Maps, and the models and ConceptMaps that they use.
#[derive(Debug, Clone)]
pub struct Definitions {
    maps: Vec<Map>,
    /// StructureDefinitions and ConceptMaps.
    resources: Vec<(PathBuf, Value)>,
}

/// How a map is written.
#[derive(Debug, Clone)]
pub(super) enum Written {
    /// In the FHIR Mapping Language.
    Language(String),
    /// A StructureMap, which only other engines run.
    Resource(Value),
}

#[derive(Debug, Clone)]
struct Map {
    path: PathBuf,
    written: Written,
}

impl Definitions {
    /// The maps of the two questionnaires of the WHO guide.
    ///
    /// # Errors
    /// [`LoadError`] when a built-in model is broken, which the tests rule out.
    pub fn builtin() -> Result<Self, LoadError> {
        let mut definitions = Self {
            maps: Vec::new(),
            resources: Vec::new(),
        };
        for (name, text) in MODELS {
            definitions.add_json(PathBuf::from(name), text)?;
        }
        for (name, text) in MAPS {
            definitions.add_map(PathBuf::from(name), text.to_owned());
        }
        Ok(definitions)
    }

    /// The built-in ones and those of a folder: every `*.map` and `*.fml` is a map, every `*.json`
    /// a StructureDefinition, a ConceptMap, or a map for another engine (a StructureMap); other
    /// resources, such as Questionnaires, are left alone. What has the url of something built in
    /// replaces it.
    ///
    /// # Errors
    /// [`LoadError`] naming the file. Maps are looked into when they are used.
    pub fn with_folder(folder: &Path) -> Result<Self, LoadError> {
        let mut definitions = Self::builtin()?;
        let unreadable = |path: &Path| {
            let path = path.to_owned();
            |source| LoadError::Unreadable { path, source }
        };
        let mut paths = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable(folder))? {
            paths.push(entry.map_err(unreadable(folder))?.path());
        }
        // The order of a folder is not told; of two maps with one url the last name wins.
        paths.sort();
        for path in paths {
            let ending = path.extension().and_then(|ending| ending.to_str());
            let is_map = match ending {
                Some("map" | "fml") => true,
                Some("json") => false,
                _ => continue,
            };
            let text = fs::read_to_string(&path).map_err(unreadable(&path))?;
            if is_map {
                definitions.add_map(path, text);
            } else {
                definitions.add_json(path, &text)?;
            }
        }
        Ok(definitions)
    }

    fn add_map(&mut self, path: PathBuf, text: String) {
        let written = Written::Language(text);
        self.maps.push(Map { path, written });
    }

    fn add_json(&mut self, path: PathBuf, text: &str) -> Result<(), LoadError> {
        let resource = match strict_json::parse(text.as_bytes()) {
            Ok(resource) => resource,
            Err(error) => return Err(broken(&path, error.to_string())),
        };
        match resource.get("resourceType").and_then(Value::as_str) {
            Some("StructureDefinition" | "ConceptMap") => self.resources.push((path, resource)),
            Some("StructureMap") => {
                let written = Written::Resource(resource);
                self.maps.push(Map { path, written });
            }
            Some(_) => {}
            None => {
                let reason = "this is no FHIR resource: resourceType is missing";
                return Err(broken(&path, reason.to_owned()));
            }
        }
        Ok(())
    }

    /// What the embedded engine compiles: the maps whose urls are wanted, and everything that they
    /// may refer to.
    pub(super) fn library(
        &self,
        is_wanted: impl Fn(&str) -> bool,
    ) -> Result<MapLibrary, LoadError> {
        let mut library = MapLibrary::new();
        for (path, resource) in &self.resources {
            let added = match resource["resourceType"].as_str() {
                Some("StructureDefinition") => library.add_structure_definition(resource),
                _ => library.add_concept_map(resource),
            };
            added.map_err(|error| broken(path, error.to_string()))?;
        }
        for Map { path, written } in &self.maps {
            let Written::Language(text) = written else {
                continue;
            };
            let outline = MapOutline::of(text).map_err(|error| broken(path, error.to_string()))?;
            if is_wanted(&outline.url) {
                let added = library.add_map(text);
                added.map_err(|error| broken(path, error.to_string()))?;
            }
        }
        Ok(library)
    }

    /// All maps with what they say of themselves; of two with one url the last.
    pub(super) fn outlined_maps(&self) -> Result<OutlinedMaps, LoadError> {
        let mut maps = OutlinedMaps::default();
        for Map { path, written } in &self.maps {
            let outline = match written {
                Written::Language(text) => {
                    MapOutline::of(text).map_err(|error| broken(path, error.to_string()))?
                }
                Written::Resource(resource) => outline_of_resource(resource)
                    .ok_or_else(|| broken(path, "url is missing".to_owned()))?,
            };
            maps.maps.retain(|map| map.outline.url != outline.url);
            maps.maps.push(OutlinedMap {
                outline,
                written: written.clone(),
            });
        }
        Ok(maps)
    }

    /// All of them, with their files.
    pub(super) fn uploads(&self) -> impl Iterator<Item = (&Path, DefinitionType, Upload)> {
        let resources = self.resources.iter().map(|(path, resource)| {
            let definition_type = match resource["resourceType"].as_str() {
                Some("ConceptMap") => DefinitionType::ConceptMap,
                _ => DefinitionType::StructureDefinition,
            };
            (
                path.as_path(),
                definition_type,
                Upload::Resource(resource.clone()),
            )
        });
        let maps = self.maps.iter().map(|Map { path, written }| {
            let upload = match written {
                Written::Language(text) => Upload::Language(text.clone()),
                Written::Resource(resource) => Upload::Resource(resource.clone()),
            };
            (path.as_path(), DefinitionType::StructureMap, upload)
        });
        resources.chain(maps)
    }

    /// StructureDefinitions and ConceptMaps by their urls.
    pub(super) fn resources(&self) -> HashMap<&str, &Value> {
        let with_url = |(_, resource): &'_ (PathBuf, Value)| resource["url"].as_str().is_some();
        self.resources
            .iter()
            .filter(|entry| with_url(entry))
            .map(|(_, resource)| (resource["url"].as_str().unwrap_or_default(), resource))
            .collect()
    }
}

/// A map, and what it says of itself.
#[derive(Debug, Clone)]
pub(super) struct OutlinedMap {
    pub(super) outline: MapOutline,
    pub(super) written: Written,
}

impl OutlinedMap {
    pub(super) fn url(&self) -> &str {
        &self.outline.url
    }
}

/// Maps with different urls.
#[derive(Debug, Clone, Default)]
pub(super) struct OutlinedMaps {
    maps: Vec<OutlinedMap>,
}

impl OutlinedMaps {
    pub(super) fn iter(&self) -> impl Iterator<Item = &OutlinedMap> {
        self.maps.iter()
    }

    pub(super) fn get(&self, url: &str) -> Option<&OutlinedMap> {
        self.maps.iter().find(|map| map.outline.url == url)
    }

    /// The map and all that it imports, directly or not: what is imported comes first, as far as
    /// it is here.
    pub(super) fn with_imports(&self, url: &str) -> Vec<&OutlinedMap> {
        let mut found = Vec::new();
        self.collect(url, &mut Vec::new(), &mut found);
        found
    }

    fn collect<'m>(&'m self, url: &str, seen: &mut Vec<String>, found: &mut Vec<&'m OutlinedMap>) {
        for map in self.maps.iter().filter(|map| matches(url, map.url())) {
            if seen.iter().any(|other| other == map.url()) {
                continue;
            }
            seen.push(map.url().to_owned());
            for import in &map.outline.imports {
                self.collect(import, seen, found);
            }
            found.push(map);
        }
    }
}

/// Whether an import names the url: `*` stands for anything, and `|` begins a version.
pub(super) fn matches(import: &str, url: &str) -> bool {
    match import.split_once('*') {
        None => import.split('|').next() == Some(url),
        Some((begin, end)) => {
            url.len() >= begin.len() + end.len() && url.starts_with(begin) && url.ends_with(end)
        }
    }
}

/// What a StructureMap says of itself; nothing without a url.
pub(super) fn outline_of_resource(map: &Value) -> Option<MapOutline> {
    let texts = |values: &Value, of: fn(&Value) -> Option<&str>| -> Vec<String> {
        let values = values.as_array().into_iter().flatten();
        values.filter_map(of).map(str::to_owned).collect()
    };
    let target = |structure: &Value| structure["mode"] == "target";
    let structures = map["structure"].as_array();
    let target = structures.and_then(|structures| structures.iter().find(|one| target(one)));
    Some(MapOutline {
        url: map["url"].as_str()?.to_owned(),
        structures: texts(&map["structure"], |structure| structure["url"].as_str()),
        target: target
            .and_then(|structure| structure["url"].as_str())
            .map(str::to_owned),
        imports: texts(&map["import"], Value::as_str),
    })
}

fn broken(path: &Path, reason: String) -> LoadError {
    let path = path.to_owned();
    LoadError::Broken { path, reason }
}
