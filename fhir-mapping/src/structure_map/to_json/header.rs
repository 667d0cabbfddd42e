//! Metadata: the elements of the resource outside of its groups.

use serde_json::{Map, Number, Value, json};

use super::super::implied_id;
use super::{Writer, is_word};
use crate::error::MapError;
use crate::language::syntax::StructureMap;

/// Elements that repeat: without a number in the path, their first item is meant.
const LISTS: [&str; 13] = [
    "identifier",
    "contact",
    "telecom",
    "useContext",
    "jurisdiction",
    "coding",
    "extension",
    "modifierExtension",
    "profile",
    "security",
    "tag",
    "line",
    "given",
];

/// More items than a header has: no number in a path makes a list of millions.
const MAXIMUM_ITEMS: usize = 1_000;

impl Writer<'_> {
    pub(super) fn header(&self, map: &StructureMap) -> Result<Map<String, Value>, MapError> {
        let mut header = json!({"resourceType": "StructureMap", "url": map.url, "name": map.name});
        for metadata in &map.metadata {
            let refuse = |reason: &str| MapError::Resource {
                resource: format!("StructureMap {}", map.url),
                reason: format!("/// {}: {reason}", metadata.path),
            };
            let value = metadata.value.clone().unwrap_or(Value::Null);
            let steps: Vec<&str> = metadata.path.split('.').collect();
            let value = typed(steps.last().copied().unwrap_or_default(), value);
            if let [
                "resourceType" | "structure" | "import" | "const" | "group",
                ..,
            ] = *steps
            {
                return Err(refuse("this is no element of the header"));
            }
            let is_name = |step: &&str| is_word(step) || step.parse::<usize>().is_ok();
            if !steps.iter().all(is_name) {
                return Err(refuse("this is no name of a FHIR element"));
            }
            set(&mut header, &steps, value).map_err(refuse)?;
        }
        let Value::Object(mut header) = header else {
            return Ok(Map::new());
        };
        header.retain(|_, value| !value.is_null());
        if let Some(name) = header.get("name").and_then(Value::as_str) {
            let id = implied_id(name);
            if !id.is_empty() && !header.contains_key("id") {
                header.insert("id".to_owned(), json!(id));
            }
        }
        header.entry("status").or_insert_with(|| json!("draft"));
        if !header.contains_key("description")
            && let Some(description) = self.documentation(&map.documentation)
        {
            header.insert("description".to_owned(), description);
        }
        Ok(header)
    }
}

/// A value in quotes as the type that its element has.
fn typed(element: &str, value: Value) -> Value {
    let Value::String(text) = &value else {
        return value;
    };
    let typed = match element {
        "experimental" | "valueBoolean" => text.parse().ok().map(Value::Bool),
        "rank" | "valueInteger" | "valueUnsignedInt" | "valuePositiveInt" | "valueDecimal" => {
            text.parse::<Number>().ok().map(Value::Number)
        }
        _ => None,
    };
    typed.unwrap_or(value)
}

fn set(element: &mut Value, path: &[&str], value: Value) -> Result<(), &'static str> {
    let [step, rest @ ..] = path else {
        *element = value;
        return Ok(());
    };
    if let Ok(index) = step.parse::<usize>() {
        let items = match element {
            Value::Array(items) => items,
            Value::Null => {
                *element = json!([]);
                return set(element, path, value);
            }
            _ => return Err("a number stands for an item of a list only"),
        };
        if index >= MAXIMUM_ITEMS {
            return Err("there are too many items");
        }
        if items.len() <= index {
            items.resize(index + 1, Value::Null);
        }
        return items
            .get_mut(index)
            .map_or(Ok(()), |item| set(item, rest, value));
    }
    match element {
        Value::Object(members) => {
            let member = members.entry((*step).to_owned()).or_insert(Value::Null);
            let numbered = rest
                .first()
                .is_some_and(|next| next.parse::<usize>().is_ok());
            if LISTS.contains(step) && !numbered {
                let first: Vec<&str> = std::iter::once("0").chain(rest.iter().copied()).collect();
                return set(member, &first, value);
            }
            set(member, rest, value)
        }
        Value::Null => {
            *element = json!({});
            set(element, path, value)
        }
        _ => Err("its parent has a value already"),
    }
}
