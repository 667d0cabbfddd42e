//! What FHIRPath's functions give, a file for each kind of them.

mod collections;
mod conversions;
mod numbers;
mod text;
mod times;
mod tree;

use super::compile::Compiled;
use super::evaluate::{Evaluator, Failure, Items, Variables};
use super::function::Function;
use crate::item::Item;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn function(
        &self,
        function: Function,
        operand: &'a Compiled,
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        use Function as F;
        let items = self.items(operand, this)?;
        match function {
            F::Abs
            | F::Ceiling
            | F::Exp
            | F::Floor
            | F::Ln
            | F::Log
            | F::Power
            | F::Round
            | F::Sqrt
            | F::Truncate => self.number(function, &items, parameters, this),
            F::ConvertsToBoolean
            | F::ConvertsToDate
            | F::ConvertsToDateTime
            | F::ConvertsToDecimal
            | F::ConvertsToInteger
            | F::ConvertsToText
            | F::ConvertsToTime
            | F::ToBoolean
            | F::ToDate
            | F::ToDateTime
            | F::ToDecimal
            | F::ToInteger
            | F::ToText
            | F::ToTime => self.conversion(function, &items),
            F::Now | F::TimeOfDay | F::Today => Ok(vec![self.time(function)]),
            F::Children | F::Descendants | F::Extension | F::Repeat => {
                self.tree(function, items, parameters, this)
            }
            F::Contains
            | F::Decode
            | F::Encode
            | F::EndsWith
            | F::IndexOf
            | F::LastIndexOf
            | F::Length
            | F::Lower
            | F::Matches
            | F::MatchesFull
            | F::Replace
            | F::ReplaceMatches
            | F::Split
            | F::StartsWith
            | F::Substring
            | F::ToChars
            | F::Trim
            | F::Upper => self.text_function(function, &items, parameters, this),
            _ => self.collection(function, items, parameters, this),
        }
    }
}
