//! What expressions compute with: elements of the input, which are borrowed, and FHIRPath's own
//! values.

use std::rc::Rc;
use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};

use super::quantity::{Quantity, QuantityUnit};
use super::temporal::{Temporal, TemporalKind};
use crate::definitions::{Definitions, Kind, TypeId, UNKNOWN};
use crate::item::Item as MapItem;

pub(crate) const UCUM: &str = "http://unitsofmeasure.org";

#[derive(Debug, Clone)]
pub(crate) enum Item<'a> {
    Element(MapItem<'a>),
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Arc<str>),
    Temporal(Arc<Temporal>),
    Quantity(Arc<Quantity>),
    /// What `type()` gives: namespace and name.
    Type(Rc<(&'static str, String)>),
    /// `%terminologies`.
    Terminologies,
}

/// A value of one of FHIRPath's own types.
#[derive(Debug)]
pub(crate) enum Scalar<'i> {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(&'i str),
    Temporal(Temporal),
    Quantity(Arc<Quantity>),
}

/// FHIRPath's own types (FHIRPath 2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SystemType {
    Boolean,
    String,
    Integer,
    Decimal,
    Date,
    DateTime,
    Time,
    Quantity,
}

impl SystemType {
    pub(crate) const ALL: [Self; 8] = [
        Self::Boolean,
        Self::String,
        Self::Integer,
        Self::Decimal,
        Self::Date,
        Self::DateTime,
        Self::Time,
        Self::Quantity,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Boolean => "Boolean",
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Decimal => "Decimal",
            Self::Date => "Date",
            Self::DateTime => "DateTime",
            Self::Time => "Time",
            Self::Quantity => "Quantity",
        }
    }

    pub(crate) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.name() == name)
    }

    /// The type of FHIR that holds its values.
    pub(crate) fn fhir_type(self, definitions: &Definitions) -> TypeId {
        let primitives = &definitions.primitives;
        match self {
            Self::Boolean => primitives.boolean,
            Self::String => primitives.string,
            Self::Integer => primitives.integer,
            Self::Decimal => primitives.decimal,
            Self::Date => primitives.date,
            Self::DateTime => primitives.date_time,
            Self::Time => primitives.time,
            Self::Quantity => definitions.by_name("Quantity").unwrap_or(UNKNOWN),
        }
    }
}

impl<'a> Item<'a> {
    pub(crate) fn text_of(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// To the engine's items; `None` for what has neither value nor companion.
    pub(crate) fn into_map(self, definitions: &Definitions) -> Option<MapItem<'a>> {
        if let Self::Element(element) = self {
            return Some(element);
        }
        let type_id = self.fhir_type(definitions);
        Some(MapItem::computed(self.to_value()?, type_id))
    }

    /// The JSON of an element; `null` when it has extensions only.
    pub(crate) fn json(&self) -> Option<&Value> {
        match self {
            Self::Element(element) => Some(element.value()),
            _ => None,
        }
    }

    /// The item as FHIR's JSON; `None` for what has no value.
    pub(crate) fn to_value(&self) -> Option<Value> {
        Some(match self {
            Self::Element(element) if element.value().is_null() => return None,
            Self::Element(element) => element.value().clone(),
            Self::Boolean(boolean) => Value::Bool(*boolean),
            Self::Integer(integer) => Value::from(*integer),
            Self::Decimal(decimal) => Value::Number(number_of(*decimal)?),
            Self::Text(text) => Value::String(text.to_string()),
            Self::Temporal(temporal) => Value::String(temporal.to_string()),
            Self::Quantity(quantity) => {
                let mut object = Map::new();
                object.insert("value".to_owned(), number_of(quantity.value)?.into());
                if let Some(unit) = quantity.unit_text() {
                    object.insert("unit".to_owned(), unit.into());
                    if matches!(quantity.unit, QuantityUnit::Ucum(_)) {
                        object.insert("system".to_owned(), UCUM.into());
                        object.insert("code".to_owned(), unit.into());
                    }
                }
                Value::Object(object)
            }
            Self::Type(described) => {
                let mut object = Map::new();
                object.insert("namespace".to_owned(), described.0.into());
                object.insert("name".to_owned(), described.1.as_str().into());
                Value::Object(object)
            }
            Self::Terminologies => return None,
        })
    }

    pub(crate) fn system_type(&self) -> Option<SystemType> {
        Some(match self {
            Self::Boolean(_) => SystemType::Boolean,
            Self::Integer(_) => SystemType::Integer,
            Self::Decimal(_) => SystemType::Decimal,
            Self::Text(_) => SystemType::String,
            Self::Temporal(temporal) => match temporal.kind {
                TemporalKind::Date => SystemType::Date,
                TemporalKind::DateTime => SystemType::DateTime,
                TemporalKind::Time => SystemType::Time,
            },
            Self::Quantity(_) => SystemType::Quantity,
            _ => return None,
        })
    }

    /// The type of FHIR; for FHIRPath's own values the one that would hold them.
    pub(crate) fn fhir_type(&self, definitions: &Definitions) -> TypeId {
        match self {
            Self::Element(element) => element.type_id(),
            other => match other.system_type() {
                Some(system) => system.fhir_type(definitions),
                None => UNKNOWN,
            },
        }
    }

