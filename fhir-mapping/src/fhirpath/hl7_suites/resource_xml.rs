//! FHIR's XML as FHIR's JSON, as far as the suites' inputs need it.

use roxmltree::{Document, Node};
use serde_json::{Map, Value};

use crate::definitions::{Definitions, Kind, TypeId, UNKNOWN};

pub(super) fn read(definitions: &Definitions, text: &str) -> Value {
    let text = text.trim_start_matches('\u{feff}');
    let document = Document::parse(text).unwrap();
    resource(definitions, document.root_element())
}

fn resource(definitions: &Definitions, node: Node<'_, '_>) -> Value {
    let name = node.tag_name().name();
    let id = definitions.by_name(name).unwrap_or(UNKNOWN);
    let mut object = Map::new();
    object.insert("resourceType".to_owned(), name.into());
    elements(definitions, node, id, &mut object);
    Value::Object(object)
}

fn elements(
    definitions: &Definitions,
    node: Node<'_, '_>,
    type_id: TypeId,
    object: &mut Map<String, Value>,
) {
    for attribute in ["id", "url"] {
        if let Some(value) = node.attribute(attribute) {
            object.insert(attribute.to_owned(), value.into());
        }
    }
    for child in node.children().filter(Node::is_element) {
        let name = child.tag_name().name();
        let found = definitions.element(type_id, name);
        let element = found.and_then(|found| {
            let element = definitions.get(type_id)?.elements.get(found.index)?;
            let only = element.types.first().copied();
            Some((found.choice.or(only)?, element.list))
        });
        let (child_type, list) = element.unwrap_or((UNKNOWN, false));
        let (value, companion) = value_of(definitions, child, child_type);
        insert(object, name.to_owned(), value, list);
        if !companion.is_null() || (list && object.contains_key(&format!("_{name}"))) {
            let before = object
                .get(name)
                .and_then(Value::as_array)
                .map_or(0, Vec::len);
            let key = format!("_{name}");
            if list && !object.contains_key(&key) {
                let nothing = vec![Value::Null; before.saturating_sub(1)];
                object.insert(key.clone(), nothing.into());
            }
            insert(object, key, companion, list);
        }
    }
}

fn insert(object: &mut Map<String, Value>, name: String, value: Value, list: bool) {
    if !list {
        if !value.is_null() {
            object.insert(name, value);
        }
        return;
    }
    let values = object
        .entry(name)
        .or_insert_with(|| Vec::<Value>::new().into());
    values.as_array_mut().unwrap().push(value);
}

/// The value and the companion.
fn value_of(definitions: &Definitions, node: Node<'_, '_>, type_id: TypeId) -> (Value, Value) {
    if node.tag_name().name() == "div" {
        let markup = &node.document().input_text()[node.range()];
        return (markup.into(), Value::Null);
    }
    if definitions.kind(type_id) == Some(Kind::Resource) {
        let inner = node.children().find(Node::is_element).unwrap();
        return (resource(definitions, inner), Value::Null);
    }
    let primitive =
        definitions.is_primitive(type_id) || (type_id == UNKNOWN && node.has_attribute("value"));
    let mut object = Map::new();
    if !primitive {
        elements(definitions, node, type_id, &mut object);
        return (object.into(), Value::Null);
    }
    elements(definitions, node, type_id, &mut object);
    let companion = if object.is_empty() {
        Value::Null
    } else {
        object.into()
    };
    let Some(text) = node.attribute("value") else {
        return (Value::Null, companion);
    };
    let json = match definitions.name(type_id) {
        "boolean" | "integer" | "positiveInt" | "unsignedInt" | "decimal" => {
            serde_json::from_str(text).unwrap()
        }
        _ => Value::from(text),
    };
    (json, companion)
}
