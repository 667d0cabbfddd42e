//! Maps that ask what codes mean: of loaded ValueSets, and of a terminology server.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;

use fhir_mapping::terminology::{Code, Terminology, TerminologyError, Translation};
use fhir_mapping::{MapLibrary, TransformError};
use serde_json::{Value, json};
use uuid::Uuid;

const URL: &str = "http://example.org/StructureMap/codes";

#[derive(Debug)]
struct Server;

impl Terminology for Server {
    fn is_member(&self, value_set: &str, code: &Code) -> Result<bool, TerminologyError> {
        Ok(value_set == "http://example.org/ValueSet/server" && code.code == "female")
    }

    fn translate(
        &self,
        concept_map: &str,
        code: &Code,
    ) -> Result<Vec<Translation>, TerminologyError> {
        if concept_map != "http://example.org/ConceptMap/server" {
            return Err(TerminologyError::Unknown(concept_map.to_owned()));
        }
        let translation = |to: &str, equivalence: &str| Translation {
            code: Code::new("http://example.org/sex", to),
            display: Some(to.to_lowercase()),
            equivalence: equivalence.to_owned(),
        };
        Ok(match code.code.as_str() {
            "female" => vec![translation("F", "equivalent"), translation("X", "narrower")],
            "male" => vec![translation("M", "equal"), translation("N", "wider")],
            "other" => vec![translation("O", "disjoint")],
            _ => Vec::new(),
        })
    }
}

fn library(rules: &str) -> MapLibrary {
    let mut library = MapLibrary::new();
    library
        .add_map(&format!(
            r#"
            /// url = '{URL}'
            uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as source
            uses "http://hl7.org/fhir/StructureDefinition/Observation" alias Observation as target
            group Codes(source patient : Patient, target observation : Observation) {{
              {rules}
            }}
            "#
        ))
        .unwrap();
    library
}

fn run(library: MapLibrary, gender: &str) -> Result<Value, String> {
    let maps = library
        .compile_strictly()
        .map_err(|error| error.to_string())?;
    let patient = json!({"resourceType": "Patient", "gender": gender});
    maps.transform(URL, &patient, Uuid::nil())
        .map_err(|error| error.to_string())
}

const MEMBER: &str = "patient where gender.memberOf('http://example.org/ValueSet/server') -> observation.status = 'final' \"member\";";

#[test]
fn a_condition_asks_loaded_value_sets() {
    let mut loaded = library(MEMBER);
    loaded
        .add_value_set(&json!({"resourceType": "ValueSet", "url": "http://example.org/ValueSet/server",
            "compose": {"include": [{"system": "http://hl7.org/fhir/administrative-gender", "concept": [{"code": "male"}]}]}}))
        .unwrap();
    assert_eq!(run(loaded, "male").unwrap()["status"], "final");
    // That it is missing is not the input's fault.
    let maps = library(MEMBER).compile_strictly().unwrap();
    let patient = json!({"resourceType": "Patient", "gender": "male"});
    match maps.transform(URL, &patient, Uuid::nil()).unwrap_err() {
        TransformError::Definitions { rule, reason, .. } => assert_eq!(
            (rule.as_str(), reason.as_str()),
            (
                "member",
                "http://example.org/ValueSet/server is not known: load it, or set a terminology server"
            )
        ),
        other => panic!("{other}"),
    }
}

#[test]
fn a_condition_asks_the_terminology_server() {
    let with_server = || {
        let mut library = library(MEMBER);
        library.set_terminology_server(Arc::new(Server));
        library
    };
    assert_eq!(run(with_server(), "female").unwrap()["status"], "final");
    assert_eq!(run(with_server(), "male").unwrap().get("status"), None);
}

#[test]
fn translate_asks_the_terminology_server_for_concept_maps_that_are_not_loaded() {
    let translated = |concept_map: &str, gender: &str| {
        let url = format!("http://example.org/ConceptMap/{concept_map}");
        let rule = format!(
            "patient.gender as gender -> observation.code as code, code.coding = translate(gender, '{url}', 'Coding'), code.text = translate(gender, '{url}', 'display') \"translated\";"
        );
        let mut library = library(&rule);
        library.set_terminology_server(Arc::new(Server));
        run(library, gender)
    };
    assert_eq!(
        translated("server", "female").unwrap()["code"],
        json!({"coding": [{"system": "http://example.org/sex", "code": "F"}], "text": "f"})
    );
    assert_eq!(translated("server", "unknown").unwrap().get("code"), None);
    for (concept_map, gender, reason) in [
        (
            "server",
            "male",
            "the concept map has several translations of a code",
        ),
        (
            "server",
            "other",
            "the concept map has no usable translation of a code",
        ),
        (
            "other",
            "male",
            "http://example.org/ConceptMap/other is not known: load it, or set a terminology server",
        ),
    ] {
        let error = translated(concept_map, gender).unwrap_err();
        assert!(error.ends_with(reason), "{error}");
    }
}
