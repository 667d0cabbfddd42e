//! FHIRPath's grammar, by precedence climbing.

use serde_json::Value;

use super::quantity::{Quantity, QuantityUnit, calendar_unit, parse_decimal};
use super::syntax::{Expression, ExpressionKind, Operator, TypeOperator};
use super::temporal::{Temporal, TemporalKind};
use crate::error::SyntaxError;
use crate::language::lexer::Token;
use crate::language::map_parser::Parser;

/// The weakest binding of a binary operator.
const WEAKEST: u8 = 1;
/// Weaker than `<` and `|`, as HL7's tests have it (`1 > 2 is Boolean`).
const TYPE_BINDING: u8 = 6;
/// Binds tighter than every binary operator.
const UNARY_BINDING: u8 = 12;

/// How deep an expression's tree may be, so that none exhausts the stack: a step of a path and an
/// operator count, too.
const MAXIMUM_TREE: usize = 150;

/// An expression and the depth of its tree.
type Tree = (Expression, usize);

fn operator(token: &Token) -> Option<(Operator, u8)> {
    Some(match token {
        Token::Word(word) => match word.as_str() {
            "implies" => (Operator::Implies, 1),
            "or" => (Operator::Or, 2),
            "xor" => (Operator::Xor, 2),
            "and" => (Operator::And, 3),
            "in" => (Operator::In, 4),
            "contains" => (Operator::Contains, 4),
            "div" => (Operator::DivideWhole, 10),
            "mod" => (Operator::Modulo, 10),
            _ => return None,
        },
        Token::Symbol(symbol) => match *symbol {
            "=" => (Operator::Equal, 5),
            "!=" => (Operator::NotEqual, 5),
            "~" => (Operator::Equivalent, 5),
            "!~" => (Operator::NotEquivalent, 5),
            "<" => (Operator::Less, 7),
            "<=" => (Operator::LessOrEqual, 7),
            ">" => (Operator::Greater, 7),
            ">=" => (Operator::GreaterOrEqual, 7),
            "|" => (Operator::Union, 8),
            "+" => (Operator::Add, 9),
            "-" => (Operator::Subtract, 9),
            "&" => (Operator::Concatenate, 9),
            "*" => (Operator::Multiply, 10),
            "/" => (Operator::Divide, 10),
            _ => return None,
        },
        _ => return None,
    })
}

