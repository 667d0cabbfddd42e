//! Constants of expressions.

use std::sync::Arc;

use rust_decimal::Decimal;
use serde_json::Value;

use crate::fhirpath::item::{Item, decimal_of};
use crate::fhirpath::quantity::Quantity;
use crate::fhirpath::temporal::{Temporal, TemporalKind};

#[derive(Debug, Clone)]
pub(crate) enum Constant {
    Boolean(bool),
    Integer(i64),
    Decimal(Decimal),
    Text(Arc<str>),
    Temporal(Arc<Temporal>),
    Quantity(Arc<Quantity>),
}

impl Constant {
    /// A literal by the name of its FHIR type; `None` for dates that there are not.
    pub(super) fn literal(value: &Value, type_name: &str) -> Option<Self> {
        Some(match value {
            Value::Bool(boolean) => Self::Boolean(*boolean),
            Value::Number(number) => match number.as_i64() {
                Some(integer) => Self::Integer(integer),
                None => Self::Decimal(decimal_of(number)?),
            },
            Value::String(text) => {
                let kind = match type_name {
                    "date" => TemporalKind::Date,
                    "dateTime" => TemporalKind::DateTime,
                    "time" => TemporalKind::Time,
                    _ => return Some(Self::Text(text.as_str().into())),
                };
                Self::Temporal(Temporal::parse(kind, text)?.into())
            }
            _ => return None,
        })
    }

    pub(crate) fn item<'a>(&self) -> Item<'a> {
        match self {
            Self::Boolean(boolean) => Item::Boolean(*boolean),
            Self::Integer(integer) => Item::Integer(*integer),
            Self::Decimal(decimal) => Item::Decimal(*decimal),
            Self::Text(text) => Item::Text(Arc::clone(text)),
            Self::Temporal(temporal) => Item::Temporal(Arc::clone(temporal)),
            Self::Quantity(quantity) => Item::Quantity(Arc::clone(quantity)),
        }
    }
}
