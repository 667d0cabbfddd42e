//! Search parameters: what is indexed of a resource, and how a search asks for it.

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use super::super::RepositoryError;
use super::reference::is_type;
use crate::resource::property;

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

/// What a resource says of one parameter.
struct Stated<'a> {
    parameter: &'static str,
    system: &'a str,
    value: &'a str,
}

/// One row of the index.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct IndexRow {
    pub(super) parameter: &'static str,
    pub(super) key: String,
}

/// What `resource` is found by. `locations` are the places of what it refers to by `fullUrl`.
fn stated<'a>(
    resource_type: &str,
    resource: &'a Value,
    locations: &'a HashMap<String, String>,
) -> Vec<Stated<'a>> {
    let mut rows = Vec::new();
    for &(_, parameter, path, kind) in PARAMETERS.iter().filter(|row| row.0 == resource_type) {
        for element in elements(resource, path) {
            let mut add = |parameter, system: Option<&'a str>, value: Option<&'a str>| {
                rows.extend(value.map(|value| Stated {
                    parameter,
                    system: system.unwrap_or_default(),
                    value,
                }));
            };
            match kind {
                Kind::Code => add(parameter, None, element.as_str()),
                Kind::Identifier => {
                    add(
                        parameter,
                        property(element, "system"),
                        property(element, "value"),
                    );
                }
                Kind::Concept => {
                    for coding in elements(element, "/coding/*") {
                        add(
                            parameter,
                            property(coding, "system"),
                            property(coding, "code"),
                        );
                    }
                }
                Kind::Reference => {
                    let reference = property(element, "reference");
                    let place = reference.map(|it| locations.get(it).map_or(it, String::as_str));
                    add(parameter, None, place);
                    if parameter == "patient"
                        && let Some(identifier) = element.get("identifier")
                    {
                        let system = property(identifier, "system");
                        add(PATIENT_IDENTIFIER, system, property(identifier, "value"));
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

/// What the database finds `resource` by: not what many have in common, nor its own id.
/// `locations` are the places of what it refers to by `fullUrl`.
pub(super) fn stored_index(
    resource_type: &str,
    id: &str,
    resource: &Value,
    locations: &HashMap<String, String>,
) -> Vec<IndexRow> {
    let rows = stated(resource_type, resource, locations).into_iter();
    rows.filter(|row| is_stored(row.parameter) && own_id(row.value).as_deref() != Some(id))
        .map(|row| IndexRow {
            parameter: row.parameter,
            key: key(row.value).to_owned(),
        })
        .collect()
}

fn is_stored(parameter: &str) -> bool {
    !matches!(parameter, "code" | "status" | "type")
}

/// What a value is found by: of a reference to a resource here, and of a UUID as a URN, the id alone.
/// Other values may have the same key, so what is found is compared with what is searched for.
pub(super) fn key(value: &str) -> &str {
    let referred = || {
        let (resource_type, id) = value.split_once('/')?;
        (is_type(resource_type) && !id.contains('/')).then_some(id)
    };
    let id = value.strip_prefix("urn:uuid:").or_else(referred);
    id.filter(|id| !id.is_empty()).unwrap_or(value)
}

/// The id of which an identifier is made.
fn own_id(value: &str) -> Option<String> {
    if let Some(id) = value.strip_prefix("urn:uuid:") {
        return Some(id.to_owned());
    }
    // A UUID as an OID (ITU-T X.667).
    let number: u128 = value.strip_prefix("urn:oid:2.25.")?.parse().ok()?;
    Some(Uuid::from_u128(number).to_string())
}

/// One parameter of a search.
pub(super) struct Criterion {
    /// The indexed parameter; `None` for `_id`.
    parameter: Option<(&'static str, Kind)>,
    /// Any of these.
    values: Vec<Wanted>,
    /// Of `patient.identifier`: references to the Patients that have it, which is enough.
    patients: Vec<String>,
}

#[derive(Clone)]
struct Wanted {
    system: Option<String>,
    value: Option<String>,
}

/// Reads the parameters of a search.
pub(super) fn criteria(
    resource_type: &str,
    parameters: &[(&str, &str)],
) -> Result<Vec<Criterion>, RepositoryError> {
    parameters
        .iter()
        .map(|&(name, values)| {
            let parameter = match name {
                "_id" => None,
                _ => Some(parameter(resource_type, name)?),
            };
            let kind = parameter.map(|(_, kind)| kind);
            Ok(Criterion {
                parameter,
                values: values
                    .split(',')
                    .map(|value| wanted(kind, name, value))
                    .collect(),
                patients: Vec::new(),
            })
        })
        .collect()
}

impl Criterion {
    /// What finds the Patients of a chain to them.
    pub(super) fn of_patients(&self) -> Option<Self> {
        let (parameter, kind) = self.parameter?;
        (parameter == PATIENT_IDENTIFIER).then(|| Self {
            parameter: Some(("identifier", kind)),
            values: self.values.clone(),
            patients: Vec::new(),
        })
    }

    pub(super) fn refer_to(&mut self, patients: &[Value]) {
        let ids = patients
            .iter()
            .filter_map(|patient| patient.get("id")?.as_str());
        self.patients = ids.map(|id| format!("Patient/{id}")).collect();
    }

    /// A system alone is not: the index is without identifiers that repeat the id.
    fn is_in_the_index(&self) -> bool {
        self.parameter
            .is_some_and(|(parameter, _)| is_stored(parameter))
            && self.values.iter().all(|wanted| wanted.value.is_some())
    }
}

/// The resources that may match, by what the index knows: a statement and its values.
pub(super) fn query(resource_type: &str, criteria: &[Criterion]) -> (String, Vec<Option<String>>) {
    let mut sql = format!("{} AND r.resource_type = ?", super::SELECT);
    let mut values = vec![Some(resource_type.to_owned())];
    for criterion in criteria {
        match criterion.parameter {
            None => {
                let places = vec!["?"; criterion.values.len()].join(", ");
                sql.push_str(&format!(" AND r.id IN ({places})"));
                values.extend(criterion.values.iter().map(|wanted| wanted.value.clone()));
            }
            Some((parameter, _)) if criterion.is_in_the_index() => {
                let places = vec!["i.key = ?"; criterion.values.len()].join(" OR ");
                sql.push_str(&format!(
                    " AND r.id IN (SELECT i.id FROM search_index i \
                     WHERE i.resource_type = ? AND i.parameter = ? AND ({places})"
                ));
                values.extend([Some(resource_type.to_owned()), Some(parameter.to_owned())]);
                let wanted = || {
                    let values = criterion.values.iter();
                    values.map(|wanted| wanted.value.as_deref())
                };
                values.extend(wanted().map(|value| value.map(|value| key(value).to_owned())));
                for id in wanted().flatten().filter_map(own_id) {
                    sql.push_str(" UNION SELECT ?");
                    values.push(Some(id));
                }
                for patient in &criterion.patients {
                    sql.push_str(
                        " UNION SELECT i.id FROM search_index i \
                         WHERE i.resource_type = ? AND i.parameter = 'patient' AND i.key = ?",
                    );
                    let patient = key(patient).to_owned();
                    values.extend([Some(resource_type.to_owned()), Some(patient)]);
                }
                sql.push(')');
            }
            Some(_) => {}
        }
    }
    sql.push_str(" ORDER BY r.last_updated, r.id");
    (sql, values)
}

/// Whether a resource matches every criterion.
pub(super) fn matches(resource_type: &str, resource: &Value, criteria: &[Criterion]) -> bool {
    let nowhere = HashMap::new();
    let rows = stated(resource_type, resource, &nowhere);
    criteria.iter().all(|criterion| {
        let Some((parameter, _)) = criterion.parameter else {
            // The query asked for these ids.
            return true;
        };
        rows.iter().any(|row| {
            if row.parameter == "patient"
                && criterion
                    .patients
                    .iter()
                    .any(|patient| patient == row.value)
            {
                return true;
            }
            row.parameter == parameter
                && criterion.values.iter().any(|wanted| {
                    let is_or_any = |wanted: &Option<String>, stated: &str| {
                        wanted.as_ref().is_none_or(|wanted| wanted == stated)
                    };
                    is_or_any(&wanted.value, row.value) && is_or_any(&wanted.system, row.system)
                })
        })
    })
}

/// The indexed parameter behind a name in a search: `subject` is `patient` here, since every
/// subject is one.
fn parameter(resource_type: &str, name: &str) -> Result<(&'static str, Kind), RepositoryError> {
    let wanted = match name {
        "subject" | "patient.identifier" | "subject.identifier" | "patient:identifier"
        | "subject:identifier" => "patient",
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

fn wanted(kind: Option<Kind>, name: &str, value: &str) -> Wanted {
    let value_only = |value: String| Wanted {
        system: None,
        value: Some(value),
    };
    match (kind, value.split_once('|')) {
        // `|value` asks for a value without system.
        (Some(Kind::Identifier | Kind::Concept), Some((system, value))) => Wanted {
            system: Some(system.to_owned()),
            value: (!value.is_empty()).then(|| value.to_owned()),
        },
        (Some(Kind::Reference), _)
            if !value.contains('/') && matches!(name, "patient" | "subject") =>
        {
            value_only(format!("Patient/{value}"))
        }
        _ => value_only(value.to_owned()),
    }
}
