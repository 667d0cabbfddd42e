//! Search parameters: what is indexed of a resource, and how a search asks for it.

use serde_json::Value;
use sqlx::{QueryBuilder, Sqlite};

use super::super::RepositoryError;

/// How a search parameter reads an element (FHIR R4 3.1.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Identifier.
    Identifier,
    /// CodeableConcept.
    Concept,
    /// code.
    Code,
    /// Reference; also its `identifier`, for a chain to it.
    Reference,
}

/// Type, parameter, element, kind.
const PARAMETERS: &[(&str, &str, &str, Kind)] = &[
    ("AuditEvent", "entity", "/entity/*/what", Kind::Reference),
    ("Bundle", "identifier", "/identifier", Kind::Identifier),
    ("Bundle", "type", "/type", Kind::Code),
    ("Composition", "identifier", "/identifier", Kind::Identifier),
    ("Composition", "patient", "/subject", Kind::Reference),
    (
        "DocumentReference",
        "identifier",
        "/identifier/*",
        Kind::Identifier,
    ),
    (
        "DocumentReference",
        "identifier",
        "/masterIdentifier",
        Kind::Identifier,
    ),
    ("DocumentReference", "patient", "/subject", Kind::Reference),
    (
        "DocumentReference",
        "related",
        "/context/related/*",
        Kind::Reference,
    ),
    ("DocumentReference", "status", "/status", Kind::Code),
    ("DocumentReference", "type", "/type", Kind::Concept),
    ("List", "code", "/code", Kind::Concept),
    ("List", "identifier", "/identifier/*", Kind::Identifier),
    ("List", "item", "/entry/*/item", Kind::Reference),
    ("List", "patient", "/subject", Kind::Reference),
    ("List", "status", "/status", Kind::Code),
    ("Patient", "identifier", "/identifier/*", Kind::Identifier),
];

/// One row of the index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexRow {
    pub(super) parameter: &'static str,
    pub(super) system: String,
    pub(super) value: String,
}

/// What `resource` is found by.
pub(super) fn index(resource_type: &str, resource: &Value) -> Vec<IndexRow> {
    let mut rows = Vec::new();
    for &(_, parameter, path, kind) in PARAMETERS.iter().filter(|row| row.0 == resource_type) {
        for element in elements(resource, path) {
            let mut add = |parameter, system: Option<&str>, value: Option<&str>| {
                if let Some(value) = value {
                    rows.push(IndexRow {
                        parameter,
                        system: system.unwrap_or_default().to_owned(),
                        value: value.to_owned(),
                    });
                }
            };
            let text = |element: &'_ Value, name: &str| {
                element.get(name).and_then(Value::as_str).map(str::to_owned)
            };
            match kind {
                Kind::Code => add(parameter, None, element.as_str()),
                Kind::Identifier => add(
                    parameter,
                    text(element, "system").as_deref(),
                    text(element, "value").as_deref(),
                ),
                Kind::Concept => {
                    for coding in elements(element, "/coding/*") {
                        add(
                            parameter,
                            text(coding, "system").as_deref(),
                            text(coding, "code").as_deref(),
                        );
                    }
                }
                Kind::Reference => {
                    add(parameter, None, text(element, "reference").as_deref());
                    if parameter == "patient"
                        && let Some(identifier) = element.get("identifier")
                    {
                        add(
                            PATIENT_IDENTIFIER,
                            text(identifier, "system").as_deref(),
                            text(identifier, "value").as_deref(),
                        );
                    }
                }
            }
        }
    }
    rows
}

const PATIENT_IDENTIFIER: &str = "patient.identifier";

/// The elements at a path whose `*` stands for every element of an array.
fn elements<'a>(value: &'a Value, path: &str) -> Vec<&'a Value> {
    path.split('/').skip(1).fold(vec![value], |found, name| {
        found
            .into_iter()
            .flat_map(|value| match (name, value) {
                ("*", Value::Array(values)) => values.iter().collect(),
                ("*", _) => Vec::new(),
                _ => value.get(name).into_iter().collect::<Vec<_>>(),
            })
            .collect()
    })
}

/// The query for a search: all parameters must match, of values separated by commas one.
pub(super) fn query(
    resource_type: &str,
    parameters: &[(&str, &str)],
) -> Result<QueryBuilder<Sqlite>, RepositoryError> {
    let mut query = QueryBuilder::new(
        "SELECT version, last_updated, content FROM resource r WHERE content IS NOT NULL AND resource_type = ",
    );
    query.push_bind(resource_type.to_owned());
    for &(name, values) in parameters {
        if name == "_id" {
            query.push(" AND id IN (");
            let mut list = query.separated(", ");
            for id in values.split(',') {
                list.push_bind(id.to_owned());
            }
            query.push(")");
            continue;
        }
        let (parameter, kind) = parameter(resource_type, name)?;
        query.push(
            " AND EXISTS (SELECT 1 FROM search_index i WHERE i.resource_type = r.resource_type AND i.id = r.id AND i.parameter = ",
        );
        query.push_bind(parameter);
        query.push(" AND (");
        for (index, value) in values.split(',').enumerate() {
            if index > 0 {
                query.push(" OR ");
            }
            push_value(&mut query, kind, name, value);
        }
        query.push("))");
    }
    query.push(" ORDER BY last_updated, id");
    Ok(query)
}

/// The indexed parameter behind a name in a search: `subject` is `patient` here, since every
/// subject is one.
fn parameter(resource_type: &str, name: &str) -> Result<(&'static str, Kind), RepositoryError> {
    let wanted = match name {
        "subject" | "patient.identifier" | "subject.identifier" | "patient:identifier" => "patient",
        _ => name,
    };
    let found = PARAMETERS
        .iter()
        .find(|row| row.0 == resource_type && row.1 == wanted);
    match found {
        Some(_) if name.ends_with("identifier") && wanted == "patient" => {
            Ok((PATIENT_IDENTIFIER, Kind::Identifier))
        }
        Some(&(_, parameter, _, kind)) => Ok((parameter, kind)),
        None => Err(RepositoryError::UnsupportedParameter {
            resource_type: resource_type.to_owned(),
            parameter: name.to_owned(),
        }),
    }
}

fn push_value(query: &mut QueryBuilder<Sqlite>, kind: Kind, name: &str, value: &str) {
    match (kind, value.split_once('|')) {
        // `|value` asks for a value without system.
        (Kind::Identifier | Kind::Concept, Some((system, ""))) => {
            query.push("i.system = ").push_bind(system.to_owned());
        }
        (Kind::Identifier | Kind::Concept, Some((system, value))) => {
            query.push("(i.value = ").push_bind(value.to_owned());
            query.push(" AND i.system = ").push_bind(system.to_owned());
            query.push(")");
        }
        (Kind::Reference, _) if !value.contains('/') && matches!(name, "patient" | "subject") => {
            query
                .push("i.value = ")
                .push_bind(format!("Patient/{value}"));
        }
        _ => {
            query.push("i.value = ").push_bind(value.to_owned());
        }
    }
}