impl Parser<'_> {
    pub(crate) fn expression(&mut self) -> Result<Expression, SyntaxError> {
        Ok(self.tree()?.0)
    }

    fn tree(&mut self) -> Result<Tree, SyntaxError> {
        self.binary(WEAKEST)
    }

    /// A node above a tree of this depth.
    fn above(&self, depth: usize) -> Result<usize, SyntaxError> {
        if depth >= MAXIMUM_TREE {
            return Err(
                self.unexpected(&format!("at most {MAXIMUM_TREE} operations in one another"))
            );
        }
        Ok(depth + 1)
    }

    fn binary(&mut self, weakest: u8) -> Result<Tree, SyntaxError> {
        self.nested(|parser| {
            let (mut left, mut depth) = parser.unary()?;
            loop {
                let position = parser.position();
                if weakest <= TYPE_BINDING
                    && let Some(type_operator) = parser.type_operator()
                {
                    let name = parser.type_name()?;
                    depth = parser.above(depth)?;
                    left = Expression {
                        position,
                        kind: ExpressionKind::Type(type_operator, Box::new(left), name),
                    };
                    continue;
                }
                let Some((operator, binding)) = operator(parser.token()) else {
                    return Ok((left, depth));
                };
                if binding < weakest {
                    return Ok((left, depth));
                }
                parser.advance();
                let (right, right_depth) = parser.binary(binding + 1)?;
                depth = parser.above(depth.max(right_depth))?;
                left = Expression {
                    position,
                    kind: ExpressionKind::Binary(operator, Box::new(left), Box::new(right)),
                };
            }
        })
    }

    fn type_operator(&mut self) -> Option<TypeOperator> {
        if self.take_word("is") {
            Some(TypeOperator::Is)
        } else if self.take_word("as") {
            Some(TypeOperator::As)
        } else {
            None
        }
    }

    /// `Type`, `FHIR.Type` or `System.Type`.
    fn type_name(&mut self) -> Result<String, SyntaxError> {
        let mut name = self.identifier("a type")?;
        while self.take_symbol(".") {
            name.push('.');
            name.push_str(&self.identifier("a type")?);
        }
        Ok(name)
    }

    fn unary(&mut self) -> Result<Tree, SyntaxError> {
        let position = self.position();
        if self.take_symbol("+") {
            return self.binary(UNARY_BINDING);
        }
        if self.take_symbol("-") {
            let (operand, depth) = self.binary(UNARY_BINDING)?;
            let kind = ExpressionKind::Negative(Box::new(operand));
            return Ok((Expression { position, kind }, self.above(depth)?));
        }
        let (mut left, mut depth) = self.term()?;
        loop {
            let position = self.position();
            let kind = if self.take_symbol(".") {
                let name = self.identifier("an element or function")?;
                if self.take_symbol("(") {
                    let (parameters, deepest) = self.parameters()?;
                    depth = depth.max(deepest);
                    ExpressionKind::Function(Some(Box::new(left)), name, parameters)
                } else {
                    ExpressionKind::Member(Box::new(left), name)
                }
            } else if self.take_symbol("[") {
                let (index, deepest) = self.tree()?;
                self.symbol("]")?;
                depth = depth.max(deepest);
                ExpressionKind::Index(Box::new(left), Box::new(index))
            } else {
                return Ok((left, depth));
            };
            depth = self.above(depth)?;
            left = Expression { position, kind };
        }
    }

    /// The parameters, and the depth of the deepest.
    fn parameters(&mut self) -> Result<(Vec<Expression>, usize), SyntaxError> {
        let (mut parameters, mut deepest) = (Vec::new(), 0);
        if self.take_symbol(")") {
            return Ok((parameters, deepest));
        }
        loop {
            let (parameter, depth) = self.tree()?;
            parameters.push(parameter);
            deepest = deepest.max(depth);
            if !self.take_symbol(",") {
                self.symbol(")")?;
                return Ok((parameters, deepest));
            }
        }
    }

    fn term(&mut self) -> Result<Tree, SyntaxError> {
        let position = self.position();
        let token = self.token().clone();
        let mut depth = 1;
        let kind = match token {
            Token::Symbol("(") => {
                self.advance();
                let inner = self.tree()?;
                self.symbol(")")?;
                return Ok(inner);
            }
            Token::Symbol("{") => {
                self.advance();
                self.symbol("}")?;
                ExpressionKind::Empty
            }
            Token::Symbol("%") => {
                self.advance();
                if let Token::Text(name) = self.token().clone() {
                    self.advance();
                    ExpressionKind::Variable(name)
                } else {
                    ExpressionKind::Variable(self.identifier("a variable")?)
                }
            }
            Token::Symbol("$") => {
                self.advance();
                if self.take_word("index") {
                    ExpressionKind::ItemIndex
                } else if self.take_word("total") {
                    ExpressionKind::Total
                } else {
                    self.word("this")?;
                    ExpressionKind::This
                }
            }
            Token::Word(word) if word == "true" || word == "false" => {
                self.advance();
                ExpressionKind::Literal(Value::Bool(word == "true"), "boolean")
            }
            Token::Word(name) | Token::Quoted(name) => {
                self.advance();
                if self.take_symbol("(") {
                    let (parameters, deepest) = self.parameters()?;
                    depth = self.above(deepest)?;
                    ExpressionKind::Function(None, name, parameters)
                } else {
                    ExpressionKind::Name(name)
                }
            }
            Token::Integer(number) => {
                self.advance();
                match self.unit() {
                    Some(unit) => ExpressionKind::Quantity(Quantity {
                        value: number.into(),
                        unit,
                    }),
                    None => ExpressionKind::Literal(Value::from(number), "integer"),
                }
            }
            Token::Decimal(text) => {
                let Some(value) = parse_decimal(&text) else {
                    return Err(self.unexpected("a decimal of 28 digits at most"));
                };
                self.advance();
                match self.unit() {
                    Some(unit) => ExpressionKind::Quantity(Quantity { value, unit }),
                    None => ExpressionKind::Decimal(value),
                }
            }
            Token::Time(text) => {
                let kind = if text.starts_with('T') {
                    TemporalKind::Time
                } else if text.contains('T') {
                    TemporalKind::DateTime
                } else {
                    TemporalKind::Date
                };
                if Temporal::parse(kind, text.trim_start_matches('T')).is_none() {
                    return Err(self.unexpected("a date or time that there is"));
                }
                match self.literal()? {
                    Some((value, type_name)) => ExpressionKind::Literal(value, type_name),
                    None => return Err(self.unexpected("an expression")),
                }
            }
            _ => match self.literal()? {
                Some((value, type_name)) => ExpressionKind::Literal(value, type_name),
                None => return Err(self.unexpected("an expression")),
            },
        };
        Ok((Expression { position, kind }, depth))
    }

    /// The unit after a number: a word of the calendar, or UCUM's in single quotes. Double quotes
    /// are a rule's name, in maps.
    fn unit(&mut self) -> Option<QuantityUnit> {
        let unit = match self.token() {
            Token::Word(word) => QuantityUnit::Calendar(calendar_unit(word)?),
            Token::Text(text) if self.is_single_quoted() => Quantity::quoted_unit(text),
            _ => return None,
        };
        self.advance();
        Some(unit)
    }
}
