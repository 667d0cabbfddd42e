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
