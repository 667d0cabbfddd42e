//! HL7's mapping engine, and what it makes of the maps of `fhir-mapping/tests/engine`: the same as is
//! expected of ours, unless [`DIFFERENCES`] says why not.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use real_servers::mapping_engine::RealMappingEngine;
use reqwest::Client;
use serde_json::Value;

const MAPS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fhir-mapping/tests/engine"
);

/// Maps that HL7's engine does not give the same for, and why.
const DIFFERENCES: [(&str, &str); 9] = [
    (
        "cardinality-fails",
        "the specification has a cardinality as a check; HL7's engine reads it and does not check it",
    ),
    (
        "codings-with-display",
        "the specification gives cc a text, and cc and c a display; HL7's engine has neither",
    ),
    ("constants", "HL7's engine does not know `let`"),
    (
        "escape",
        "HL7's engine has no escape; the specification names it without its formats",
    ),
    (
        "pointer",
        "HL7's engine refuses every resource of its own element model",
    ),
    (
        "several-sources",
        "HL7's engine runs rules with one source only",
    ),
    (
        "simple-copies",
        "HL7's engine copies nothing without a default group for the types",
    ),
    ("small-datatypes", "HL7's engine has none of qty, id and cp"),
    (
        "arbitrary-json",
        "HL7's engine reads what has a StructureDefinition only",
    ),
];

/// The words after `// name:` in a map's first lines.
fn said<'t>(text: &'t str, name: &str) -> Vec<&'t str> {
    let start = format!("// {name}: ");
    text.lines()
        .find_map(|line| line.strip_prefix(start.as_str()))
        .map(|words| words.split(' ').collect())
        .unwrap_or_default()
}

struct Engine {
    client: Client,
    base: String,
}

impl Engine {
    async fn post(&self, path: &str, content_type: &str, body: Vec<u8>) -> Result<Vec<u8>, String> {
        let request = self
            .client
            .post(format!("{}/{path}", self.base))
            .header("Content-Type", content_type)
            .body(body);
        let response = request.send().await.unwrap();
        let status = response.status();
        let body = response.bytes().await.unwrap().to_vec();
        if status.is_success() {
            Ok(body)
        } else {
            Err(String::from_utf8(body).unwrap())
        }
    }

    async fn upload(&self, path: &Path) -> Result<(), String> {
        let body = fs::read(path).unwrap();
        if path.extension().is_some_and(|ending| ending == "map") {
            self.post("StructureMap", "text/fhir-mapping", body).await?;
        } else {
            let resource: Value = serde_json::from_slice(&body).unwrap();
            let resource_type = resource["resourceType"].as_str().unwrap();
            self.post(resource_type, "application/fhir+json", body)
                .await?;
        }
        Ok(())
    }

    async fn run(&self, path: &Path) -> Result<Value, String> {
        let text = fs::read_to_string(path).unwrap();
        let folder = path.parent().unwrap();
        for name in said(&text, "with") {
            self.upload(&folder.join(name)).await?;
        }
        self.upload(path).await?;
        let url = text
            .lines()
            .find_map(|line| line.strip_prefix("/// url = '")?.strip_suffix('\''))
            .unwrap();
        let input = fs::read(folder.join(said(&text, "input")[0])).unwrap();
        let path = format!("StructureMap/$transform?source={url}");
        let result = self.post(&path, "application/fhir+json", input).await?;
        Ok(serde_json::from_slice(&result).unwrap())
    }
}

/// UUIDs numbered in the order in which they stand there, names of logical models left out, and
/// numbers as they are counted (1000.0 is 1000).
fn normalised(value: &mut Value, uuids: &mut HashMap<String, usize>) {
    match value {
        Value::Object(object) => {
            // HL7's engine writes the name of a logical model as if it were a resource's type.
            if object.get("resourceType").and_then(Value::as_str) == Some("Right") {
                object.remove("resourceType");
            }
            object.sort_keys();
            for value in object.values_mut() {
                normalised(value, uuids);
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| normalised(value, uuids)),
        Value::String(text) => {
            let start = text.len().saturating_sub(36);
            if let Some(id) = text.get(start..)
                && uuid::Uuid::try_parse(id).is_ok()
            {
                let next = uuids.len();
                let number = *uuids.entry(id.to_owned()).or_insert(next);
                *text = format!("{}uuid {number}", &text[..start]);
            }
        }
        Value::Number(number) => *value = Value::from(number.as_f64().unwrap()),
        _ => {}
    }
}

fn maps() -> Vec<PathBuf> {
    let entries = fs::read_dir(MAPS).unwrap();
    let mut maps: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    maps.retain(|path| path.extension().is_some_and(|ending| ending == "map"));
    maps.sort();
    maps
}

#[tokio::test]
async fn gives_what_ours_gives() {
    let Some(server) = RealMappingEngine::start().await else {
        return;
    };
    let engine = Engine {
        client: Client::new(),
        base: server.base_url(),
    };
    let maps = maps();
    assert!(maps.len() >= 40, "{} maps", maps.len());
    let mut wrong = Vec::new();
    for path in &maps {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let expected = Path::new(MAPS).join(format!("expected/{name}.json"));
        let mut expected = fs::read_to_string(expected)
            .ok()
            .map(|text| serde_json::from_str(&text).unwrap());
        let mut found = engine.run(path).await;
        for value in expected.iter_mut().chain(found.iter_mut()) {
            normalised(value, &mut HashMap::new());
        }
        let is_same = expected.as_ref() == found.as_ref().ok();
        let difference = DIFFERENCES.iter().find(|(map, _)| *map == name);
        match (is_same, difference) {
            (true, None) | (false, Some(_)) => {}
            (true, Some((_, why))) => wrong.push(format!("{name} is the same, although {why}")),
            (false, None) => wrong.push(format!("{name}: expected {expected:?}, found {found:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
