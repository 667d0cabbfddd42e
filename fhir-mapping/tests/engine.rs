//! A map for each thing that maps can do, alone and together (`engine/*.map`), with what it gives.
//!
//! What is expected (`engine/expected`) HL7's Java engine gives, too, unless
//! `tests/servers/tests/mapping_engine.rs` says why not. `UPDATE_EXPECTED=1` writes it anew; look at
//! each change then.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fs;
use std::path::{Path, PathBuf};

use fhir_mapping::{MapLibrary, Trace, TransformOptions};
use rstest::rstest;
use serde_json::Value;
use uuid::Uuid;

/// The words after `// name:` in a map's first lines.
fn said<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let start = format!("// {name}: ");
    text.lines()
        .find_map(|line| line.strip_prefix(start.as_str()))
        .map(|words| words.split(' ').collect())
        .unwrap_or_default()
}

fn json(path: PathBuf) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// What the map gives, or why it fails.
fn run(folder: &Path, text: &str, seed: Uuid) -> Result<Value, String> {
    let mut library = MapLibrary::new();
    for name in said(text, "with") {
        let path = folder.join(name);
        if name.ends_with(".map") {
            library.add_map(&fs::read_to_string(path).unwrap()).unwrap();
            continue;
        }
        let resource = json(path);
        match resource.get("resourceType").and_then(Value::as_str) {
            Some("ConceptMap") => library.add_concept_map(&resource).unwrap(),
            _ => library.add_structure_definition(&resource).unwrap(),
        }
    }
    let url = library
        .add_map(text)
        .map_err(|error| error.to_string())?
        .to_owned();
    let maps = library.compile().map_err(|error| error.to_string())?;
    let [input] = said(text, "input")[..] else {
        panic!("a map says what it reads: // input: inputs/patient.json");
    };
    let input = json(folder.join(input));
    let options = TransformOptions::with_seed(seed);
    let result = maps.transform_with(&url, &input, &options);
    // A trace changes nothing, and follows every rule that runs.
    let mut trace = Trace::new();
    let traced = maps.transform_traced(&url, &input, &options, &mut trace);
    assert_eq!(traced, result);
    assert!(!trace.entries().is_empty());
    result.map_err(|error| error.to_string())
}

#[rstest]
fn gives_what_is_expected(#[files("tests/engine/*.map")] path: PathBuf) {
    let folder = path.parent().unwrap();
    let name = path.file_stem().unwrap().to_str().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let result = run(folder, &text, Uuid::nil());
    let (ending, result) = match result {
        Ok(value) => ("json", serde_json::to_string_pretty(&value).unwrap()),
        Err(reason) => ("txt", reason),
    };
    let expected = folder.join(format!("expected/{name}.{ending}"));
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(&expected, result + "\n").unwrap();
        return;
    }
    let expected = fs::read_to_string(&expected)
        .unwrap_or_else(|_| panic!("{name} gives what is not expected:\n{result}"));
    pretty_assert(name, &result, expected.trim_end());
}

fn pretty_assert(name: &str, result: &str, expected: &str) {
    assert!(
        result == expected,
        "{name}\n--- expected\n{expected}\n--- found\n{result}"
    );
}

#[test]
fn the_same_seed_gives_the_same_ids_and_another_one_others() {
    let folder = Path::new("tests/engine");
    let text = fs::read_to_string(folder.join("references-make-ids.map")).unwrap();
    let one = run(folder, &text, Uuid::nil()).unwrap();
    assert_eq!(one, run(folder, &text, Uuid::nil()).unwrap());
    assert_ne!(one, run(folder, &text, Uuid::max()).unwrap());
}
