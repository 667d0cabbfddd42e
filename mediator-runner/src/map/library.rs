//! The maps, types and code translations that a command is given as files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_mapping::{CompileError, MapError, MapLibrary, SyntaxError, Warning, structure_map};
use serde_json::Value;

use super::finding::{Finding, Mistakes, Place, Severity};
use super::package;

/// What maps refer to.
#[derive(Debug, clap::Args)]
pub(super) struct LibraryArguments {
    /// Maps that are imported: a file, or a folder of *.map, *.fml and StructureMaps (*.json); may
    /// be repeated
    #[arg(long, value_name = "FILE|DIR")]
    import: Vec<PathBuf>,

    /// StructureDefinitions, ConceptMaps and ValueSets: a JSON file, a folder of them, or a FHIR package
    /// (.tgz); may be repeated. FHIR R4 is known
    #[arg(long, value_name = "FILE|DIR|PACKAGE")]
    model: Vec<PathBuf>,
}

/// A library, and the file that each map comes from, with its text.
#[derive(Debug, Default)]
pub(super) struct Library {
    pub(super) maps: MapLibrary,
    files: HashMap<String, (PathBuf, String)>,
}

impl LibraryArguments {
    /// Reads everything that the arguments name.
    ///
    /// # Errors
    /// The mistakes of the first file that cannot be used.
    pub(super) fn read(&self) -> Result<Library, Mistakes> {
        let mut library = Library::default();
        for path in &self.model {
            library.add_model(path)?;
        }
        for path in &self.import {
            for map in files(path, &["map", "fml", "json"])? {
                // A folder may have other resources beside maps.
                if path.is_dir() && is_json(&map) && !is_structure_map(&map)? {
                    continue;
                }
                library.add_map(&map)?;
            }
        }
        Ok(library)
    }
}

impl Library {
    /// Adds the map of a file, in the mapping language or a StructureMap, and returns its url.
    ///
    /// # Errors
    /// Every syntax error of the map.
    pub(super) fn add_map(&mut self, path: &Path) -> Result<String, Mistakes> {
        let text = fs::read_to_string(path).map_err(|error| Mistakes::of(path, error))?;
        let text = if is_json(path) {
            let resource =
                serde_json::from_str(&text).map_err(|error| Mistakes::of(path, error))?;
            let written = structure_map::from_json(&resource);
            written.map_err(|error| Mistakes::of(path, error))?.text
        } else {
            text
        };
        let url = match self.maps.add_map(&text) {
            Ok(url) => url.to_owned(),
            Err(MapError::Syntax(errors)) => {
                let finding = |error: &SyntaxError| Finding {
                    file: path.display().to_string(),
                    place: Some(Place {
                        line: error.line,
                        column: error.column,
                    }),
                    severity: Severity::Error,
                    reason: format!("expected {}, found {}", error.expected, error.found),
                    text: line_of(&text, error.line),
                };
                return Err(Mistakes(errors.iter().map(finding).collect()));
            }
            Err(error) => return Err(Mistakes::of(path, error)),
        };
        self.files.insert(url.clone(), (path.to_owned(), text));
        Ok(url)
    }

    /// The compiler's errors, with the files' names instead of the maps' urls.
    pub(super) fn mistakes(&self, error: &MapError) -> Mistakes {
        match error {
            MapError::Compile(errors) => Mistakes(self.errors(errors)),
            other => Mistakes::of(Path::new("maps"), other),
        }
    }

    pub(super) fn errors(&self, errors: &[CompileError]) -> Vec<Finding> {
        let finding = |error: &CompileError| {
            let place = (error.line, error.column);
            self.finding(Severity::Error, &error.map, place, &error.reason)
        };
        errors.iter().map(finding).collect()
    }

    pub(super) fn warnings(&self, warnings: &[Warning]) -> Vec<Finding> {
        let finding = |warning: &Warning| {
            let place = (warning.line, warning.column);
            self.finding(Severity::Warning, &warning.map, place, &warning.reason)
        };
        warnings.iter().map(finding).collect()
    }

    fn finding(
        &self,
        severity: Severity,
        map: &str,
        (line, column): (usize, usize),
        reason: &str,
    ) -> Finding {
        let file = self.files.get(map);
        Finding {
            file: file.map_or_else(|| map.to_owned(), |(file, _)| file.display().to_string()),
            place: Some(Place { line, column }),
            severity,
            reason: reason.to_owned(),
            text: file.and_then(|(_, text)| line_of(text, line)),
        }
    }

    fn add_model(&mut self, path: &Path) -> Result<(), Mistakes> {
        let is_package = path
            .extension()
            .is_some_and(|ending| ending == "tgz" || ending == "gz");
        if is_package {
            let resources = package::resources(path).map_err(|error| Mistakes::of(path, error))?;
            for (name, resource) in resources {
                self.add_resource(&resource)
                    .map_err(|error| Mistakes::of(&path.join(name), error))?;
            }
            return Ok(());
        }
        for file in files(path, &["json"])? {
            let text = fs::read(&file).map_err(|error| Mistakes::of(&file, error))?;
            let resource =
                serde_json::from_slice(&text).map_err(|error| Mistakes::of(&file, error))?;
            self.add_resource(&resource)
                .map_err(|error| Mistakes::of(&file, error))?;
        }
        Ok(())
    }

    /// Adds a logical model, a profile, terminology or a map. Other resources are left alone, and
    /// FHIR's own types are known: a folder or package has them beside what maps need.
    fn add_resource(&mut self, resource: &Value) -> Result<(), MapError> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str);
        match text("resourceType") {
            Some("StructureDefinition")
                if text("kind") == Some("logical") || text("derivation") == Some("constraint") =>
            {
                self.maps.add_structure_definition(resource)
            }
            Some("ConceptMap") => self.maps.add_concept_map(resource),
            Some("ValueSet") => self.maps.add_value_set(resource),
            Some("CodeSystem") => self.maps.add_code_system(resource),
            Some("StructureMap") => self.maps.add_structure_map(resource).map(drop),
            _ => Ok(()),
        }
    }
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "json")
}

fn is_structure_map(path: &Path) -> Result<bool, Mistakes> {
    let text = fs::read(path).map_err(|error| Mistakes::of(path, error))?;
    let resource: Value =
        serde_json::from_slice(&text).map_err(|error| Mistakes::of(path, error))?;
    Ok(resource["resourceType"] == "StructureMap")
}

/// A line of a text, from 1.
fn line_of(text: &str, line: usize) -> Option<String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = text.lines().nth(line.checked_sub(1)?)?;
    Some(line.trim_end().to_owned())
}

/// The file itself, or the files of a folder that have one of the endings, by name.
fn files(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, Mistakes> {
    let wrong = |error: std::io::Error| Mistakes::of(path, error);
    if !fs::metadata(path).map_err(wrong)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(wrong)? {
        let file = entry.map_err(wrong)?.path();
        let ending = file.extension().and_then(|ending| ending.to_str());
        if ending.is_some_and(|ending| endings.contains(&ending)) {
            found.push(file);
        }
    }
    found.sort();
    Ok(found)
}
