//! The part of FHIRPath that maps use: parsed and compiled once, evaluated over borrowed JSON.

pub(crate) mod compile;
pub(crate) mod evaluate;
pub(crate) mod parser;
pub(crate) mod syntax;

#[cfg(test)]
mod tests;
