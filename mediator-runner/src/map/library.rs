//! The maps, types and code translations that a command is given as files.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_mapping::{CompileError, MapError, MapLibrary, Warning};
use serde_json::Value;

use super::package;

/// What maps refer to.
#[derive(Debug, clap::Args)]
pub(super) struct LibraryArguments {
    /// Maps that are imported: a file, or a folder of *.map and *.fml; may be repeated
    #[arg(long, value_name = "FILE|DIR")]
    import: Vec<PathBuf>,

    /// StructureDefinitions and ConceptMaps: a JSON file, a folder of them, or a FHIR package
    /// (.tgz); may be repeated. FHIR R4 is known
    #[arg(long, value_name = "FILE|DIR|PACKAGE")]
    model: Vec<PathBuf>,
}

/// A library, and the file that each map comes from.
#[derive(Debug, Default)]
pub(super) struct Library {
    pub(super) maps: MapLibrary,
    files: HashMap<String, PathBuf>,
}

/// A mistake in a file, as lines that name it.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub(super) struct FileMistakes(pub(super) Vec<String>);

impl FileMistakes {
    fn of(path: &Path, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        let lines = reason.lines();
        Self(
            lines
                .map(|line| format!("{}: {line}", path.display()))
                .collect(),
        )
    }
}

impl LibraryArguments {
    /// Reads everything that the arguments name.
    ///
    /// # Errors
    /// The mistakes of the first file that cannot be used.
    pub(super) fn read(&self) -> Result<Library, FileMistakes> {
        let mut library = Library::default();
        for path in &self.model {
            library.add_model(path)?;
        }
        for path in &self.import {
            for map in files(path, &["map", "fml"])? {
                library.add_map(&map)?;
            }
        }
        Ok(library)
    }
}

impl Library {
    /// Adds the map of a file and returns its url.
    ///
    /// # Errors
    /// Every syntax error of the map.
    pub(super) fn add_map(&mut self, path: &Path) -> Result<String, FileMistakes> {
        let text = fs::read_to_string(path).map_err(|error| FileMistakes::of(path, error))?;
        let url = match self.maps.add_map(&text) {
            Ok(url) => url.to_owned(),
            Err(MapError::Syntax(errors)) => {
                let place = |error: &fhir_mapping::SyntaxError| {
                    format!(
                        "{}:{}:{}: expected {}, found {} in: {}",
                        path.display(),
                        error.line,
                        error.column,
                        error.expected,
                        error.found,
                        error.text
                    )
                };
                return Err(FileMistakes(errors.iter().map(place).collect()));
            }
            Err(error) => return Err(FileMistakes::of(path, error)),
        };
        self.files.insert(url.clone(), path.to_owned());
        Ok(url)
    }

    /// The compiler's errors with the file's name instead of the map's url.
    pub(super) fn mistakes(&self, error: &MapError) -> FileMistakes {
        let MapError::Compile(errors) = error else {
            return FileMistakes(vec![error.to_string()]);
        };
        let place = |error: &CompileError| {
            let file = self.file_of(&error.map);
            format!("{file}:{}:{}: {}", error.line, error.column, error.reason)
        };
        FileMistakes(errors.iter().map(place).collect())
    }

    /// A warning with the file's name.
    pub(super) fn warning(&self, warning: &Warning) -> String {
        let Warning {
            map,
            line,
            column,
            reason,
        } = warning;
        format!("{}:{line}:{column}: warning: {reason}", self.file_of(map))
    }

    fn file_of(&self, map: &str) -> String {
        let file = self.files.get(map);
        file.map_or_else(|| map.to_owned(), |file| file.display().to_string())
    }

    fn add_model(&mut self, path: &Path) -> Result<(), FileMistakes> {
        let is_package = path
            .extension()
            .is_some_and(|ending| ending == "tgz" || ending == "gz");
        if is_package {
            let resources =
                package::resources(path).map_err(|error| FileMistakes::of(path, error))?;
            for (name, resource) in resources {
                self.add_resource(&resource)
                    .map_err(|error| FileMistakes::of(&path.join(name), error))?;
            }
            return Ok(());
        }
        for file in files(path, &["json"])? {
            let text = fs::read(&file).map_err(|error| FileMistakes::of(&file, error))?;
            let resource =
                serde_json::from_slice(&text).map_err(|error| FileMistakes::of(&file, error))?;
            self.add_resource(&resource)
                .map_err(|error| FileMistakes::of(&file, error))?;
        }
        Ok(())
    }

    /// Adds a logical model, profile or ConceptMap. Other resources are left alone, and FHIR's own
    /// types are known: a folder or package has them beside what maps need.
    fn add_resource(&mut self, resource: &Value) -> Result<(), MapError> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str);
        match text("resourceType") {
            Some("StructureDefinition")
                if text("kind") == Some("logical") || text("derivation") == Some("constraint") =>
            {
                self.maps.add_structure_definition(resource)
            }
            Some("ConceptMap") => self.maps.add_concept_map(resource),
            _ => Ok(()),
        }
    }
}

/// The file itself, or the files of a folder that have one of the endings, by name.
fn files(path: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, FileMistakes> {
    let wrong = |error: std::io::Error| FileMistakes::of(path, error);
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
