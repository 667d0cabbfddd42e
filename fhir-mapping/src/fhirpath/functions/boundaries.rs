//! How precise a value is, and between which ones it may be: `precision`, `lowBoundary` and
//! `highBoundary`.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables, single_value};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::{Item, Scalar};
use crate::fhirpath::quantity::Quantity;

/// Digits after the point of a decimal's boundary, when none are asked for.
const DEFAULT_DIGITS: i64 = 8;

/// What a decimal holds.
const MAXIMUM_DIGITS: u32 = 28;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn boundary(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let Some(item) = single_value(items, "a boundary")? else {
            return Ok(Vec::new());
        };
        let digits = match parameters.first() {
            Some(digits) => self.integer(digits, focus, "a precision")?,
            None => None,
        };
        let high = function == Function::HighBoundary;
        let precision = function == Function::Precision;
        let result = match item.scalar(self.definitions) {
            Some(Scalar::Integer(_)) if precision => Some(Item::Integer(0)),
            Some(Scalar::Decimal(decimal)) if precision => {
                Some(Item::Integer(decimal.scale().into()))
            }
            Some(Scalar::Temporal(temporal)) if precision => {
                Some(Item::Integer(temporal.digits().into()))
            }
            Some(Scalar::Integer(integer)) => {
                decimal_boundary(integer.into(), digits, high).map(Item::Decimal)
            }
            Some(Scalar::Decimal(decimal)) => {
                decimal_boundary(decimal, digits, high).map(Item::Decimal)
            }
            Some(Scalar::Quantity(quantity)) if !precision => {
                decimal_boundary(quantity.value, digits, high).map(|value| {
                    let unit = quantity.unit.clone();
                    Item::Quantity(Quantity { value, unit }.into())
                })
            }
            Some(Scalar::Temporal(temporal)) => temporal
                .boundary(digits, high)
                .map(|boundary| Item::Temporal(boundary.into())),
            _ => {
                let reason =
                    "a precision or boundary is of a decimal, a quantity, a date or a time";
                return Err(reason.to_owned());
            }
        };
        Ok(result.into_iter().collect())
    }
}

fn decimal_boundary(value: Decimal, digits: Option<i64>, high: bool) -> Option<Decimal> {
    let digits = u32::try_from(digits.unwrap_or(DEFAULT_DIGITS)).ok()?;
    if digits > MAXIMUM_DIGITS {
        return None;
    }
    let half = Decimal::try_new(5, value.scale() + 1).ok()?;
    let edge = if high {
        value.checked_add(half)?
    } else {
        value.checked_sub(half)?
    };
    // What is less than the digits asked for can show is nothing, on both sides of zero.
    let shown = value.trunc_with_scale(digits);
    let mut boundary = if digits > 0 && shown.is_zero() && !value.is_zero() {
        shown
    } else {
        let away = if high {
            RoundingStrategy::ToPositiveInfinity
        } else {
            RoundingStrategy::ToNegativeInfinity
        };
        edge.round_dp_with_strategy(digits, away)
    };
    boundary.rescale(digits);
    (boundary.scale() == digits).then_some(boundary)
}
