//! FHIR Mapping Language as text: tokens, syntax tree and parser.

pub(crate) mod lexer;
pub(crate) mod map_parser;
pub(crate) mod spacing;
pub(crate) mod syntax;
