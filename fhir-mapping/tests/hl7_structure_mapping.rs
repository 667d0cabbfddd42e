//! HL7's own test cases for maps, for R4B and R5. They are found by `SERVERS_FOR_TESTS`, as
//! `tests/servers/install` puts them there, and are no part of this repository.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use fhir_mapping::MapLibrary;
use roxmltree::Document;
use rstest::rstest;
use serde_json::Value;
use uuid::Uuid;

/// Cases that are not run, by the map's file, and why.
const EXCEPTIONS: [(&str, &str); 4] = [
    (
        "qr2cda.map",
        "it makes a CDA document, whose models are not part of the cases",
    ),
    (
        "qr2cdaxsi.map",
        "it makes a CDA document, whose models are not part of the cases",
    ),
    (
        "qr2cda-eval.map",
        "it makes a CDA document, whose models are not part of the cases",
    ),
    (
        "qr2cda-eval.json",
        "it makes a CDA document, whose models are not part of the cases",
    ),
];

fn folder(version: &str) -> Option<PathBuf> {
    let cases = PathBuf::from(std::env::var_os("SERVERS_FOR_TESTS")?).join("fhir-test-cases");
    let folder = cases.join(version).join("structure-mapping");
    folder.is_dir().then_some(folder)
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap();
    serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap()
}

fn run(map: &Path, input: &Path) -> Result<Value, String> {
    let mut library = MapLibrary::new();
    let text = fs::read_to_string(map).unwrap();
    let url = library.add_map(&text).map_err(|error| error.to_string())?;
    let url = url.to_owned();
    let maps = library.compile().map_err(|error| error.to_string())?;
    maps.transform(&url, &json(input), Uuid::nil())
        .map_err(|error| error.to_string())
}

#[rstest]
#[case("r4b")]
#[case("r5")]
fn every_case_of_the_manifest_gives_what_it_says(#[case] version: &str) {
    let Some(folder) = folder(version) else {
        eprintln!("skipped: HL7's cases are not installed, see tests/servers/install");
        return;
    };
    let manifest = fs::read_to_string(folder.join("manifest.xml")).unwrap();
    let manifest = Document::parse(&manifest).unwrap();
    let mut count = 0;
    for case in manifest
        .descendants()
        .filter(|node| node.has_tag_name("test"))
    {
        let file = |name: &str| folder.join(case.attribute(name).unwrap());
        let map = case.attribute("map").unwrap();
        if EXCEPTIONS.iter().any(|(exception, _)| *exception == map) {
            continue;
        }
        let result = run(&file("map"), &file("source"));
        assert_eq!(result, Ok(json(&file("output"))), "{map}");
        count += 1;
    }
    assert_eq!(count, 6, "cases that were run");
}

/// Maps beside those of the manifest, and what they are about.
#[test]
fn the_maps_that_the_manifest_does_not_name() {
    let Some(folder) = folder("r5") else {
        eprintln!("skipped: HL7's cases are not installed, see tests/servers/install");
        return;
    };
    let input = folder.join("qrext.json");
    let dates = run(&folder.join("qr2patfordates.map"), &input).unwrap();
    assert_eq!(dates["birthDate"], "2023-10-26");
    assert_eq!(dates["deceasedDateTime"], "2023-09-20T13:19:13.502Z");
    let cast = run(&folder.join("cast.map"), &input).unwrap();
    let values: Vec<&Value> = cast["extension"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|extension| extension.as_object().unwrap().iter())
        .filter(|(name, _)| name.starts_with("value"))
        .map(|(_, value)| value)
        .collect();
    assert_eq!(values.len(), 4, "{cast}");
}
