//! How large JSON is, about.

use serde_json::Value;

use crate::definitions::{Definitions, TypeId};

/// What braces, quotes, a colon and a comma take.
const PUNCTUATION: usize = 6;

/// The length of a string beyond which `Vec` and `String` themselves weigh less than it.
const VALUE: usize = 8;

/// An empty element.
pub(super) fn size_of_node(definitions: &Definitions, type_id: TypeId) -> usize {
    // About the length of its element's name, which resembles the type's.
    PUNCTUATION + definitions.name(type_id).len()
}

/// How deep objects and lists stand in one another, and how many bytes the value has. Counts no
/// deeper than one level more than `room`.
pub(super) fn depth_and_size(value: &Value, room: usize) -> (usize, usize) {
    let (depth, size) = match value {
        Value::String(text) => (0, text.len()),
        Value::Null | Value::Bool(_) | Value::Number(_) => (0, VALUE),
        Value::Array(_) | Value::Object(_) if room == 0 => (1, 0),
        Value::Array(values) => sum(values.iter().map(|value| depth_and_size(value, room - 1))),
        Value::Object(object) => sum(object.iter().map(|(name, value)| {
            let (depth, size) = depth_and_size(value, room - 1);
            (depth, size.saturating_add(name.len()))
        })),
    };
    (depth, size.saturating_add(PUNCTUATION))
}

fn sum(parts: impl Iterator<Item = (usize, usize)>) -> (usize, usize) {
    let (depth, size) = parts.fold((0, 0_usize), |(depth, size), (other, more)| {
        (depth.max(other), size.saturating_add(more))
    });
    (depth + 1, size)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn depth_is_counted_no_deeper_than_there_is_room() {
        let value = json!({"a": [{"b": [[[[[1]]]]]}]});
        assert_eq!(depth_and_size(&value, 20).0, 8);
        assert_eq!(depth_and_size(&value, 8).0, 8);
        assert_eq!(depth_and_size(&value, 3).0, 4);
        assert_eq!(depth_and_size(&json!("text"), 0).0, 0);
    }

    #[test]
    fn the_size_is_about_that_of_the_text() {
        for value in [
            json!({"resourceType": "Patient", "name": [{"family": "Ngata", "given": ["Aroha"]}]}),
            json!(["a", "b", "c", 1, 2, true]),
            json!("x".repeat(1000)),
        ] {
            let (size, text) = (depth_and_size(&value, 99).1, value.to_string().len());
            assert!((text / 2..text * 4).contains(&size), "{size} for {text}");
        }
    }
}
