//! Concept maps: `conceptmap` blocks of a map, and ConceptMap resources.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::MapError;
use crate::language::syntax::Mapping;

/// A concept map that rules share.
pub(crate) type Translations = Arc<Vec<Mapping>>;

/// Reads a ConceptMap resource (R4): its url and mappings.
pub(crate) fn read(resource: &Value) -> Result<(String, Vec<Mapping>), MapError> {
    let url = resource.get("url").and_then(Value::as_str);
    let refuse = |reason: &str| MapError::Resource {
        resource: format!("ConceptMap {}", url.unwrap_or("without url")),
        reason: reason.to_owned(),
    };
    if resource.get("resourceType").and_then(Value::as_str) != Some("ConceptMap") {
        return Err(refuse("this is no ConceptMap"));
    }
    let list = |parent: &Value, name: &str| {
        let list = parent.get(name).and_then(Value::as_array);
        list.cloned().unwrap_or_default()
    };
    let text = |parent: &Value, name: &str| {
        let text = parent.get(name).and_then(Value::as_str);
        text.map(ToOwned::to_owned)
    };
    let mut mappings = Vec::new();
    for group in list(resource, "group") {
        if group.get("unmapped").is_some() {
            return Err(refuse("group.unmapped is not supported"));
        }
        for element in list(&group, "element") {
            let source_code =
                text(&element, "code").ok_or_else(|| refuse("group.element.code is missing"))?;
            for target in list(&element, "target") {
                let equivalence = text(&target, "equivalence");
                let usable = matches!(
                    equivalence.as_deref(),
                    None | Some("relatedto" | "equivalent" | "equal" | "wider")
                );
                if let Some(target_code) = text(&target, "code") {
                    mappings.push(Mapping {
                        source_system: text(&group, "source").unwrap_or_default(),
                        source_code: source_code.clone(),
                        target_system: text(&group, "target").unwrap_or_default(),
                        target_code,
                        usable,
                    });
                }
            }
        }
    }
    let url = url.ok_or_else(|| refuse("url is missing"))?;
    Ok((url.to_owned(), mappings))
}

/// The Coding that a code, or a Coding, is translated to; `None` when it is not in the map.
pub(crate) fn translate(
    mappings: &[Mapping],
    source: &Value,
) -> Result<Option<Value>, &'static str> {
    let (system, code) = match source {
        Value::String(code) => (None, Some(code.as_str())),
        Value::Object(coding) => (
            coding.get("system").and_then(Value::as_str),
            coding.get("code").and_then(Value::as_str),
        ),
        _ => (None, None),
    };
    let code = code.ok_or("only a code or a Coding can be translated")?;
    let mut known = false;
    let mut found: Option<&Mapping> = None;
    for mapping in mappings {
        let same = mapping.source_code == code
            && system.is_none_or(|system| system == mapping.source_system);
        if !same {
            continue;
        }
        known = true;
        if mapping.usable {
            if found.is_some() {
                return Err("the concept map has several translations of a code");
            }
            found = Some(mapping);
        }
    }
    match found {
        Some(mapping) => Ok(Some(json!({
            "system": mapping.target_system,
            "code": mapping.target_code,
        }))),
        None if known => Err("the concept map has no usable translation of a code"),
        None => Ok(None),
    }
}