    /// The value as one of FHIRPath's own; `None` for elements that have elements, and for those
    /// that have no value.
    pub(crate) fn scalar(&self, definitions: &Definitions) -> Option<Scalar<'_>> {
        Some(match self {
            Self::Boolean(boolean) => Scalar::Boolean(*boolean),
            Self::Integer(integer) => Scalar::Integer(*integer),
            Self::Decimal(decimal) => Scalar::Decimal(*decimal),
            Self::Text(text) => Scalar::Text(text),
            Self::Temporal(temporal) => Scalar::Temporal(**temporal),
            Self::Quantity(quantity) => Scalar::Quantity(Arc::clone(quantity)),
            Self::Element(element) => scalar_of(definitions, element.value(), element.type_id())?,
            Self::Type(_) | Self::Terminologies => return None,
        })
    }

    /// The text of a value, as FHIR writes it.
    pub(crate) fn text(&self) -> Option<String> {
        match self {
            Self::Boolean(boolean) => Some(boolean.to_string()),
            Self::Integer(integer) => Some(integer.to_string()),
            Self::Decimal(decimal) => Some(decimal.to_string()),
            Self::Text(text) => Some(text.to_string()),
            Self::Temporal(temporal) => Some(temporal.to_string()),
            Self::Quantity(quantity) => Some(quantity.to_string()),
            _ => match self.json()? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                Value::Bool(boolean) => Some(boolean.to_string()),
                _ => None,
            },
        }
    }

    /// The string that it is, without copying.
    pub(crate) fn str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => self.json()?.as_str(),
        }
    }

    pub(crate) fn boolean(&self) -> Option<bool> {
        match self {
            Self::Boolean(boolean) => Some(*boolean),
            _ => self.json()?.as_bool(),
        }
    }
}

/// A number of JSON as a decimal; `None` for those beyond 28 digits.
pub(crate) fn decimal_of(number: &Number) -> Option<Decimal> {
    let text = number.to_string();
    text.parse()
        .ok()
        .or_else(|| Decimal::from_scientific(&text).ok())
}

/// The number that is nearest to it, which serde_json's own reading may miss.
fn number_of(decimal: Decimal) -> Option<Number> {
    let text = decimal.to_string();
    match text.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => Number::from_f64(text.parse().ok()?),
    }
}

fn scalar_of<'v>(
    definitions: &Definitions,
    value: &'v Value,
    type_id: TypeId,
) -> Option<Scalar<'v>> {
    match value {
        Value::Bool(boolean) => Some(Scalar::Boolean(*boolean)),
        Value::Number(number) => match number.as_i64() {
            Some(integer) if type_id != definitions.primitives.decimal => {
                Some(Scalar::Integer(integer))
            }
            _ => decimal_of(number).map(Scalar::Decimal),
        },
        Value::String(text) => {
            let temporal =
                temporal_kind(definitions, type_id).and_then(|kind| Temporal::parse(kind, text));
            Some(temporal.map_or(Scalar::Text(text), Scalar::Temporal))
        }
        Value::Object(object) => {
            let is_quantity = definitions.kind(type_id) == Some(Kind::Complex)
                && definitions
                    .by_name("Quantity")
                    .is_some_and(|quantity| definitions.is_a(type_id, quantity));
            is_quantity
                .then(|| quantity_of(object))
                .flatten()
                .map(|quantity| Scalar::Quantity(Arc::new(quantity)))
        }
        Value::Null | Value::Array(_) => None,
    }
}

/// Which of FHIRPath's types a primitive of FHIR is, if it is a date or time.
pub(crate) fn temporal_kind(definitions: &Definitions, id: TypeId) -> Option<TemporalKind> {
    let primitives = &definitions.primitives;
    if id == primitives.date {
        Some(TemporalKind::Date)
    } else if id == primitives.date_time || id == primitives.instant {
        Some(TemporalKind::DateTime)
    } else if id == primitives.time {
        Some(TemporalKind::Time)
    } else {
        None
    }
}

/// A FHIR Quantity as FHIRPath's; one with a comparator is none (FHIR's FHIRPath page, "Use of
/// FHIR Quantity").
fn quantity_of(object: &Map<String, Value>) -> Option<Quantity> {
    let text = |name: &str| object.get(name).and_then(Value::as_str);
    if object.contains_key("comparator") {
        return None;
    }
    let Value::Number(number) = object.get("value")? else {
        return None;
    };
    let unit = match (text("system"), text("code")) {
        (Some(UCUM), Some(code)) => QuantityUnit::Ucum(code.to_owned()),
        (_, Some(code)) => QuantityUnit::Other(Some(code.to_owned())),
        (None, None) if text("unit").is_none() => QuantityUnit::Ucum("1".to_owned()),
        (_, None) => QuantityUnit::Other(text("unit").map(ToOwned::to_owned)),
    };
    Some(Quantity {
        value: decimal_of(number)?,
        unit,
    })
}
