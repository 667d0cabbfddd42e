//! Conversions of one value (FHIRPath 5.5), and whether they would give something.

use rust_decimal::Decimal;

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{
    Evaluator, Failure, Focus, Items, Variables, boolean, single_value,
};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::{Item, Scalar};
use crate::fhirpath::quantity::{Quantity, QuantityUnit, calendar_unit, parse_decimal};
use crate::fhirpath::temporal::{Temporal, TemporalKind};

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn conversion(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let Some(item) = single_value(items, "a conversion")? else {
            return Ok(Vec::new());
        };
        let unit = match parameters.first() {
            Some(unit) => self.string(unit, focus, "a unit")?,
            None => None,
        };
        let scalar = item.scalar(self.definitions);
        let scalar = scalar.as_ref();
        let (converted, only_asked) = match function {
            Function::ToBoolean => (scalar.and_then(to_boolean), false),
            Function::ToDate => (scalar.and_then(to_date), false),
            Function::ToDateTime => (scalar.and_then(to_date_time), false),
            Function::ToDecimal => (scalar.and_then(to_decimal), false),
            Function::ToInteger => (scalar.and_then(to_integer), false),
            Function::ToQuantity => (to_quantity(scalar, unit.as_deref()), false),
            Function::ToTime => (scalar.and_then(to_time), false),
            Function::ToText => (to_text(item, scalar), false),
            Function::ConvertsToBoolean => (scalar.and_then(to_boolean), true),
            Function::ConvertsToDate => (scalar.and_then(to_date), true),
            Function::ConvertsToDateTime => (scalar.and_then(to_date_time), true),
            Function::ConvertsToDecimal => (scalar.and_then(to_decimal), true),
            Function::ConvertsToInteger => (scalar.and_then(to_integer), true),
            Function::ConvertsToQuantity => (to_quantity(scalar, unit.as_deref()), true),
            Function::ConvertsToTime => (scalar.and_then(to_time), true),
            _ => (to_text(item, scalar), true),
        };
        Ok(if only_asked {
            boolean(Some(converted.is_some()))
        } else {
            converted.into_iter().collect()
        })
    }
}

fn to_boolean<'a>(scalar: &Scalar<'_>) -> Option<Item<'a>> {
    let boolean = match scalar {
        Scalar::Boolean(boolean) => Some(*boolean),
        Scalar::Integer(1) => Some(true),
        Scalar::Integer(0) => Some(false),
        Scalar::Decimal(decimal) if *decimal == Decimal::ONE => Some(true),
        Scalar::Decimal(decimal) if decimal.is_zero() => Some(false),
        Scalar::Text(text) => match text.to_ascii_lowercase().as_str() {
            "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
            "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    boolean.map(Item::Boolean)
}

fn to_integer<'a>(scalar: &Scalar<'_>) -> Option<Item<'a>> {
    let integer = match scalar {
        Scalar::Boolean(boolean) => Some(i64::from(*boolean)),
        Scalar::Integer(integer) => Some(*integer),
        Scalar::Text(text) => text.parse().ok(),
        _ => None,
    };
    integer.map(Item::Integer)
}

fn to_decimal<'a>(scalar: &Scalar<'_>) -> Option<Item<'a>> {
    let decimal = match scalar {
        Scalar::Boolean(boolean) => Some(Decimal::from(u8::from(*boolean))),
        Scalar::Integer(integer) => Some(Decimal::from(*integer)),
        Scalar::Decimal(decimal) => Some(*decimal),
        Scalar::Text(text) => parse_decimal(text),
        _ => None,
    };
    decimal.map(Item::Decimal)
}

fn to_text<'a>(item: &Item<'_>, scalar: Option<&Scalar<'_>>) -> Option<Item<'a>> {
    let text = match scalar? {
        Scalar::Quantity(quantity) => Some(quantity.to_string()),
        _ => item.text(),
    };
    text.map(Item::text_of)
}

fn to_date<'a>(scalar: &Scalar<'_>) -> Option<Item<'a>> {
    let date = match scalar {
        Scalar::Temporal(temporal) if temporal.kind != TemporalKind::Time => temporal.to_date(),
        Scalar::Text(text) => Temporal::parse(TemporalKind::Date, text)?,
        _ => return None,
    };
    Some(Item::Temporal(date.into()))
}

fn to_date_time<'a>(scalar: &Scalar<'_>) -> Option<Item<'a>> {
    let date_time = match scalar {
        Scalar::Temporal(temporal) if temporal.kind != TemporalKind::Time => {
            temporal.to_date_time()
        }
        Scalar::Text(text) => Temporal::parse(TemporalKind::DateTime, text)?,
        _ => return None,
    };
    Some(Item::Temporal(date_time.into()))
}

fn to_time<'a>(scalar: &Scalar<'_>) -> Option<Item<'a>> {
    let time = match scalar {
        Scalar::Temporal(temporal) if temporal.kind == TemporalKind::Time => *temporal,
        Scalar::Text(text) => {
            let text = text.strip_prefix('T').unwrap_or(text);
            Temporal::parse(TemporalKind::Time, text)?
        }
        _ => return None,
    };
    Some(Item::Temporal(time.into()))
}

fn to_quantity<'a>(scalar: Option<&Scalar<'_>>, unit: Option<&str>) -> Option<Item<'a>> {
    let quantity = match scalar? {
        Scalar::Boolean(boolean) => Quantity::of_number(u8::from(*boolean).into()),
        Scalar::Integer(integer) => Quantity::of_number((*integer).into()),
        Scalar::Decimal(decimal) => Quantity::of_number(*decimal),
        Scalar::Quantity(quantity) => quantity.as_ref().clone(),
        Scalar::Text(text) => Quantity::parse(text)?,
        Scalar::Temporal(_) => return None,
    };
    let quantity = match unit {
        Some(unit) => {
            let unit = calendar_unit(unit).map_or_else(
                || QuantityUnit::Ucum(unit.to_owned()),
                QuantityUnit::Calendar,
            );
            quantity.converted(unit)?
        }
        None => quantity,
    };
    Some(Item::Quantity(quantity.into()))
}
