//! FHIRPath: parsed and compiled once, evaluated over borrowed JSON, in maps or by itself.
//!
//! [`Expression::compile`] takes any expression; [`ExpressionCompiler`] also knows what it is about,
//! so that a name that is not there is a mistake before it runs; [`Environment`] gives variables,
//! the time and a terminology.
//!
//! # What is supported
//! FHIRPath 2.0 with what HL7's test suites of R4, R4B and R5 use of 3.0, and FHIR's additions. Every
//! other function is a mistake that names it when the expression is compiled.
//!
//! **Literals**: all, with quantities (`5 'mg'`, `3 months`), dates and times of any precision;
//! comments; names in backticks.
//!
//! **Operators**: `and or xor implies = != ~ !~ < <= > >= in contains is as | & + - * / div mod`,
//! indexers.
//!
//! **Variables**: `$this $index $total %context %resource %rootResource %sct %loinc %ucum %vs-name
//! %ext-name %terminologies`, those of `defineVariable`, and those that are declared. In maps a name
//! at the start of a path is a variable of the map if there is one, else an element.
//!
//! **Functions**
//!
//! | of | functions |
//! |---|---|
//! | collections | `all allFalse allTrue anyFalse anyTrue check coalesce combine count distinct empty exclude exists first intersect isDistinct item last single skip sort subsetOf supersetOf tail take union` |
//! | projection | `aggregate children defineVariable descendants iif not ofType repeat select trace where` |
//! | strings | `contains decode encode endsWith escape indexOf join lastIndexOf length lower matches matchesFull replace replaceMatches split startsWith substring toChars trim unescape upper` |
//! | numbers | `abs ceiling exp floor ln log power round sqrt truncate` |
//! | conversion | `convertsToBoolean convertsToDate convertsToDateTime convertsToDecimal convertsToInteger convertsToQuantity convertsToString convertsToTime toBoolean toDate toDateTime toDecimal toInteger toQuantity toString toTime` |
//! | precision | `comparable highBoundary lowBoundary precision` |
//! | time | `now timeOfDay today` (UTC, the same all through an evaluation) |
//! | types | `as is type` |
//! | FHIR | `conformsTo extension getValue hasValue memberOf resolve`, and `translate validateVS` of `%terminologies` |
//!
//! # Choices
//! - `is` and `as` bind weaker than `|` and `<`, as HL7's tests have it: `1 > 2 is Boolean` is true.
//! - `as` and `ofType` keep a primitive of exactly the type that is named, as HL7's tests have it; `is`
//!   holds for derived types.
//! - `as` of several items fails; `ofType` is for them.
//! - Decimals have 28 digits. Those of JSON have lost the zeros at their end.
//! - Units of UCUM that health records use are compared and converted; others, and those that are no
//!   multiples (`Cel`), are equal to themselves only.
//! - What is added to a date or time counts in whole units.
//! - A primitive that has extensions and no value exists, and is empty to operators and functions of
//!   values.
//! - `resolve` finds contained resources, and the entries of a Bundle; nothing is fetched.
//! - `conformsTo` knows the types of FHIR; of a profile it fails, as it does not check them.
//! - `trace` writes nothing: it would hold what people answered.
//! - Regular expressions take time linear in the text; look-around and back-references are refused.
//! - An evaluation takes ten million steps at most, unless the [`Environment`] or the limits of a
//!   transform say otherwise; a collection has a million items at most, a text that is made 16 MiB, and
//!   an expression is 150 operations deep at most.

mod arithmetic;
pub(crate) mod compile;
mod equality;
pub(crate) mod evaluate;
mod expression;
mod function;
mod functions;
mod item;
pub(crate) mod parser;
mod pattern;
mod quantity;
pub(crate) mod session;
pub(crate) mod syntax;
mod temporal;
mod ucum;

pub(crate) use equality::text_equals;
pub use expression::{
    Environment, Evaluated, EvaluationError, Expression, ExpressionCompiler, ExpressionError,
};

#[cfg(test)]
mod hl7_suites;
#[cfg(test)]
mod tests;
