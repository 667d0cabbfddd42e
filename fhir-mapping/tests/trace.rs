//! What a trace tells the author of a map.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use fhir_mapping::{GroupCall, MapLibrary, Trace, TraceEvent, TransformOptions};
use serde_json::{Value, json};

const MAP: &str = r#"/// url = 'http://example.org/map'
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Source as source
uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Target as target

group Main(source s : Source, target t : Target) {
  s.name as name where use = 'official' -> t.name as made then Name(name, made) "name";
  s.deceased : dateTime as d -> t.deceased = d "deceased";
  s.telecom first as c -> t.telecom = c "telecom";
  s.language default 'mi' as l -> t.language = l "language";
  s.maritalStatus -> t.maritalStatus;
  s.contact -> t.contact;
  s -> t.gender = (s.photo.url) "nothing";
}

group Given(source name, target made) {
  name.given as given -> made.given = given;
}

group Name(source name, target made) extends Given {
  name.family as family -> made.family = family;
}

group Backbone(source a : BackboneElement, target b : BackboneElement) <<types>> {
  a.gender as g -> b.gender = g;
}
"#;

fn traced(mut trace: Trace, input: &Value) -> Trace {
    let mut library = MapLibrary::new();
    library.add_map(MAP).unwrap();
    let maps = library.compile().unwrap();
    let options = TransformOptions::default();
    let _ = maps.transform_traced("http://example.org/map", input, &options, &mut trace);
    trace
}

fn patient() -> Value {
    json!({
        "resourceType": "Patient",
        "name": [
            {"use": "usual", "text": "secret"},
            {"use": "official", "family": "secret", "given": ["secret", "secret"]},
        ],
        "telecom": [{"value": "secret"}, {"value": "secret"}],
        "deceasedBoolean": false,
        "maritalStatus": {"text": "secret"},
        "contact": [{"gender": "other"}],
    })
}

#[test]
fn a_tree_of_elements_and_counts_without_values() {
    let text = traced(Trace::new(), &patient()).to_string();
    assert_eq!(
        text,
        "\
group Main of http://example.org/map (the first)
  rule name
    source Patient.name: 2 items, 1 fulfil the condition
    for Patient.name[1]
      -> Patient.name[0] by create
      group Name of http://example.org/map (called)
        group Given of http://example.org/map (extended)
          rule given
            source Patient.name[1].given: 2 items
            for Patient.name[1].given[0]
              -> Patient.name[0].given[0] by copy
            for Patient.name[1].given[1]
              -> Patient.name[0].given[1] by copy
        rule family
          source Patient.name[1].family: 1 item
          for Patient.name[1].family
            -> Patient.name[0].family by copy
  rule deceased
    source Patient.deceased: 1 item, 0 of the type
  rule telecom
    source Patient.telecom: 2 items, 1 left by the list option
    for Patient.telecom[0]
      -> Patient.telecom[0] by copy
  rule language
    source Patient.language: empty, the default is taken
    for (computed)
      -> Patient.language by copy
  rule maritalStatus
    source Patient.maritalStatus: 1 item
    for Patient.maritalStatus
      no default group for CodeableConcept to CodeableConcept: copied as it is
      -> Patient.maritalStatus by copy
  rule contact
    source Patient.contact: 1 item
    for Patient.contact[0]
      -> Patient.contact[0] by create
      group Backbone of http://example.org/map (default for the types)
        rule gender
          source Patient.contact[0].gender: 1 item
          for Patient.contact[0].gender
            -> Patient.contact[0].gender by copy
  rule nothing
    source Patient: 1 item
    for Patient
      -> Patient.gender by evaluate: no value
"
    );
}

#[test]
fn values_are_in_it_only_when_they_are_asked_for() {
    let text = traced(Trace::with_values(), &patient()).to_string();
    assert!(
        text.contains("for Patient.name[1].family \"secret\"\n"),
        "{text}"
    );
    assert!(
        text.contains("-> Patient.name[0].family by copy \"secret\"\n"),
        "{text}"
    );
}

#[test]
fn entries_are_a_tree_by_their_depth() {
    let trace = traced(Trace::new(), &patient());
    let first = &trace.entries()[0];
    assert_eq!(first.depth, 0);
    assert!(
        matches!(&first.event, TraceEvent::Group { group, call: GroupCall::First, .. } if group == "Main")
    );
    let depths: Vec<usize> = trace.entries().iter().map(|entry| entry.depth).collect();
    assert!(depths.windows(2).all(|pair| pair[1] <= pair[0] + 1));
}

#[test]
fn a_failure_is_the_last_entry() {
    let mut input = patient();
    input["maritalStatus"] = json!({"unknownElement": "secret"});
    input["name"] = json!([{"use": ["official"]}]);
    let mut library = MapLibrary::new();
    let map = MAP.replace(
        "\"name\";",
        "\"name\";\n s.telecom only_one as c -> t.id = 'x' \"fails\";",
    );
    library.add_map(&map).unwrap();
    let mut trace = Trace::new();
    let options = TransformOptions::default();
    let error = library
        .compile()
        .unwrap()
        .transform_traced("http://example.org/map", &patient(), &options, &mut trace)
        .unwrap_err();
    let last = trace.entries().last().unwrap();
    assert_eq!(
        last.event,
        TraceEvent::Failed {
            reason: error.to_string()
        }
    );
    assert_eq!(last.depth, 2, "inside of the rule that failed");
    assert!(!trace.to_string().contains("secret"));
}
