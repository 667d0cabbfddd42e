//! Runs maps that clients name or send, each compiled with what it imports when it is first used.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fhir_mapping::{
    CompiledMaps, MapError, MapLibrary, MapOutline, TransformError, TransformOptions,
};
use serde_json::{Value, json};

use super::uploaded::{Definition, DefinitionType};

/// How many compiled maps are kept.
const MAXIMUM_COMPILED: usize = 100;
/// How long one transform may take.
const TIME: Duration = Duration::from_secs(10);
/// Bytes of a result.
const MAXIMUM_OUTPUT_BYTES: usize = 16 * 1024 * 1024;
/// What begins the urls of FHIR's own types.
const FHIR_TYPES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// What a client sends along with the input, beside what is here already.
#[derive(Debug, Default)]
pub struct Supplement {
    /// Maps in the FHIR Mapping Language.
    pub maps: Vec<String>,
    /// StructureDefinitions and ConceptMaps.
    pub resources: Vec<Value>,
}

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// There is no such map. In Matchbox's words, by which its clients know to upload it.
    #[error("Map not available with canonical url {0}; upload it")]
    UnknownMap(String),
    /// The map, or one that it imports, imports what there is not; in the words of HL7's engine.
    #[error("Unable to find map(s) for {import}, which {map} imports; upload it")]
    MissingImport {
        /// Canonical url of the importing map.
        map: String,
        /// What it imports.
        import: String,
    },
    /// The map has mistakes, or lacks what it needs: one a line.
    #[error("{0}")]
    Map(String),
    /// The input does not fit the map.
    #[error(transparent)]
    Input(TransformError),
    /// It would take more than is allowed.
    #[error(transparent)]
    Limit(TransformError),
}

/// The definitions that there are at a time, and what is compiled of them.
pub struct MapEngine {
    configured: Vec<Definition>,
    uploaded: Vec<Definition>,
    compiled: Mutex<HashMap<String, Arc<Compiled>>>,
}

struct Compiled {
    maps: CompiledMaps,
    /// The name of the logical model that the map makes.
    model: Option<String>,
}

impl MapEngine {
    pub(super) fn new(configured: &[Definition], uploaded: Vec<Definition>) -> Self {
        let is_replaced = |kept: &&Definition| {
            uploaded
                .iter()
                .any(|other| other.definition_type == kept.definition_type && other.url == kept.url)
        };
        Self {
            configured: configured
                .iter()
                .filter(|kept| !is_replaced(kept))
                .cloned()
                .collect(),
            uploaded,
            compiled: Mutex::default(),
        }
    }

    pub(super) fn definitions(&self) -> impl Iterator<Item = &Definition> {
        self.uploaded.iter().chain(&self.configured)
    }

    pub(super) fn uploaded(&self) -> &[Definition] {
        &self.uploaded
    }

    /// Runs the map of this canonical url; without one the first map of the supplement. This takes
    /// as long as the map needs: not for async threads. Like Matchbox, it gives what a logical
    /// model makes the model's name as `resourceType`.
    ///
    /// # Errors
    /// [`EngineError`].
    pub fn transform(
        &self,
        map_url: Option<&str>,
        input: &Value,
        supplement: &Supplement,
    ) -> Result<Value, EngineError> {
        let supplied = outlines(&supplement.maps)?;
        let first = supplied.first().map(|(outline, _)| outline.url.as_str());
        let url = map_url
            .map(|url| url.split('|').next().unwrap_or_default())
            .or(first)
            .unwrap_or_default();
        let compiled = if supplement.maps.is_empty() && supplement.resources.is_empty() {
            self.kept(url)?
        } else {
            Arc::new(self.compile(url, &supplied, &supplement.resources)?)
        };
        if let Some(reason) = compiled.maps.only_imported(url) {
            return Err(EngineError::Map(format!("map {url}: {reason}")));
        }
        let mut options = TransformOptions::with_random_uuids();
        options.limits.time = Some(TIME);
        options.limits.output_bytes = MAXIMUM_OUTPUT_BYTES;
        let result = compiled.maps.transform_with(url, input, &options);
        let mut result = result.map_err(|error| match error {
            TransformError::UnknownMap(url) => EngineError::UnknownMap(url),
            error @ TransformError::Definitions { .. } => EngineError::Map(error.to_string()),
            error @ TransformError::Limit { .. } => EngineError::Limit(error),
            error => EngineError::Input(error),
        })?;
        if let (Some(model), Some(object)) = (&compiled.model, result.as_object_mut())
            && !object.contains_key("resourceType")
        {
            object.shift_insert(0, "resourceType".to_owned(), json!(model));
        }
        Ok(result)
    }

