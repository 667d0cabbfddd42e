//! Operators of arithmetic (FHIRPath 6.6).

use rust_decimal::Decimal;

use super::equality::{number, quantity};
use super::evaluate::{Evaluator, Failure, Items, Variables, single_value, string_of};
use super::item::{Item, Scalar};
use super::syntax::Operator;

const NOT_NUMBERS: &str = "an operator of arithmetic is given something else than numbers";

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn negative(&self, items: &[Item<'a>]) -> Result<Items<'a>, Failure> {
        let Some(item) = single_value(items, "-")? else {
            return Ok(Vec::new());
        };
        Ok(vec![match item.scalar(self.definitions) {
            Some(Scalar::Integer(integer)) => self.whole(-i128::from(integer))?,
            // There is no negative zero.
            Some(Scalar::Decimal(decimal)) if decimal.is_zero() => Item::Decimal(decimal.abs()),
            Some(Scalar::Decimal(decimal)) => Item::Decimal(-decimal),
            Some(Scalar::Quantity(quantity)) => {
                let mut negative = quantity.as_ref().clone();
                negative.value = -negative.value;
                Item::Quantity(negative.into())
            }
            _ => return Err("`-` is for numbers and quantities".to_owned()),
        }])
    }

    pub(super) fn arithmetic(
        &self,
        operator: Operator,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<Items<'a>, Failure> {
        if operator == Operator::Concatenate {
            let mut text = string_of(left, "&")?.unwrap_or_default();
            text.push_str(&string_of(right, "&")?.unwrap_or_default());
            return Ok(vec![self.made(text)?]);
        }
        let (Some(left), Some(right)) = (single_value(left, "+")?, single_value(right, "+")?)
        else {
            return Ok(Vec::new());
        };
        let (Some(left), Some(right)) = (
            left.scalar(self.definitions),
            right.scalar(self.definitions),
        ) else {
            return Err(NOT_NUMBERS.to_owned());
        };
        use Scalar as S;
        let result = match (operator, &left, &right) {
            (Operator::Add, S::Text(left), S::Text(right)) => {
                Some(self.made(format!("{left}{right}"))?)
            }
            (_, S::Integer(left), S::Integer(right)) => {
                self.whole_numbers(operator, *left, *right)?
            }
            (Operator::Add | Operator::Subtract, S::Temporal(temporal), S::Quantity(duration)) => {
                let Some((amount, unit)) = duration.duration() else {
                    let reason =
                        "only a duration can be added to a date or time: `1 month`, not `1 'mo'`";
                    return Err(reason.to_owned());
                };
                let amount = match operator {
                    Operator::Add => Some(amount),
                    _ => amount.checked_neg(),
                };
                let sum = amount.and_then(|amount| temporal.add(amount, unit));
                sum.map(|sum| Item::Temporal(sum.into()))
            }
            (_, S::Quantity(_), _) | (_, _, S::Quantity(_)) => {
                self.quantities(operator, &left, &right)?
            }
            _ => match (number(&left), number(&right)) {
                (Some(left), Some(right)) => self.decimals(operator, left, right)?,
                _ => return Err(NOT_NUMBERS.to_owned()),
            },
        };
        Ok(result.into_iter().collect())
    }

    fn whole_numbers(
        &self,
        operator: Operator,
        left: i64,
        right: i64,
    ) -> Result<Option<Item<'a>>, Failure> {
        let (wide_left, wide_right) = (i128::from(left), i128::from(right));
        let whole = match operator {
            Operator::Add => wide_left + wide_right,
            Operator::Subtract => wide_left - wide_right,
            Operator::Multiply => wide_left * wide_right,
            Operator::DivideWhole if right != 0 => wide_left / wide_right,
            Operator::Modulo if right != 0 => wide_left % wide_right,
            Operator::DivideWhole | Operator::Modulo => return Ok(None),
            _ => return self.decimals(operator, left.into(), right.into()),
        };
        self.whole(whole).map(Some)
    }

    /// Dividing by zero is empty.
    fn decimals(
        &self,
        operator: Operator,
        left: Decimal,
        right: Decimal,
    ) -> Result<Option<Item<'a>>, Failure> {
        let divides = matches!(
            operator,
            Operator::Divide | Operator::DivideWhole | Operator::Modulo
        );
        if divides && right.is_zero() {
            return Ok(None);
        }
        let result = match operator {
            Operator::Add => left.checked_add(right),
            Operator::Subtract => left.checked_sub(right),
            Operator::Multiply => left.checked_mul(right),
            Operator::Divide => left.checked_div(right).map(|result| result.normalize()),
            Operator::Modulo => left.checked_rem(right),
            _ => {
                let whole = left.checked_div(right).map(|result| result.trunc());
                let whole = whole.and_then(|whole| i128::try_from(whole).ok());
                return whole
                    .ok_or_else(|| "the number is too large".to_owned())
                    .and_then(|whole| self.whole(whole))
                    .map(Some);
            }
        };
        let result = result.ok_or_else(|| "the number is too large".to_owned())?;
        Ok(Some(Item::Decimal(result)))
    }

    /// Empty when the units do not go together.
    fn quantities(
        &self,
        operator: Operator,
        left: &Scalar<'_>,
        right: &Scalar<'_>,
    ) -> Result<Option<Item<'a>>, Failure> {
        let (Some(left), Some(right)) = (quantity(left), quantity(right)) else {
            return Err(NOT_NUMBERS.to_owned());
        };
        let result = match operator {
            Operator::Add => left.plus(&right, Decimal::ONE),
            Operator::Subtract => left.plus(&right, Decimal::NEGATIVE_ONE),
            Operator::Multiply => left.times(&right),
            Operator::Divide => left.over(&right),
            _ => return Err("`div` and `mod` are for numbers".to_owned()),
        };
        Ok(result.map(|result| Item::Quantity(result.into())))
    }
}
