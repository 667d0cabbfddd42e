//! Functions of one number, or of one quantity (FHIRPath 5.7).

use rust_decimal::prelude::{FromPrimitive, ToPrimitive};
use rust_decimal::{Decimal, RoundingStrategy};

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::equality::number;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables, single_value};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::{Item, Scalar};
use crate::fhirpath::quantity::Quantity;

const NOT_NUMBERS: &str = "a function of numbers is given something else";

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn number(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let Some(item) = single_value(items, "a function of numbers")? else {
            return Ok(Vec::new());
        };
        let parameter = match parameters.first() {
            Some(parameter) => {
                let items = self.eval(parameter, focus)?;
                let Some(item) = single_value(&items, "a function of numbers")? else {
                    return Ok(Vec::new());
                };
                let scalar = item.scalar(self.definitions);
                let given = scalar.as_ref().and_then(number).ok_or(NOT_NUMBERS)?;
                Some(given)
            }
            None => None,
        };
        let result = match item.scalar(self.definitions) {
            Some(Scalar::Integer(integer)) => match function {
                Function::Abs => Some(self.whole(i128::from(integer).abs())?),
                Function::Ceiling | Function::Floor | Function::Truncate => {
                    Some(Item::Integer(integer))
                }
                _ => self.of_decimal(function, integer.into(), parameter, true)?,
            },
            Some(Scalar::Decimal(decimal)) => {
                self.of_decimal(function, decimal, parameter, false)?
            }
            Some(Scalar::Quantity(quantity)) => {
                let value = quantity.value;
                let value = match function {
                    Function::Abs => value.abs(),
                    Function::Round => rounded(value, parameter)?,
                    _ => return Err(NOT_NUMBERS.to_owned()),
                };
                let unit = quantity.unit.clone();
                Some(Item::Quantity(Quantity { value, unit }.into()))
            }
            _ => return Err(NOT_NUMBERS.to_owned()),
        };
        Ok(result.into_iter().collect())
    }

    /// Empty where there is no number: the square root of -1, the logarithm of 0.
    fn of_decimal(
        &self,
        function: Function,
        value: Decimal,
        parameter: Option<Decimal>,
        is_integer: bool,
    ) -> Result<Option<Item<'a>>, Failure> {
        let float = || value.to_f64().unwrap_or(f64::NAN);
        let result = match function {
            Function::Ceiling => return self.whole_of(value.ceil()).map(Some),
            Function::Floor => return self.whole_of(value.floor()).map(Some),
            Function::Truncate => return self.whole_of(value.trunc()).map(Some),
            Function::Abs => Some(value.abs()),
            Function::Round => Some(rounded(value, parameter)?),
            Function::Exp => decimal(float().exp()),
            Function::Ln => decimal(float().ln()),
            Function::Sqrt => decimal(float().sqrt()),
            Function::Log => parameter
                .and_then(|base| base.to_f64())
                .and_then(|base| decimal(float().ln() / base.ln())),
            _ => {
                let Some(exponent) = parameter else {
                    return Ok(None);
                };
                return self.power(value, exponent, is_integer);
            }
        };
        Ok(result.map(Item::Decimal))
    }

    fn power(
        &self,
        value: Decimal,
        exponent: Decimal,
        is_integer: bool,
    ) -> Result<Option<Item<'a>>, Failure> {
        let whole = exponent.is_integer().then(|| exponent.to_u32()).flatten();
        if let (true, Some(exponent)) = (is_integer, whole) {
            let power = value
                .to_i128()
                .and_then(|value| value.checked_pow(exponent));
            let power = power.ok_or_else(|| "the number is too large".to_owned())?;
            return self.whole(power).map(Some);
        }
        if let Some(exponent) = whole.filter(|exponent| *exponent <= 64) {
            let power = (0..exponent).try_fold(Decimal::ONE, |power, _| power.checked_mul(value));
            if let Some(power) = power {
                return Ok(Some(Item::Decimal(power.normalize())));
            }
        }
        let float = |decimal: Decimal| decimal.to_f64().unwrap_or(f64::NAN);
        Ok(decimal(float(value).powf(float(exponent))).map(Item::Decimal))
    }

    fn whole_of(&self, value: Decimal) -> Result<Item<'a>, Failure> {
        let whole = i128::try_from(value).map_err(|_| "the number is too large".to_owned())?;
        self.whole(whole)
    }
}

fn rounded(value: Decimal, digits: Option<Decimal>) -> Result<Decimal, Failure> {
    let digits = digits.unwrap_or(Decimal::ZERO);
    let whole = digits.is_integer().then(|| digits.to_u32()).flatten();
    let digits = whole.ok_or("a precision is a whole number, 0 at least")?;
    Ok(value.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero))
}

fn decimal(float: f64) -> Option<Decimal> {
    Decimal::from_f64(float)
}
