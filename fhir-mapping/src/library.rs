//! What a caller loads, compiles and runs.

use std::sync::Arc;

use serde_json::Value;
use uuid::Uuid;

use crate::concept_map::{ConceptMap, ConceptMaps};
use crate::definitions::Definitions;
use crate::engine::trace::Trace;
use crate::engine::{self, TransformOptions};
use crate::error::{Findings, MapError, TransformError, Warning};
use crate::language::map_parser;
use crate::language::syntax::StructureMap;
use crate::program::Program;
use crate::program::compile::{self, Loaded};
use crate::terminology::{LoadedTerminology, Terminology};

/// Maps and what they refer to, before they are compiled. FHIR R4's types are known from the
/// start.
#[derive(Debug)]
pub struct MapLibrary {
    maps: Vec<StructureMap>,
    definitions: Definitions,
    concept_maps: ConceptMaps,
    terminology: LoadedTerminology,
    warnings: Vec<Warning>,
}

impl Default for MapLibrary {
    fn default() -> Self {
        Self::new()
    }
}

impl MapLibrary {
    /// A library without maps.
    #[must_use]
    pub fn new() -> Self {
        Self {
            maps: Vec::new(),
            definitions: Definitions::new(),
            concept_maps: ConceptMaps::default(),
            terminology: LoadedTerminology::new(),
            warnings: Vec::new(),
        }
    }

    /// Adds a map written in FHIR Mapping Language and returns its url. One of the same url is
    /// replaced.
    ///
    /// # Errors
    /// [`MapError::Syntax`] with every mistake's line and column, and what was expected there.
    pub fn add_map(&mut self, text: &str) -> Result<&str, MapError> {
        let (map, tolerated) = map_parser::parse(text).map_err(MapError::Syntax)?;
        self.maps.retain(|other| other.url != map.url);
        self.warnings.retain(|warning| warning.map != map.url);
        self.warnings
            .extend(tolerated.into_iter().map(|(position, reason)| Warning {
                map: map.url.clone(),
                line: position.line,
                column: position.column,
                reason: reason.to_owned(),
            }));
        self.maps.push(map);
        Ok(self.maps.last().map_or("", |map| map.url.as_str()))
    }

    /// Adds a map that is a StructureMap resource, of FHIR R4, R4B or R5, and returns its url. One
    /// of the same url is replaced. Lines and columns of later errors are those of the text that
    /// [`from_json`](crate::structure_map::from_json) writes.
    ///
    /// # Errors
    /// [`MapError::Resource`] naming the element that is missing or that is no part of a map.
    pub fn add_structure_map(&mut self, resource: &Value) -> Result<&str, MapError> {
        let written = crate::structure_map::from_json(resource)?;
        self.add_map(&written.text)
    }

    /// What was tolerated in the texts of the maps that were added, in their order.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Adds a StructureDefinition: a logical model, by its differential or snapshot, or a profile,
    /// which stands for the type that it constrains.
    ///
    /// # Errors
    /// [`MapError::Resource`] naming what is missing.
    pub fn add_structure_definition(&mut self, resource: &Value) -> Result<(), MapError> {
        self.definitions.add(resource)
    }

    /// Whether there is a type or model of this url, built in or added.
    #[must_use]
    pub fn has_structure(&self, url: &str) -> bool {
        self.definitions.by_url(url).is_some()
    }

    /// Adds a ConceptMap, which `translate` finds by its url. One of the same url is replaced.
    ///
    /// # Errors
    /// [`MapError::Resource`] naming what is missing, or what is not supported.
    pub fn add_concept_map(&mut self, resource: &Value) -> Result<(), MapError> {
        let (url, concept_map) = ConceptMap::read(resource)?;
        Arc::make_mut(&mut self.concept_maps).insert(url, Arc::new(concept_map));
        self.terminology.add_concept_map(resource)
    }

    /// Adds a ValueSet, which `memberOf` finds by its url. One of the same url is replaced.
    ///
    /// # Errors
    /// [`MapError::Resource`] when it is no ValueSet or has no url.
    pub fn add_value_set(&mut self, resource: &Value) -> Result<(), MapError> {
        self.terminology.add_value_set(resource)
    }

    /// Adds a CodeSystem, for ValueSets that have every code of it.
    ///
    /// # Errors
    /// [`MapError::Resource`] when it is no CodeSystem or has no url.
    pub fn add_code_system(&mut self, resource: &Value) -> Result<(), MapError> {
        self.terminology.add_code_system(resource)
    }

    /// Whom to ask about ValueSets and ConceptMaps that are not added, such as a client of a
    /// terminology server.
    pub fn set_terminology_server(&mut self, server: Arc<dyn Terminology>) {
        self.terminology.set_server(server);
    }

    /// Everything that is wrong, or likely to be, with the maps together; what was tolerated in
    /// their texts is part of the warnings.
    #[must_use]
    pub fn check(&self) -> Findings {
        self.compiled().1
    }

