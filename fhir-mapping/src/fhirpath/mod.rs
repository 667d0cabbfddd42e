//! The part of FHIRPath that maps use: parsed and compiled once, evaluated over borrowed JSON.

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
