//! Makes values fit the types of elements.

use serde_json::Value;

use super::Output;
use crate::definitions::{Kind, TypeId, UNKNOWN};
use crate::fhirpath::evaluate::Failure;
use crate::item::Item;

impl<'a> Output<'a> {
    /// Makes a value fit an element's type, or refuses it.
    pub(super) fn convert(
        &self,
        item: Item<'a>,
        to: TypeId,
        element: &str,
    ) -> Result<Item<'a>, Failure> {
        let from = item.type_id();
        let refuse = || self.refuse_type(element, to, from);
        if to == UNKNOWN {
            return Ok(item);
        }
        if !self.definitions.is_primitive(to) {
            let fits = item.value().is_object()
                && (from == UNKNOWN || self.fits(from, to) || self.has_all_elements(&item, to));
            return if fits { Ok(item) } else { Err(refuse()) };
        }
        let name = self.definitions.name(to);
        let fits = match (name, item.value()) {
            // A primitive may have no value, but extensions.
            (_, Value::Null) => true,
            ("boolean", Value::Bool(_)) | ("decimal", Value::Number(_)) => true,
            ("integer" | "positiveInt" | "unsignedInt", Value::Number(number)) => {
                number.is_i64() || number.is_u64()
            }
            ("boolean" | "decimal" | "integer" | "positiveInt" | "unsignedInt", _) => false,
            (_, Value::String(_)) => true,
            _ => false,
        };
        if fits {
            return Ok(item);
        }
        let text = item.text().ok_or_else(refuse)?;
        let value = match name {
            "boolean" => text.parse().map(Value::Bool).map_err(|_| refuse())?,
            "decimal" => text.parse().map(Value::Number).map_err(|_| refuse())?,
            "integer" | "positiveInt" | "unsignedInt" => {
                text.parse::<i32>().map(Value::from).map_err(|_| refuse())?
            }
            _ => Value::String(text),
        };
        Ok(item.with_value(value, to))
    }

    /// Whether what has a type may stand where another is expected: it is derived from it, or, as a
    /// Quantity that becomes an Age, the other way round.
    pub(super) fn fits(&self, from: TypeId, to: TypeId) -> bool {
        let is_abstract = |id| {
            matches!(
                self.definitions.name(id),
                "Element" | "BackboneElement" | "Resource" | "DomainResource"
            )
        };
        self.definitions.is_a(from, to) || (self.definitions.is_a(to, from) && !is_abstract(from))
    }

    /// Whether everything that the value has may stand in the type.
    fn has_all_elements(&self, item: &Item<'a>, to: TypeId) -> bool {
        let may_differ = |id| self.definitions.kind(id) != Some(Kind::Resource);
        let Some(object) = item.value().as_object() else {
            return false;
        };
        may_differ(to)
            && may_differ(item.type_id())
            && object.iter().all(|(name, value)| {
                let name = name.strip_prefix('_').unwrap_or(name);
                self.definitions
                    .element(to, name)
                    .and_then(|found| self.definitions.get(to)?.elements.get(found.index))
                    .is_some_and(|element| element.list == value.is_array())
            })
    }
}
