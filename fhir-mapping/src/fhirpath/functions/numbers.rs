//! Functions of one number (FHIRPath 5.7).

use serde_json::Value;

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Items, Variables, single};
use crate::fhirpath::function::Function;
use crate::item::Item;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn number(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        let Some(number) = single(items, "a function of numbers")?.map(Item::value) else {
            return Ok(Vec::new());
        };
        let Value::Number(number) = number else {
            return Err("a function of numbers is given something else".to_owned());
        };
        if let Some(whole) = number.as_i64().map(i128::from) {
            let result = match function {
                Function::Abs => Some(whole.abs()),
                Function::Ceiling | Function::Floor | Function::Truncate => Some(whole),
                _ => None,
            };
            if let Some(result) = result {
                return Ok(vec![self.whole(result)?]);
            }
        }
        let number = number.as_f64().unwrap_or_default();
        let parameter = || -> Result<Option<f64>, Failure> {
            let items = match parameters.first() {
                Some(parameter) => self.items(parameter, this)?,
                None => Vec::new(),
            };
            match single(&items, "a function of numbers")? {
                None => Ok(None),
                Some(item) => item
                    .value()
                    .as_f64()
                    .map(Some)
                    .ok_or_else(|| "a function of numbers is given something else".to_owned()),
            }
        };
        let result = match function {
            Function::Ceiling => return Ok(vec![self.whole_of(number.ceil())?]),
            Function::Floor => return Ok(vec![self.whole_of(number.floor())?]),
            Function::Truncate => return Ok(vec![self.whole_of(number.trunc())?]),
            Function::Abs => number.abs(),
            Function::Exp => number.exp(),
            Function::Ln => number.ln(),
            Function::Sqrt => number.sqrt(),
            Function::Log => match parameter()? {
                Some(base) => number.ln() / base.ln(),
                None => return Ok(Vec::new()),
            },
            Function::Power => match parameter()? {
                Some(exponent) => {
                    let power = number.powf(exponent);
                    let wholes = number.fract() == 0.0 && exponent.fract() == 0.0;
                    if wholes && exponent >= 0.0 && power.abs() < 1e15 {
                        return Ok(vec![self.whole_of(power)?]);
                    }
                    power
                }
                None => return Ok(Vec::new()),
            },
            _ => {
                let precision = if parameters.is_empty() {
                    Some(0.0)
                } else {
                    parameter()?
                };
                match precision {
                    Some(precision) if precision >= 0.0 && precision.fract() == 0.0 => {
                        let scale = 10_f64.powf(precision);
                        (number * scale).round() / scale
                    }
                    Some(_) => return Err("a precision is a whole number, 0 at least".to_owned()),
                    None => return Ok(Vec::new()),
                }
            }
        };
        // Not a number is empty: the square root of -1, the logarithm of 0.
        Ok(if result.is_finite() {
            vec![self.decimal(result)]
        } else {
            Vec::new()
        })
    }

    fn whole_of(&self, number: f64) -> Result<Item<'a>, Failure> {
        // Far beyond what a whole number of FHIRPath holds, and exact in both types.
        if number.abs() < 1e18 {
            #[allow(clippy::cast_possible_truncation, reason = "checked above")]
            return self.whole(number as i128);
        }
        Err("the number is too large".to_owned())
    }
}
