//! Metadata: the elements of the resource outside of its groups.

use serde_json::Value;

use super::reader::{Object, expression, identifier};
use crate::language::spacing::quoted;
use crate::structure_map::extension::CONSTANT;
use crate::structure_map::{implied_id, to_json::is_word};

/// Elements that stand first, in this order. Java takes `description` for the title: a title after
/// it wins.
const FIRST: [&str; 5] = ["url", "name", "description", "title", "status"];

/// `///` lines for everything in the header.
pub(super) fn header(resource: &mut Object<'_, '_>) -> Result<String, String> {
    let mut text = String::new();
    resource.required("url")?;
    let name = resource.text("name")?;
    let members = resource.members();
    let rest = members
        .iter()
        .filter(|(element, value)| match element.as_str() {
            "resourceType" | "contained" | "structure" | "import" | "const" | "group" => false,
            // What a map gets by itself.
            "id" => value.as_str() != name.map(implied_id).as_deref(),
            element => !FIRST.contains(&element),
        });
    let first = FIRST
        .iter()
        .filter_map(|element| members.get_key_value(*element));
    for (element, value) in first.chain(rest) {
        if !is_word(element) {
            return Err(format!("{element:?} is no name of a FHIR element"));
        }
        if element == "extension" {
            let others = value.as_array().into_iter().flatten();
            let others: Vec<Value> = others.filter(|one| !is_constant(one)).cloned().collect();
            if !others.is_empty() {
                lines(element, &Value::Array(others), &mut text)?;
            }
        } else {
            lines(element, value, &mut text)?;
        }
    }
    Ok(text)
}

/// A line for each value in the element.
fn lines(path: &str, value: &Value, text: &mut String) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                if !is_word(name) {
                    return Err(format!("{path}.{name} has no name of a FHIR element"));
                }
                lines(&format!("{path}.{name}"), member, text)?;
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                lines(&format!("{path}.{index}"), item, text)?;
            }
        }
        Value::Null => {}
        Value::String(value) => {
            // Java's parser reads escapes twice: as few as possible, then.
            let written = if value.contains(['\\', '"']) || !value.contains('\n') {
                plainly_quoted(value)
            } else {
                format!("\"{value}\"")
            };
            text.push_str(&format!("/// {path} = {written}\n"));
        }
        // Java takes strings only, and the element tells the type.
        Value::Bool(value) if path == "experimental" => {
            text.push_str(&format!("/// {path} = '{value}'\n"));
        }
        other => text.push_str(&format!("/// {path} = {other}\n")),
    }
    Ok(())
}

/// In the quotes that need no escape, if any.
pub(super) fn plainly_quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') {
        '"'
    } else {
        '\''
    };
    quoted(text, quote)
}

fn is_constant(extension: &Value) -> bool {
    extension.get("url").and_then(Value::as_str) == Some(CONSTANT)
}

/// R4's extensions for constants.
pub(super) fn constants(resource: &Value) -> Result<String, String> {
    let extensions = resource.get("extension").and_then(Value::as_array);
    let constants = extensions
        .into_iter()
        .flatten()
        .filter(|one| is_constant(one));
    let mut text = String::new();
    for constant in constants {
        let parts = constant.get("extension").and_then(Value::as_array);
        let part = |url: &str, element: &str| {
            let mut parts = parts.into_iter().flatten();
            let part = parts.find(|one| one.get("url").and_then(Value::as_str) == Some(url))?;
            part.get(element)?.as_str()
        };
        let (Some(name), Some(value)) = (part("name", "valueId"), part("value", "valueString"))
        else {
            return Err("an extension for a constant has no name or no value".to_owned());
        };
        let value = expression(value, "const.value")?;
        text.push_str(&format!("let {} = {value};\n", identifier(name)));
    }
    Ok(text)
}
