//! References between the entries of a transaction (FHIR R4 3.1.0.11.2).

use std::collections::HashMap;

use serde_json::Value;

/// Replaces what refers to a `fullUrl` by the entry's `Type/id`: in `reference`, and in `url` of
/// attachments. A document Bundle is left alone, since it may be signed.
pub(super) fn resolve(resource: &mut Value, locations: &HashMap<String, String>) {
    let is_bundle = resource.get("resourceType").and_then(Value::as_str) == Some("Bundle");
    if !locations.is_empty() && !is_bundle {
        replace(resource, locations);
    }
}

/// Type and id of every resource of this repository that `resource` refers to.
pub(super) fn targets(resource: &Value) -> Vec<(&str, &str)> {
    let mut targets = Vec::new();
    collect(resource, &mut targets);
    targets
}

fn collect<'a>(value: &'a Value, targets: &mut Vec<(&'a str, &'a str)>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if is_name(name) => targets.extend(target(text)),
                    _ => collect(value, targets),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, targets)),
        _ => {}
    }
}

fn target(reference: &str) -> Option<(&str, &str)> {
    let mut parts = reference.split('/');
    let target = (parts.next()?, parts.next()?);
    // Of more parts it is an absolute reference, unless they name a version.
    matches!(parts.next(), None | Some("_history")).then_some(target)
}

/// Whether this may be the name of a resource type.
pub(super) fn is_type(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether an element of this name refers to something.
pub(super) fn is_name(name: &str) -> bool {
    matches!(name, "reference" | "url")
}

fn replace(value: &mut Value, locations: &HashMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if is_name(name) => {
                        if let Some(location) = locations.get(text.as_str()) {
                            text.clone_from(location);
                        }
                    }
                    _ => replace(value, locations),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                replace(value, locations);
            }
        }
        _ => {}
    }
}
