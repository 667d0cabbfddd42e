//! JSON as FHIR wants it: an object that names a property twice is refused, not half-read.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why a text is not usable JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at line {line}, column {column}")]
pub struct JsonError {
    /// What is wrong; never quotes the text, which may hold personal data.
    pub reason: String,
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1; 0 before the first character of a line.
    pub column: usize,
    /// Whether the text ends too early and is well-formed as far as it goes.
    pub ends_early: bool,
}

/// Parses one JSON text (RFC 8259). Property names must be unique within an object, and values
/// may be nested 127 levels deep.
///
/// # Errors
/// [`JsonError`], with the place.
pub fn parse(text: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = StrictValue
        .deserialize(&mut deserializer)
        .map_err(|error| JsonError::new(&error))?;
    deserializer.end().map_err(|error| JsonError::new(&error))?;
    Ok(value)
}

impl JsonError {
    fn new(error: &serde_json::Error) -> Self {
        use serde_json::error::Category;
        let text = error.to_string();
        let reason = match error.classify() {
            Category::Eof => "the JSON ends too early".to_owned(),
            Category::Data if text.starts_with(DUPLICATE) => DUPLICATE.to_owned(),
            _ if text.starts_with("recursion limit") => {
                "the JSON is nested more than 127 levels deep".to_owned()
            }
            _ => "this is not well-formed JSON".to_owned(),
        };
        Self {
            reason,
            line: error.line(),
            column: error.column(),
            ends_early: error.is_eof(),
        }
    }
}

const DUPLICATE: &str = "an object names the same property twice";

#[derive(Clone, Copy)]
struct StrictValue;

impl<'de> DeserializeSeed<'de> for StrictValue {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for StrictValue {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = sequence.next_element_seed(self)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self)?;
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = r#" {"a": [1, -2, 3.5, true, null, "ü"], "b": {"c": {}}} "#;
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn refuses_a_property_named_twice_at_any_depth() {
        let error = parse(br#"{"a": [{"b": 1, "b": 1}]}"#).unwrap_err();
        assert_eq!(error.reason, DUPLICATE);
        assert_eq!(error.line, 1);
    }

    #[test]
    fn tells_a_text_that_ends_early_from_a_broken_one() {
        assert!(parse(br#"{"a": 1"#).unwrap_err().ends_early);
        assert!(!parse(br#"{"a": 1}}"#).unwrap_err().ends_early);
        assert!(!parse(b"{a: 1}").unwrap_err().ends_early);
    }

    #[test]
    fn refuses_deep_nesting_without_exhausting_the_stack() {
        let text = "[".repeat(100_000);
        let error = parse(text.as_bytes()).unwrap_err();
        assert!(error.reason.contains("127 levels"), "{error}");
    }

    #[test]
    fn never_quotes_the_text() {
        let error = parse(br#"{"name": Aulus Agerius}"#).unwrap_err();
        assert!(!error.to_string().contains("Agerius"), "{error}");
    }
}
