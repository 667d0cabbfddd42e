//! What FHIRPath's functions give, a file for each kind of them.

mod aggregates;
mod boundaries;
mod codes;
mod collections;
mod conversions;
mod escapes;
mod numbers;
mod order;
mod references;
mod text;
mod times;
mod tree;
mod types;

use super::compile::Compiled;
use super::evaluate::{Evaluator, Failure, Focus, Items, Variables};
use super::function::Function;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn function(
        &self,
        function: Function,
        operand: &'a Compiled,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        use Function as F;
        let items = self.eval(operand, focus)?;
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
            | F::Truncate => self.number(function, &items, parameters, focus),
            F::ConvertsToBoolean
            | F::ConvertsToDate
            | F::ConvertsToDateTime
            | F::ConvertsToDecimal
            | F::ConvertsToInteger
            | F::ConvertsToQuantity
            | F::ConvertsToText
            | F::ConvertsToTime
            | F::ToBoolean
            | F::ToDate
            | F::ToDateTime
            | F::ToDecimal
            | F::ToInteger
            | F::ToQuantity
            | F::ToText
            | F::ToTime => self.conversion(function, &items, parameters, focus),
            F::Now | F::TimeOfDay | F::Today => Ok(vec![self.time(function)]),
            F::Children | F::Descendants | F::Extension | F::Repeat => {
                self.tree(function, items, parameters, focus)
            }
            F::Contains
            | F::Decode
            | F::Encode
            | F::EndsWith
            | F::Escape
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
            | F::Unescape
            | F::Upper => self.text_function(function, &items, parameters, focus),
            F::HighBoundary | F::LowBoundary | F::Precision => {
                self.boundary(function, &items, parameters, focus)
            }
            F::Comparable | F::ConformsTo | F::GetValue | F::HasValue | F::Type => {
                self.type_function(function, &items, parameters, focus)
            }
            F::MemberOf | F::Translate | F::ValidateValueSet => {
                self.code_function(function, &items, parameters, focus)
            }
            F::Resolve => self.resolved(&items),
            F::Sort => self.sorted(items, parameters, focus),
            F::Aggregate => self.aggregated(&items, parameters, focus),
            _ => self.collection(function, items, parameters, focus),
        }
    }
}
