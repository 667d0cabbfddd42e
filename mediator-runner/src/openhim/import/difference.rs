//! What a file asks for, compared with what OpenHIM has.

use serde_json::{Map, Value};

/// The members of `wanted` that are otherwise in `existing`, in their order. What the file does not
/// mention may be anything: operators set it in the console, and core adds members of its own.
pub(super) fn differing_members(
    wanted: &Map<String, Value>,
    existing: &Map<String, Value>,
) -> Vec<String> {
    wanted
        .iter()
        .filter(|(name, value)| !is_contained(value, existing.get(*name).unwrap_or(&Value::Null)))
        .map(|(name, _)| name.clone())
        .collect()
}

fn is_contained(wanted: &Value, existing: &Value) -> bool {
    match (wanted, existing) {
        // Core leaves out what is empty, or gives its default.
        (Value::Null | Value::Bool(false), Value::Null | Value::Bool(false)) => true,
        (Value::Array(wanted), Value::Null) => wanted.is_empty(),
        (Value::Object(wanted), Value::Object(existing)) => {
            differing_members(wanted, existing).is_empty()
        }
        (Value::Array(wanted), Value::Array(existing)) => {
            wanted.len() == existing.len()
                && wanted
                    .iter()
                    .zip(existing)
                    .all(|(wanted, existing)| is_contained(wanted, existing))
        }
        // Core stores some numbers as texts and some texts as numbers, such as ports.
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => number.to_string() == *text,
        (wanted, existing) => wanted == existing,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn differing(wanted: &Value, existing: &Value) -> Vec<String> {
        differing_members(wanted.as_object().unwrap(), existing.as_object().unwrap())
    }

    #[test]
    fn what_the_file_does_not_mention_may_be_anything() {
        let existing = json!({
            "_id": "1", "name": "a", "priority": 3,
            "routes": [{"_id": "2", "name": "r", "port": "80"}],
        });
        let wanted = json!({"name": "a", "routes": [{"name": "r", "port": 80}], "allow": []});
        assert_eq!(differing(&wanted, &existing), [""; 0]);
    }

    #[test]
    fn every_other_member_is_named() {
        let existing = json!({
            "a": 1, "b": [1, 2], "c": {"d": 1}, "e": true, "f": "x",
        });
        let wanted = json!({
            "a": 2, "b": [2, 1], "c": {"d": 2}, "e": false, "f": "x", "g": "new", "h": [1],
        });
        assert_eq!(
            differing(&wanted, &existing),
            ["a", "b", "c", "e", "g", "h"]
        );
        assert_eq!(differing(&json!({"b": [1]}), &existing), ["b"]);
        assert_eq!(differing(&json!({"b": []}), &existing), ["b"]);
    }
}
