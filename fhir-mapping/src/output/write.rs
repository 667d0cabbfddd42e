//! The finished tree as JSON.

use serde_json::{Map, Value};

use super::size::{depth_and_size, size_of_node};
use super::{Content, Node, NodeId, Output, Property};
use crate::definitions::{Definitions, Element, Kind, TypeId};

/// A node's value, and a primitive's companion.
type Parts = (Option<Value>, Option<Value>);

impl Output<'_> {
    /// The finished tree as JSON.
    pub(crate) fn into_value(mut self, root: NodeId) -> Value {
        let parts = self.take(root, true);
        parts.and_then(|(value, _)| value).unwrap_or(Value::Null)
    }

    /// The node as JSON, moving out what was computed; `None` when it is empty, which FHIR does
    /// not allow.
    fn take(&mut self, node: NodeId, is_root: bool) -> Option<Parts> {
        let type_id = self.nodes[node.0].type_id;
        let empty = Content::Properties(Vec::new());
        let content = std::mem::replace(&mut self.nodes[node.0].content, empty);
        let definitions = self.definitions;
        let mut child = |node| self.take(node, false);
        match content {
            Content::Item(item) => Some(parts(item.into_parts())),
            Content::Primitive(item, properties) => Some((
                parts(item.into_parts()).0,
                object(definitions, type_id, &properties, false, &mut child),
            )),
            Content::Properties(properties) => {
                let object = object(definitions, type_id, &properties, is_root, &mut child)?;
                Some(place(definitions, type_id, object))
            }
        }
    }

    /// As [`Self::take`], and the tree stays as it is.
    pub(super) fn copy(&self, node: NodeId, is_root: bool) -> Option<Parts> {
        let Node {
            type_id, content, ..
        } = &self.nodes[node.0];
        let size = match content {
            Content::Item(item) => depth_and_size(item.value(), self.maximum_depth).1,
            Content::Properties(_) | Content::Primitive(..) => {
                size_of_node(self.definitions, *type_id)
            }
        };
        self.copied.set(self.copied.get().saturating_add(size));
        let mut child = |node| self.copy(node, false);
        match content {
            Content::Item(item) => Some(parts(item.clone().into_parts())),
            Content::Primitive(item, properties) => Some((
                parts(item.clone().into_parts()).0,
                object(self.definitions, *type_id, properties, false, &mut child),
            )),
            Content::Properties(properties) => {
                let object = object(self.definitions, *type_id, properties, is_root, &mut child)?;
                Some(place(self.definitions, *type_id, object))
            }
        }
    }
}

fn parts((value, companion): (Value, Option<Value>)) -> Parts {
    (Some(value).filter(|value| !value.is_null()), companion)
}

/// A primitive's elements are its companion.
fn place(definitions: &Definitions, type_id: TypeId, object: Value) -> Parts {
    if definitions.is_primitive(type_id) {
        let is_empty = object.as_object().is_some_and(Map::is_empty);
        (None, Some(object).filter(|_| !is_empty))
    } else {
        (Some(object), None)
    }
}

fn object(
    definitions: &Definitions,
    type_id: TypeId,
    properties: &[Property],
    is_root: bool,
    parts: &mut dyn FnMut(NodeId) -> Option<Parts>,
) -> Option<Value> {
    let definition = definitions.get(type_id)?;
    let is_resource = definition.kind == Kind::Resource;
    let mut object = Map::with_capacity(properties.len() + 1);
    if is_resource {
        object.insert(
            "resourceType".to_owned(),
            Value::String(definition.name.clone()),
        );
    }
    for property in properties {
        let Some(element) = definition.elements.get(property.element) else {
            continue;
        };
        let (value, companion) = if element.list {
            list(
                property.values.iter().filter_map(|node| parts(*node)),
                property,
            )
        } else {
            let mut values = property.values.iter().filter_map(|node| parts(*node));
            values.next().unwrap_or_default()
        };
        let name = json_name(definitions, element, property.choice);
        if let Some(companion) = companion {
            let companion_name = format!("_{name}");
            if let Some(value) = value {
                object.insert(name, value);
            }
            object.insert(companion_name, companion);
        } else if let Some(value) = value {
            object.insert(name, value);
        }
    }
    if object.len() == usize::from(is_resource) && !is_root {
        return None;
    }
    Some(Value::Object(object))
}

/// The arrays of the values and of the companions, `null` where one has none.
fn list(values: impl Iterator<Item = Parts>, property: &Property) -> Parts {
    let mut array = Vec::with_capacity(property.values.len());
    let mut companions = Vec::new();
    for (value, companion) in values {
        if let Some(companion) = companion {
            companions.resize(array.len(), Value::Null);
            companions.push(companion);
        } else if value.is_none() {
            continue;
        }
        array.push(value.unwrap_or_default());
    }
    if !companions.is_empty() {
        companions.resize(array.len(), Value::Null);
    }
    let some = |array: Vec<Value>| {
        let is_empty = array.iter().all(Value::is_null);
        (!is_empty).then_some(Value::Array(array))
    };
    (some(array), some(companions))
}

fn json_name(definitions: &Definitions, element: &Element, choice: Option<TypeId>) -> String {
    let Some(choice) = choice else {
        return element.name.clone();
    };
    let mut suffix = definitions.name(choice).chars();
    let mut name = element.name.clone();
    name.extend(suffix.next().map(|first| first.to_ascii_uppercase()));
    name.push_str(suffix.as_str());
    name
}