    /// Resolves every name in every map, and refuses maps with a mistake.
    ///
    /// # Errors
    /// [`MapError::Compile`] with every rule that names what is not there, or that asks for what
    /// cannot work or is not supported; else as [`Self::compile`].
    pub fn compile_strictly(self) -> Result<CompiledMaps, MapError> {
        let (program, findings) = self.resolved()?;
        if !findings.errors.is_empty() {
            return Err(MapError::Compile(findings.errors));
        }
        Ok(self.with(program, findings))
    }

    /// Resolves every name in every map. As with HL7's engine, a rule that names what is not there,
    /// or that asks for what cannot work, fails a transform that reaches it, and no other: it is
    /// among the warnings of the compiled maps.
    ///
    /// # Errors
    /// [`MapError::Resource`] when a structure that a map uses cannot be understood.
    pub fn compile(self) -> Result<CompiledMaps, MapError> {
        let (program, findings) = self.resolved()?;
        Ok(self.with(program, findings))
    }

    fn resolved(&self) -> Result<(Program, Findings), MapError> {
        for structure in self.maps.iter().flat_map(|map| &map.structures) {
            if let Some(reason) = self.definitions.unresolved(&structure.url) {
                let resource = format!("StructureDefinition {}", structure.url);
                return Err(MapError::Resource { resource, reason });
            }
        }
        Ok(self.compiled())
    }

    fn with(self, program: Program, findings: Findings) -> CompiledMaps {
        let mistakes = findings.errors.into_iter().map(Warning::from);
        CompiledMaps {
            program,
            definitions: self.definitions,
            terminology: self.terminology,
            warnings: mistakes.chain(findings.warnings).collect(),
        }
    }

    fn compiled(&self) -> (Program, Findings) {
        let (program, mut findings) = compile::compile(&Loaded {
            maps: &self.maps,
            definitions: &self.definitions,
            concept_maps: &self.concept_maps,
            has_terminology_server: self.terminology.has_server(),
        });
        let compiled = std::mem::take(&mut findings.warnings);
        findings.warnings = self.warnings.iter().cloned().chain(compiled).collect();
        (program, findings)
    }
}

/// Maps that are ready to run, from any number of threads.
#[derive(Debug)]
pub struct CompiledMaps {
    program: Program,
    definitions: Definitions,
    terminology: LoadedTerminology,
    warnings: Vec<Warning>,
}

impl CompiledMaps {
    /// What in the maps has no effect, or not the one that their author expects.
    #[must_use]
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// Whether there is a map with this url.
    #[must_use]
    pub fn contains(&self, url: &str) -> bool {
        self.program.by_url.contains_key(url)
    }

    /// Why the map cannot be run by itself, if it is there and cannot.
    #[must_use]
    pub fn only_imported(&self, url: &str) -> Option<&str> {
        let index = self.program.by_url.get(url)?;
        let map = self.program.maps.get(*index)?;
        map.entry.as_ref().err().map(String::as_str)
    }

    /// The urls of all maps.
    pub fn urls(&self) -> impl Iterator<Item = &str> {
        self.program.maps.iter().map(|map| map.url.as_str())
    }

    /// What is known about codes: what was added, and the terminology server if one was set.
    #[must_use]
    pub fn terminology(&self) -> &LoadedTerminology {
        &self.terminology
    }

    /// Runs the map `url` on FHIR JSON. The UUIDs that it makes follow from `seed`: the same seed
    /// and input give the same result.
    ///
    /// # Errors
    /// [`TransformError`], naming the rule.
    pub fn transform(&self, url: &str, input: &Value, seed: Uuid) -> Result<Value, TransformError> {
        self.transform_with(url, input, &TransformOptions::with_seed(seed))
    }

    /// As [`Self::transform`], within other limits.
    ///
    /// # Errors
    /// [`TransformError`], naming the rule.
    pub fn transform_with(
        &self,
        url: &str,
        input: &Value,
        options: &TransformOptions,
    ) -> Result<Value, TransformError> {
        self.run(url, input, options, None)
    }

    /// As [`Self::transform_with`], and tells what it did, also when it fails.
    ///
    /// # Errors
    /// [`TransformError`], naming the rule.
    pub fn transform_traced(
        &self,
        url: &str,
        input: &Value,
        options: &TransformOptions,
        trace: &mut Trace,
    ) -> Result<Value, TransformError> {
        self.run(url, input, options, Some(trace))
    }

    fn run(
        &self,
        url: &str,
        input: &Value,
        options: &TransformOptions,
        trace: Option<&mut Trace>,
    ) -> Result<Value, TransformError> {
        engine::transform(
            &self.program,
            &self.definitions,
            &self.terminology,
            url,
            input,
            options,
            trace,
        )
    }
}
