//! `c`, `cc`, `qty`, `id` and `cp`: small data types from their parts.

use serde_json::{Map, Number, Value, json};

use super::super::Engine;
use crate::definitions::TypeId;
use crate::fhirpath::evaluate::Failure;
use crate::item::Item;
use crate::program::Operand;

/// The code system of an identifier's type.
const IDENTIFIER_TYPES: &str = "http://terminology.hl7.org/CodeSystem/v2-0203";

impl<'a> Engine<'a, '_> {
    pub(super) fn object(
        &self,
        elements: &'a [(&'static str, Operand)],
        base: usize,
    ) -> Result<Value, Failure> {
        let mut object = Map::new();
        for (name, operand) in elements {
            if let Some(item) = self.operand(operand, base)? {
                let value = match (*name, item.value()) {
                    // The one element that is no text.
                    ("value", Value::Number(number)) => Value::Number(number.clone()),
                    (_, Value::String(text)) => Value::String(text.clone()),
                    _ => Value::String(
                        item.text()
                            .ok_or_else(|| format!("{name} is a primitive"))?,
                    ),
                };
                object.insert((*name).to_owned(), value);
            }
        }
        Ok(Value::Object(object))
    }

    /// A CodeableConcept of one coding.
    pub(super) fn concept(
        &self,
        id: TypeId,
        elements: &'a [(&'static str, Operand)],
        base: usize,
    ) -> Result<Item<'a>, Failure> {
        let coding = self.object(elements, base)?;
        Ok(Item::computed(json!({ "coding": [coding] }), id))
    }

    /// `qty('<5.4 mg')`: a comparator, a number, a unit; only the number is needed.
    pub(super) fn quantity_of_text(
        &self,
        id: TypeId,
        text: &'a Operand,
        base: usize,
    ) -> Result<Item<'a>, Failure> {
        let text = self.text(text, base, "a quantity")?;
        let quantity = quantity(&text)
            .ok_or_else(|| "a quantity is a number, and perhaps a unit after it".to_owned())?;
        Ok(Item::computed(quantity, id))
    }

    /// An Identifier, with a type of HL7's table 0203 if there is a third element.
    pub(super) fn identifier(
        &self,
        id: TypeId,
        elements: &'a [(&'static str, Operand)],
        base: usize,
    ) -> Result<Item<'a>, Failure> {
        let mut identifier = self.object(elements, base)?;
        if let Some(object) = identifier.as_object_mut()
            && let Some(code) = object.remove("type")
        {
            let coding = json!({ "system": IDENTIFIER_TYPES, "code": code });
            object.insert("type".to_owned(), json!({ "coding": [coding] }));
        }
        Ok(Item::computed(identifier, id))
    }

    /// `cp(value)`: the system follows from the value.
    pub(super) fn contact_point_of_value(
        &self,
        id: TypeId,
        value: &'a Operand,
        base: usize,
    ) -> Result<Item<'a>, Failure> {
        let value = self.text(value, base, "a contact point")?;
        let system = contact_system(&value);
        let value = value.strip_prefix("mailto:").unwrap_or(&value);
        let value = value.strip_prefix("tel:").unwrap_or(value);
        Ok(Item::computed(
            json!({ "system": system, "value": value }),
            id,
        ))
    }
}

fn quantity(text: &str) -> Option<Value> {
    let text = text.trim();
    let comparator = ["<=", ">=", "<", ">"]
        .into_iter()
        .find(|comparator| text.starts_with(comparator));
    let text = text
        .strip_prefix(comparator.unwrap_or_default())
        .unwrap_or(text)
        .trim_start();
    let end = text
        .find(|other: char| !(other.is_ascii_digit() || "+-.".contains(other)))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number: Number = number.parse().ok()?;
    let mut quantity = Map::new();
    quantity.insert("value".to_owned(), Value::Number(number));
    if let Some(comparator) = comparator {
        quantity.insert("comparator".to_owned(), json!(comparator));
    }
    if !unit.trim().is_empty() {
        quantity.insert("unit".to_owned(), json!(unit.trim()));
    }
    Some(Value::Object(quantity))
}

fn contact_system(value: &str) -> &'static str {
    if value.starts_with("http://") || value.starts_with("https://") {
        "url"
    } else if value.contains('@') {
        "email"
    } else if value.starts_with(|first: char| first.is_ascii_digit() || "+(".contains(first))
        || value.starts_with("tel:")
    {
        "phone"
    } else {
        "other"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_as_people_write_them() {
        for (text, expected) in [
            ("5", Some(json!({"value": 5}))),
            ("5.4 mg", Some(json!({"value": 5.4, "unit": "mg"}))),
            ("5mg", Some(json!({"value": 5, "unit": "mg"}))),
            (
                "<= 5 mg/dL",
                Some(json!({"value": 5, "comparator": "<=", "unit": "mg/dL"})),
            ),
            (">-1.5", Some(json!({"value": -1.5, "comparator": ">"}))),
            ("mg", None),
            ("", None),
            ("1.2.3", None),
        ] {
            assert_eq!(quantity(text), expected, "{text}");
        }
    }

    #[test]
    fn systems_of_contact_points() {
        for (value, system) in [
            ("https://example.org", "url"),
            ("aroha@example.org", "email"),
            ("mailto:aroha@example.org", "email"),
            ("+64 4 123", "phone"),
            ("(04) 123", "phone"),
            ("tel:123", "phone"),
            ("aroha", "other"),
        ] {
            assert_eq!(contact_system(value), system, "{value}");
        }
    }
}