    /// The map as it is compiled already, or now.
    fn kept(&self, url: &str) -> Result<Arc<Compiled>, EngineError> {
        let compiled = || self.compiled.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = compiled().get(url) {
            return Ok(Arc::clone(found));
        }
        // Others need not wait; two that need the same map compile it twice.
        let new = Arc::new(self.compile(url, &[], &[])?);
        let mut compiled = compiled();
        if compiled.len() >= MAXIMUM_COMPILED {
            compiled.clear();
        }
        compiled.insert(url.to_owned(), Arc::clone(&new));
        Ok(new)
    }

    fn compile(
        &self,
        url: &str,
        supplied: &[(MapOutline, &str)],
        resources: &[Value],
    ) -> Result<Compiled, EngineError> {
        let kept: Vec<&str> = self.definitions().filter_map(Definition::text).collect();
        let mut maps: Vec<(MapOutline, &str)> = supplied.to_vec();
        for text in kept {
            let outline = MapOutline::of(text).map_err(of_map)?;
            if !maps.iter().any(|(known, _)| known.url == outline.url) {
                maps.push((outline, text));
            }
        }
        let mut missing = None;
        let needed = closure(&maps, url, &mut missing);
        let Some((root, _)) = needed.first() else {
            return Err(EngineError::UnknownMap(url.to_owned()));
        };
        let model = root
            .target
            .as_deref()
            .filter(|url| !url.starts_with(FHIR_TYPES))
            .and_then(|url| url.rsplit('/').next())
            .map(str::to_owned);
        let mut library = self.library(resources)?;
        // Like Matchbox, which looks for the model of what it reads, too.
        if let Some(unknown) = root
            .structures
            .iter()
            .find(|url| !library.has_structure(url))
        {
            return Err(EngineError::Map(format!(
                "map {url}: {unknown} is not known; upload its StructureDefinition"
            )));
        }
        for (_, text) in &needed {
            library.add_map(text).map_err(of_map)?;
        }
        match (library.compile_strictly(), missing) {
            (Ok(maps), _) => Ok(Compiled { maps, model }),
            (Err(_), Some(missing)) => Err(missing),
            (Err(error), None) => Err(of_map(error)),
        }
    }

    /// Models and ConceptMaps: what is sent along comes last, and so counts.
    fn library(&self, resources: &[Value]) -> Result<MapLibrary, EngineError> {
        let mut library = MapLibrary::new();
        let of_type = |wanted| {
            let found = self.definitions();
            found.filter(move |found| found.definition_type == wanted)
        };
        let is_kept = |definition: &&Definition| {
            !resources
                .iter()
                .any(|sent| sent["url"].as_str() == Some(definition.url.as_str()))
        };
        // What cannot be read is not needed, perhaps; who needs it is told that it is not there.
        for concept_map in of_type(DefinitionType::ConceptMap).filter(is_kept) {
            let _ = library.add_concept_map(concept_map.bare());
        }
        let models = of_type(DefinitionType::StructureDefinition).filter(is_kept);
        let mut models: Vec<&Value> = models.map(Definition::bare).collect();
        for resource in resources {
            match resource["resourceType"].as_str() {
                Some("StructureDefinition") => models.push(resource),
                Some("ConceptMap") => library.add_concept_map(resource).map_err(of_map)?,
                _ => {
                    return Err(EngineError::Map(
                        "send StructureDefinitions and ConceptMaps beside the map".to_owned(),
                    ));
                }
            }
        }
        // A model may stand before one that it refers to.
        loop {
            let before = models.len();
            models.retain(|model| library.add_structure_definition(model).is_err());
            if models.len() == before || models.is_empty() {
                break;
            }
        }
        for model in models {
            let error = library.add_structure_definition(model);
            if let (Err(error), true) = (error, resources.contains(model)) {
                return Err(of_map(error));
            }
        }
        Ok(library)
    }
}

fn of_map(error: MapError) -> EngineError {
    EngineError::Map(error.to_string())
}

fn outlines(texts: &[String]) -> Result<Vec<(MapOutline, &str)>, EngineError> {
    texts
        .iter()
        .map(|text| Ok((MapOutline::of(text).map_err(of_map)?, text.as_str())))
        .collect()
}

/// The map and all that it imports, directly or not, the map first; and the first import that
/// leads nowhere.
fn closure<'m>(
    maps: &'m [(MapOutline, &'m str)],
    url: &str,
    missing: &mut Option<EngineError>,
) -> Vec<&'m (MapOutline, &'m str)> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut wanted = vec![(url.to_owned(), url.to_owned())];
    while let Some((import, by)) = wanted.pop() {
        let mut is_there = false;
        for map in maps
            .iter()
            .filter(|(outline, _)| super::definitions::matches(&import, &outline.url))
        {
            is_there = true;
            if seen.insert(&map.0.url) {
                let imports = map.0.imports.iter();
                wanted.extend(imports.map(|import| (import.clone(), map.0.url.clone())));
                found.push(map);
            }
        }
        if !is_there && missing.is_none() && import != url {
            *missing = Some(EngineError::MissingImport { map: by, import });
        }
    }
    found
}
