//! Runs a map on JSON files: `cargo run -p fhir-mapping --example transform -- MAPS MODELS URL INPUT...`
//!
//! MAPS is a folder of `*.map`, MODELS one of StructureDefinitions and ConceptMaps (`*.json`).
//! Every result is written to standard output.

#![allow(clippy::print_stdout, reason = "this is a command line")]

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use fhir_mapping::MapLibrary;
use serde_json::Value;

fn files(folder: &str, ending: &str) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|found| found == ending) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn json(path: &Path) -> Result<Value, Box<dyn Error>> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [maps, models, url, inputs @ ..] = arguments.as_slice() else {
        return Err("usage: transform MAPS MODELS URL INPUT...".into());
    };
    let mut library = MapLibrary::new();
    for path in files(models, "json")? {
        let resource = json(&path)?;
        match resource.get("resourceType").and_then(Value::as_str) {
            Some("ConceptMap") => library.add_concept_map(&resource)?,
            _ => library.add_structure_definition(&resource)?,
        }
    }
    for path in files(maps, "map")? {
        library
            .add_map(&fs::read_to_string(&path)?)
            .map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let maps = library.compile()?;
    for input in inputs {
        let result = maps.transform(url, &json(Path::new(input))?, uuid::Uuid::nil())?;
        println!("{}", serde_json::to_string_pretty(&result)?);
    }
    Ok(())
}
