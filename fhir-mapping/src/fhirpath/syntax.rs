//! Syntax tree of FHIRPath.

use rust_decimal::Decimal;
use serde_json::Value;

use super::quantity::Quantity;
use crate::language::lexer::Position;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expression {
    pub(crate) position: Position,
    pub(crate) kind: ExpressionKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ExpressionKind {
    /// A constant, and its FHIR type.
    Literal(Value, &'static str),
    /// A constant decimal, with the digits it is written with.
    Decimal(Decimal),
    /// A constant quantity.
    Quantity(Quantity),
    /// `{}`.
    Empty,
    /// `$this`.
    This,
    /// `$index`.
    ItemIndex,
    /// `$total`.
    Total,
    /// `%name`.
    Variable(String),
    /// A name at the start of a path: a variable, an element or a type.
    Name(String),
    Member(Box<Expression>, String),
    /// A function, of the context when it has no operand.
    Function(Option<Box<Expression>>, String, Vec<Expression>),
    Index(Box<Expression>, Box<Expression>),
    Negative(Box<Expression>),
    Binary(Operator, Box<Expression>, Box<Expression>),
    /// `is Type` and `as Type`.
    Type(TypeOperator, Box<Expression>, String),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeOperator {
    Is,
    As,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operator {
    Implies,
    Or,
    Xor,
    And,
    In,
    Contains,
    Equal,
    NotEqual,
    Equivalent,
    NotEquivalent,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Union,
    Add,
    Subtract,
    Concatenate,
    Multiply,
    Divide,
    DivideWhole,
    Modulo,
}
