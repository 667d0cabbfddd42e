//! The part of FHIRPath that maps use: parsed and compiled once, evaluated over borrowed JSON.

pub(crate) mod compile;
pub(crate) mod evaluate;
mod function;
mod functions;
pub(crate) mod parser;
mod pattern;
pub(crate) mod syntax;

#[cfg(test)]
mod tests;
