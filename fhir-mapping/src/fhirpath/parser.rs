//! FHIRPath's grammar, by precedence climbing.

use serde_json::Value;

use super::syntax::{Expression, ExpressionKind, Operator, TypeOperator};
use crate::error::SyntaxError;
use crate::language::lexer::Token;
use crate::language::map_parser::Parser;

/// The weakest binding of a binary operator.
const WEAKEST: u8 = 1;
const TYPE_BINDING: u8 = 8;
/// Binds tighter than every binary operator.
const UNARY_BINDING: u8 = 11;

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
            "<" => (Operator::Less, 6),
            "<=" => (Operator::LessOrEqual, 6),
            ">" => (Operator::Greater, 6),
            ">=" => (Operator::GreaterOrEqual, 6),
            "|" => (Operator::Union, 7),
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
        self.binary(WEAKEST)
    }

    fn binary(&mut self, weakest: u8) -> Result<Expression, SyntaxError> {
        self.nested(|parser| {
            let mut left = parser.unary()?;
            loop {
                let position = parser.position();
                if weakest <= TYPE_BINDING
                    && let Some(type_operator) = parser.type_operator()
                {
                    let name = parser.type_name()?;
                    left = Expression {
                        position,
                        kind: ExpressionKind::Type(type_operator, Box::new(left), name),
                    };
                    continue;
                }
                let Some((operator, binding)) = operator(parser.token()) else {
                    return Ok(left);
                };
                if binding < weakest {
                    return Ok(left);
                }
                parser.advance();
                let right = parser.binary(binding + 1)?;
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

    fn unary(&mut self) -> Result<Expression, SyntaxError> {
        let position = self.position();
        if self.take_symbol("+") {
            return self.binary(UNARY_BINDING);
        }
        if self.take_symbol("-") {
            let operand = self.binary(UNARY_BINDING)?;
            return Ok(Expression {
                position,
                kind: ExpressionKind::Negative(Box::new(operand)),
            });
        }
        let mut left = self.term()?;
        loop {
            let position = self.position();
            let kind = if self.take_symbol(".") {
                let name = self.identifier("an element or function")?;
                if self.take_symbol("(") {
                    let parameters = self.parameters()?;
                    ExpressionKind::Function(Some(Box::new(left)), name, parameters)
                } else {
                    ExpressionKind::Member(Box::new(left), name)
                }
            } else if self.take_symbol("[") {
                let index = self.expression()?;
                self.symbol("]")?;
                ExpressionKind::Index(Box::new(left), Box::new(index))
            } else {
                return Ok(left);
            };
            left = Expression { position, kind };
        }
    }

    fn parameters(&mut self) -> Result<Vec<Expression>, SyntaxError> {
        let mut parameters = Vec::new();
        if self.take_symbol(")") {
            return Ok(parameters);
        }
        loop {
            parameters.push(self.expression()?);
            if !self.take_symbol(",") {
                self.symbol(")")?;
                return Ok(parameters);
            }
        }
    }

    fn term(&mut self) -> Result<Expression, SyntaxError> {
        let position = self.position();
        let token = self.token().clone();
        let kind = match token {
            Token::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
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
                self.word("this")?;
                ExpressionKind::This
            }
            Token::Word(word) if word == "true" || word == "false" => {
                self.advance();
                ExpressionKind::Literal(Value::Bool(word == "true"), "boolean")
            }
            Token::Word(name) | Token::Quoted(name) => {
                self.advance();
                if self.take_symbol("(") {
                    ExpressionKind::Function(None, name, self.parameters()?)
                } else {
                    ExpressionKind::Name(name)
                }
            }
            _ => match self.literal()? {
                Some((value, type_name)) => ExpressionKind::Literal(value, type_name),
                None => return Err(self.unexpected("an expression")),
            },
        };
        Ok(Expression { position, kind })
    }
}
