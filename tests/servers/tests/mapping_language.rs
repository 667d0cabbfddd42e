//! Maps as resources: what `fhir-mapping` makes of a text, beside what HL7's Java parser makes of it.
//!
//! Maps that others wrote are compared too: those of HL7's test cases, where Maven has them, and
//! those in the folders of `MAPS_OF_OTHERS` (with `:` between).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use fhir_mapping::structure_map::{FhirVersion, from_json, to_json};
use real_servers::mapping_engine::RealMappingEngine;
use serde_json::Value;

/// Each construct that Java's parser reads.
const CONSTRUCTS: &str = include_str!("mapping_language/constructs.map");

/// What Java answers to the upload of a map: the resource, or why it cannot be read.
async fn java(
    client: &reqwest::Client,
    engine: &RealMappingEngine,
    text: &str,
) -> Result<Value, String> {
    let request = client
        .post(format!("{}/StructureMap", engine.base_url()))
        .header("Content-Type", "text/fhir-mapping")
        .header("Prefer", "return=representation")
        .body(text.to_owned());
    let response = request.send().await.unwrap();
    let bytes = response.bytes().await.unwrap();
    let answer: Value = serde_json::from_slice(&bytes).unwrap();
    if answer["resourceType"] == "StructureMap" {
        Ok(answer)
    } else {
        Err(answer["issue"][0]["diagnostics"].to_string())
    }
}

/// Whether it is known why two values differ.
fn is_explained(path: &str, ours: &Value, java: &Value) -> bool {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (ours, java) = (text(ours), text(java));
    let without = |text: &str, dropped: &[char]| text.replace(dropped, "");
    match path.rsplit('.').next() {
        // The server gives ids.
        Some("id") => !path.contains("contained"),
        // Java makes a title of the description, and a description of the title.
        Some("title" | "description") => true,
        // Java drops comments before and in a rule.
        Some("documentation") => path.contains("rule[") && ours.ends_with(&java),
        // Java takes hyphens out of names.
        Some("name") => without(&ours, &['-']) == java,
        // Java adds parentheses by precedence, and quotes to units of time, and writes `item` as
        // an index.
        Some("condition" | "check" | "logMessage" | "valueString") => {
            let dropped = ['(', ')', '\'', ' ', ']'];
            let alike = |text: &str| without(&text.replace('[', ".item"), &dropped);
            alike(&ours) == alike(&java)
        }
        // Java reads `collate` as `last`.
        Some(mode) if mode.starts_with("listMode[") => {
            (ours.as_str(), java.as_str()) == ("collate", "last")
        }
        _ => false,
    }
}

/// The places where two values differ.
fn differences(path: &str, ours: &Value, java: &Value, found: &mut Vec<String>) {
    match (ours, java) {
        (Value::Object(ours), Value::Object(java)) => {
            let names: BTreeMap<&String, ()> = ours
                .keys()
                .chain(java.keys())
                .map(|name| (name, ()))
                .collect();
            for name in names.into_keys() {
                let of = |members: &serde_json::Map<String, Value>| {
                    members.get(name).cloned().unwrap_or_default()
                };
                differences(&format!("{path}.{name}"), &of(ours), &of(java), found);
            }
        }
        (Value::Array(ours), Value::Array(java)) if ours.len() == java.len() => {
            for (index, (ours, java)) in ours.iter().zip(java).enumerate() {
                differences(&format!("{path}[{index}]"), ours, java, found);
            }
        }
        _ if ours != java && !is_explained(path, ours, java) => {
            found.push(format!("{path}: ours {ours}, Java's {java}"))
        }
        _ => {}
    }
}

fn maps_in(folder: &Path, maps: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            maps_in(&path, maps);
        } else if path
            .extension()
            .is_some_and(|ending| ending == "map" || ending == "fml")
        {
            let text = fs::read_to_string(&path).unwrap();
            maps.push((path, text));
        }
    }
}

/// HL7's test cases of the mapping language, unpacked from where Maven keeps them.
fn test_cases(into: &Path) -> Option<PathBuf> {
    let name = "org/hl7/fhir/testcases/fhir-test-cases/1.6.0/fhir-test-cases-1.6.0.jar";
    let archive = PathBuf::from(std::env::var_os("HOME")?)
        .join(".m2/repository")
        .join(name);
    let cases = "org/hl7/fhir/testcases/r5/structure-mapping";
    let mut unpack = Command::new("jar");
    unpack.current_dir(into).arg("xf").arg(archive).arg(cases);
    let done = unpack.status().is_ok_and(|status| status.success());
    let folder = into.join(cases);
    (done && folder.is_dir()).then_some(folder)
}

#[tokio::test]
async fn maps_are_the_resources_that_java_makes_of_them() {
    let Some(engine) = RealMappingEngine::start().await else {
        return;
    };
    let client = reqwest::Client::new();
    let mut maps = vec![(PathBuf::from("constructs.map"), CONSTRUCTS.to_owned())];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for folder in ["fhir-mapping/tests", "mediator-ddcc/maps", "examples"] {
        maps_in(&root.join(folder), &mut maps);
    }
    let folder = tempfile::tempdir().unwrap();
    match test_cases(folder.path()) {
        Some(cases) => maps_in(&cases, &mut maps),
        None => eprintln!("HL7's test cases are not there: their maps are not compared"),
    }
    if let Some(folders) = std::env::var_os("MAPS_OF_OTHERS") {
        for folder in std::env::split_paths(&folders) {
            maps_in(&folder, &mut maps);
        }
    }
    let mut found = Vec::new();
    let mut compared = 0;
    for (path, text) in &maps {
        let name = path.file_name().unwrap().to_string_lossy();
        let java = java(&client, &engine, text).await;
        let ours = to_json(text, FhirVersion::R4);
        match (ours, java) {
            (Ok(ours), Ok(java)) => {
                let mut places = Vec::new();
                differences("", &ours, &java, &mut places);
                // Java reads the same in what is written of the resource, and what is formatted.
                let written = from_json(&java).unwrap().text;
                let formatted = fhir_mapping::format(text).unwrap();
                for (how, text) in [(" written", written), (" formatted", formatted)] {
                    match self::java(&client, &engine, &text).await {
                        Ok(again) => differences(how, &again, &java, &mut places),
                        Err(error) => places.push(format!("{how}: Java refuses {error}")),
                    }
                }
                compared += 1;
                found.extend(places.into_iter().map(|place| format!("{name}{place}")));
            }
            (Ok(_), Err(error)) => eprintln!("{name}: Java refuses what we read: {error}"),
            (Err(error), Ok(_)) => found.push(format!("{name}: we refuse {error}")),
            (Err(_), Err(_)) => eprintln!("{name}: both refuse it"),
        }
    }
    eprintln!("{compared} of {} maps compared", maps.len());
    assert!(
        found.is_empty(),
        "{} differences:\n{}",
        found.len(),
        found.join("\n")
    );
    assert!(compared >= 10, "{compared}");
}
