//! Values and expressions as parameters.

use serde_json::{Map, Value};

use super::header::plainly_quoted;
use super::reader::{expression, identifier};
use crate::language::lexer::{Token, tokens};
use crate::structure_map::extension::{PARAMETER, TARGET_PARAMETER, find, find_expression};
use crate::structure_map::to_json::is_word;

/// The `value[x]` of a parameter.
pub(super) fn parameter(value: &Value, place: &str) -> Result<String, String> {
    let members = value.as_object();
    let members = members.ok_or_else(|| format!("{place} is no object"))?;
    let names: Vec<&String> = members.keys().collect();
    match names.as_slice() {
        [name] => member("value", name, members, place)?
            .ok_or_else(|| format!("{place} has {name}, which is no value of a parameter")),
        // HL7's engine writes a blank text as nothing.
        [] => Ok(plainly_quoted("")),
        _ => Err(format!("{place} has not one value")),
    }
}

/// The member `name` of an element, as text, if it is a value or an expression for it.
pub(super) fn member(
    element: &str,
    name: &str,
    members: &Map<String, Value>,
    place: &str,
) -> Result<Option<String>, String> {
    let Some(value) = members.get(name) else {
        return Ok(None);
    };
    if let Some(text) = find_expression(Some(value)) {
        return Ok(Some(format!("({})", expression(text, place)?)));
    }
    let extension = find(Some(value), TARGET_PARAMETER).and_then(Value::as_object);
    if let Some(extension) = extension {
        return extended(extension, place).map(Some);
    }
    let Some(ending) = name.strip_prefix(element) else {
        return Ok(None);
    };
    literal(ending, value)
        .map(Some)
        .ok_or_else(|| format!("{place}.{name} cannot be written"))
}

/// The `value[x]` of an extension.
pub(super) fn extended(extension: &Map<String, Value>, place: &str) -> Result<String, String> {
    let mut values = extension.iter().filter(|(name, _)| *name != "url");
    let written = values.find_map(|(name, value)| literal(name.strip_prefix("value")?, value));
    written.ok_or_else(|| format!("{place} cannot be written"))
}

/// A value of the type that `value[x]` ends with.
pub(super) fn literal(ending: &str, value: &Value) -> Option<String> {
    Some(match (ending, value) {
        ("Id", Value::String(id)) => path(id),
        ("Date" | "DateTime", Value::String(time)) => checked(format!("@{time}"))?,
        ("Time", Value::String(time)) => checked(format!("@T{time}"))?,
        (_, Value::String(text)) => plainly_quoted(text),
        (_, Value::Bool(_) | Value::Number(_)) => value.to_string(),
        _ => return None,
    })
}

/// A constant that is one token.
fn checked(text: String) -> Option<String> {
    let found = tokens(&text).ok()?;
    let one = matches!(found.tokens.as_slice(), [time, _] if matches!(time.token, Token::Time(_)));
    one.then_some(text)
}

/// An element or a variable with the steps after it, which have points between.
pub(super) fn path(text: &str) -> String {
    if text.split('.').all(is_word) && !matches!(text, "true" | "false") {
        return text.to_owned();
    }
    // Steps in backticks are as they are written.
    let is_path = text.contains('`')
        && tokens(text).is_ok_and(|found| {
            let (end, rest) = found
                .tokens
                .split_last()
                .map_or((None, &[][..]), |(last, rest)| (Some(last), rest));
            let names = rest.iter().enumerate().all(|(index, lexed)| {
                if index % 2 == 0 {
                    matches!(lexed.token, Token::Word(_) | Token::Quoted(_))
                } else {
                    lexed.token == Token::Symbol(".")
                }
            });
            end.is_some() && rest.len() % 2 == 1 && names && found.comments.is_empty()
        });
    if is_path {
        text.to_owned()
    } else {
        identifier(text)
    }
}

/// The parameters of a call: R5's, or R4's variables.
pub(super) fn variables(
    names: &[Value],
    extensions: &[Value],
    place: &str,
) -> Result<Vec<String>, String> {
    let count = names.len().max(extensions.len());
    let mut variables = Vec::new();
    for index in 0..count {
        let extension = extensions.get(index);
        if let Some(text) = find_expression(extension) {
            variables.push(format!("({})", expression(text, place)?));
        } else if let Some(value) = find(extension, PARAMETER).and_then(Value::as_object) {
            variables.push(extended(value, place)?);
        } else {
            let name = names.get(index).and_then(Value::as_str);
            variables.push(path(name.ok_or_else(|| format!("{place} is no string"))?));
        }
    }
    Ok(variables)
}
