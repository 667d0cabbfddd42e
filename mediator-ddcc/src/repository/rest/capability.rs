//! What a server can do (FHIR R4 `CapabilityStatement`), and what it lacks.

use std::fmt;

use serde_json::{Value, json};

/// The version of FHIR; its corrections change nothing here.
const FHIR_VERSION: &str = "4.0.";

/// Types that are stored, and the search parameters that they are found by.
pub(super) const RESOURCES: [(&str, &[&str]); 16] = [
    ("AuditEvent", &[]),
    ("Binary", &[]),
    ("Composition", &[]),
    ("Device", &[]),
    ("DiagnosticReport", &[]),
    (
        "DocumentReference",
        &["identifier", "patient", "related", "status", "type"],
    ),
    ("Immunization", &[]),
    ("ImmunizationRecommendation", &[]),
    ("List", &["code", "identifier", "item", "patient", "status"]),
    ("Observation", &[]),
    ("Organization", &[]),
    ("Patient", &["identifier"]),
    ("Procedure", &[]),
    ("Provenance", &[]),
    ("QuestionnaireResponse", &[]),
    ("Specimen", &[]),
];

/// Something that the server cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing(String);

impl fmt::Display for Missing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// What a server says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCapabilities {
    software: String,
    missing: Vec<Missing>,
    has_document_operation: bool,
}

impl ServerCapabilities {
    /// Reads a CapabilityStatement.
    #[must_use]
    pub fn of(statement: &Value) -> Self {
        let text = |pointer: &str| {
            let text = statement.pointer(pointer).and_then(Value::as_str);
            text.unwrap_or_default()
        };
        let software = format!("{} {}", text("/software/name"), text("/software/version"));
        Self {
            software: software.trim().to_owned(),
            missing: missing(statement),
            has_document_operation: has_document_operation(statement),
        }
    }

    /// Name and version of the server's software, as far as it tells them.
    #[must_use]
    pub fn software(&self) -> &str {
        &self.software
    }

    /// What is needed and not there.
    #[must_use]
    pub fn missing(&self) -> &[Missing] {
        &self.missing
    }

    /// Whether it makes documents of Compositions itself (`Composition/[id]/$document`).
    #[must_use]
    pub fn has_document_operation(&self) -> bool {
        self.has_document_operation
    }
}

/// What the server lacks, for whoever runs it.
pub(super) fn summary(missing: &[Missing]) -> String {
    let missing: Vec<String> = missing.iter().map(ToString::to_string).collect();
    format!(
        "it lacks what certificates need, by its own CapabilityStatement: {}",
        missing.join("; ")
    )
}

fn missing(statement: &Value) -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut note = |text: String| missing.push(Missing(text));
    let version = statement.get("fhirVersion").and_then(Value::as_str);
    match version {
        Some(version) if version.starts_with(FHIR_VERSION) => {}
        Some(version) => note(format!("FHIR 4.0.1 (it speaks {version})")),
        None => note("FHIR 4.0.1 (it does not say which version it speaks)".to_owned()),
    }
    let formats = strings(statement, "format");
    if !formats.is_empty() && !formats.iter().any(|format| format.contains("json")) {
        note("the format JSON".to_owned());
    }
    let Some(server) = server(statement) else {
        note("a REST API (rest.mode server)".to_owned());
        return missing;
    };
    if !has_code(server, "transaction") {
        note("the interaction transaction".to_owned());
    }
    let mut absent = Vec::new();
    for (resource_type, parameters) in RESOURCES {
        let Some(resource) = resource(server, resource_type) else {
            absent.push(resource_type);
            continue;
        };
        for interaction in ["read", "update"] {
            if !has_code(resource, interaction) {
                note(format!("{resource_type}: the interaction {interaction}"));
            }
        }
        if resource.get("updateCreate") == Some(&json!(false)) {
            note(format!("{resource_type}: update as create"));
        }
        let versioning = resource.get("versioning").and_then(Value::as_str);
        if resource_type == "List" && matches!(versioning, Some("no-version" | "versioned")) {
            note("List: updates of a known version (versioning versioned-update)".to_owned());
        }
        if !parameters.is_empty() && !has_code(resource, "search-type") {
            note(format!("{resource_type}: the interaction search-type"));
        }
        let unknown: Vec<&str> = parameters
            .iter()
            .copied()
            .filter(|parameter| !has_parameter(resource, parameter))
            .collect();
        if !unknown.is_empty() {
            note(format!(
                "{resource_type}: the search parameters {}",
                unknown.join(", ")
            ));
        }
    }
    if !absent.is_empty() {
        note(format!("the resource types {}", absent.join(", ")));
    }
    missing
}

fn server(statement: &Value) -> Option<&Value> {
    array(statement, "rest").find(|rest| rest.get("mode") == Some(&json!("server")))
}

fn resource<'a>(server: &'a Value, resource_type: &str) -> Option<&'a Value> {
    array(server, "resource")
        .find(|resource| resource.get("type").and_then(Value::as_str) == Some(resource_type))
}

fn has_code(value: &Value, code: &str) -> bool {
    array(value, "interaction")
        .any(|interaction| interaction.get("code").and_then(Value::as_str) == Some(code))
}

fn has_parameter(resource: &Value, name: &str) -> bool {
    array(resource, "searchParam")
        .any(|parameter| parameter.get("name").and_then(Value::as_str) == Some(name))
}

fn has_document_operation(statement: &Value) -> bool {
    server(statement)
        .and_then(|server| resource(server, "Composition"))
        .is_some_and(|composition| {
            array(composition, "operation").any(|operation| {
                let name = operation.get("name").and_then(Value::as_str);
                name.is_some_and(|name| name.trim_start_matches('$') == "document")
            })
        })
}

fn strings<'a>(value: &'a Value, name: &str) -> Vec<&'a str> {
    array(value, name).filter_map(Value::as_str).collect()
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}
