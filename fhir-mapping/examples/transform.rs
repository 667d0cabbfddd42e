//! Runs a map on JSON files:
//! `cargo run --release -p fhir-mapping --example transform -- MAPS MODELS URL [-n COUNT] INPUT...`
//!
//! MAPS is a folder of `*.map`, MODELS one of StructureDefinitions and ConceptMaps (`*.json`).
//! Every result is written to standard output; with `-n`, how long COUNT runs took to standard
//! error.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "this is a command line"
)]

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use fhir_mapping::MapLibrary;
use serde_json::Value;
use uuid::Uuid;

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

/// The shortest and the mean time of `count` runs.
fn time(count: u32, mut run: impl FnMut()) -> String {
    let (mut best, mut total) = (Duration::MAX, Duration::ZERO);
    for _ in 0..count {
        let begin = Instant::now();
        run();
        let spent = begin.elapsed();
        best = best.min(spent);
        total += spent;
    }
    let mean = total.checked_div(count).unwrap_or_default();
    format!("best {best:.1?}, mean {mean:.1?}")
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [maps, models, url, inputs @ ..] = arguments.as_slice() else {
        return Err("usage: transform MAPS MODELS URL [-n COUNT] INPUT...".into());
    };
    let (count, inputs) = match inputs {
        [option, count, inputs @ ..] if option == "-n" => (count.parse()?, inputs),
        inputs => (0, inputs),
    };
    let begin = Instant::now();
    let mut library = MapLibrary::new();
    for path in files(models, "json")? {
        let resource: Value = serde_json::from_slice(&fs::read(&path)?)?;
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
    if count > 0 {
        eprintln!("loading and compiling: {:.1?}", begin.elapsed());
    }
    for path in inputs {
        let text = fs::read_to_string(path)?;
        let input = serde_json::from_str(&text)?;
        let seed = Uuid::nil();
        let result = maps.transform(url, &input, seed)?;
        println!("{}", serde_json::to_string_pretty(&result)?);
        if count > 0 {
            let alone = time(count, || {
                let _ = std::hint::black_box(maps.transform(url, &input, seed));
            });
            let with_json = time(count, || {
                if let Ok(input) = serde_json::from_str(&text) {
                    let _ = std::hint::black_box(maps.transform(url, &input, seed));
                }
            });
            eprintln!("{path}: transform alone {alone}; JSON parsed too {with_json}");
        }
    }
    Ok(())
}
