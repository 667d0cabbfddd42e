//! Reads StructureDefinition resources: logical models, and profiles of known types.

use std::collections::HashMap;

use serde_json::Value;

use super::{Definitions, Element, Kind, TypeDefinition, TypeId, UNKNOWN};
use crate::error::MapError;

pub(super) fn add(definitions: &mut Definitions, resource: &Value) -> Result<(), MapError> {
    let url = resource.get("url").and_then(Value::as_str);
    let refuse = |reason: String| MapError::Resource {
        resource: format!("StructureDefinition {}", url.unwrap_or("without url")),
        reason,
    };
    let text = |name: &str| {
        resource
            .get(name)
            .and_then(Value::as_str)
            .ok_or_else(|| refuse(format!("{name} is missing")))
    };
    if resource.get("resourceType").and_then(Value::as_str) != Some("StructureDefinition") {
        return Err(refuse("this is no StructureDefinition".to_owned()));
    }
    let url = text("url")?;
    if resource.get("derivation").and_then(Value::as_str) == Some("constraint") {
        // A profile narrows a type, it adds no elements.
        let id = definitions
            .by_name(text("type")?)
            .or_else(|| definitions.by_url(text("type").ok()?))
            .ok_or_else(|| refuse("the type that it constrains is not known".to_owned()))?;
        definitions.own_by_name.insert(url.to_owned(), id);
        return Ok(());
    }
    if resource.get("kind").and_then(Value::as_str) != Some("logical") {
        return Err(refuse(
            "only logical models and profiles can be added".to_owned(),
        ));
    }
    let elements = ["differential", "snapshot"]
        .into_iter()
        .find_map(|view| resource.get(view)?.get("element")?.as_array())
        .ok_or_else(|| refuse("differential.element is missing".to_owned()))?;
    let model = read(definitions, elements).map_err(refuse)?;
    for (offset, mut definition) in model.into_iter().enumerate() {
        let id = definitions.next_id();
        if offset == 0 {
            let name = text("name").or_else(|_| text("id"))?;
            definition.name = name.to_owned();
            definition.kind = Kind::Logical;
            definitions.own_by_name.insert(name.to_owned(), id);
            definitions.own_by_name.insert(url.to_owned(), id);
        }
        definitions.own.push(definition);
    }
    Ok(())
}

/// The model's types, its root first.
fn read(definitions: &Definitions, elements: &[Value]) -> Result<Vec<TypeDefinition>, String> {
    let path_of = |element: &Value| {
        let path = element.get("path").and_then(Value::as_str);
        path.map(ToOwned::to_owned)
            .ok_or_else(|| "an element has no path".to_owned())
    };
    let paths: Vec<String> = elements.iter().map(path_of).collect::<Result<_, _>>()?;
    let has_elements = |path: &str| {
        paths.iter().any(|other| {
            other.len() > path.len()
                && other.starts_with(path)
                && other.as_bytes()[path.len()] == b'.'
        })
    };
    let first = definitions.next_id().0;
    let mut ids: HashMap<&str, TypeId> = HashMap::new();
    let mut types: Vec<TypeDefinition> = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        if ids.contains_key(path.as_str()) || (index > 0 && !has_elements(path)) {
            continue;
        }
        let id = u32::try_from(types.len()).map_or(UNKNOWN, |count| TypeId(first + count));
        ids.insert(path, id);
        types.push(TypeDefinition {
            name: path.clone(),
            kind: Kind::Complex,
            base: definitions.by_name(if index == 0 {
                "Element"
            } else {
                "BackboneElement"
            }),
            elements: Vec::new(),
        });
    }
    for (element, path) in elements.iter().zip(&paths) {
        let Some((parent, name)) = path.rsplit_once('.') else {
            continue;
        };
        let (Some(parent), None) = (ids.get(parent), element.get("sliceName")) else {
            continue;
        };
        let codes = || {
            let types = element.get("type").and_then(Value::as_array);
            types
                .into_iter()
                .flatten()
                .filter_map(|t| t.get("code")?.as_str())
        };
        let reference = element.get("contentReference").and_then(Value::as_str);
        let element_types = if let Some(reference) = reference {
            let path = reference.rsplit('#').next().unwrap_or_default();
            vec![
                *ids.get(path)
                    .ok_or_else(|| format!("{path} is not defined"))?,
            ]
        } else if let Some(id) = ids.get(path.as_str()) {
            vec![*id]
        } else {
            codes()
                .map(|code| {
                    definitions
                        .by_name(code)
                        .or_else(|| definitions.by_url(code))
                        .ok_or_else(|| format!("{path} has the type {code}, which is not known"))
                })
                .collect::<Result<_, _>>()?
        };
        if element_types.is_empty() {
            return Err(format!("{path} has no type"));
        }
        let maximum = element.get("max").and_then(Value::as_str);
        let read = Element {
            name: name.trim_end_matches("[x]").to_owned(),
            list: maximum.is_some_and(|maximum| maximum != "0" && maximum != "1"),
            choice: name.ends_with("[x]"),
            types: element_types,
        };
        let parent = &mut types[(parent.0 - first) as usize];
        if !parent.elements.iter().any(|known| known.name == read.name) {
            parent.elements.push(read);
        }
    }
    Ok(types)
}
