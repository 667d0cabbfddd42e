//! Targets of rules, their transforms, and calls of groups.

use serde_json::{Number, Value};

use super::{Mark, Parser};
use crate::error::SyntaxError;
use crate::fhirpath::syntax::{Expression, ExpressionKind};
use crate::language::lexer::{Span, Token};
use crate::language::syntax::{Call, Parameter, Target, TargetListMode, Transform};

impl Parser<'_> {
    pub(super) fn target(&mut self) -> Result<Target, SyntaxError> {
        let position = self.position();
        let mut target = Target {
            position,
            context: None,
            path: Vec::new(),
            transform: None,
            variable: None,
            list_mode: None,
            further_list_modes: Vec::new(),
            spans: Vec::new(),
        };
        let called = matches!(self.token(), Token::Word(_) if *self.peek() == Token::Symbol("("));
        if called || *self.token() == Token::Symbol("(") {
            target.transform = Some(self.transform(&mut target.spans)?);
        } else {
            let context = self.identifier("the target of a rule")?;
            target.path = self.path()?;
            if self.take_symbol("=") {
                target.transform = Some(self.transform(&mut target.spans)?);
            }
            target.context = Some(context);
        }
        if self.take_word("as") {
            target.variable = Some(self.identifier("the variable's name")?);
        }
        target.list_mode = self.target_list_mode()?;
        while let Some(mode) = self.target_list_mode()? {
            target.further_list_modes.push(mode);
        }
        Ok(target)
    }

    fn target_list_mode(&mut self) -> Result<Option<TargetListMode>, SyntaxError> {
        let modes = [
            ("first", TargetListMode::First),
            ("last", TargetListMode::Last),
            ("collate", TargetListMode::Collate),
            ("single", TargetListMode::Single),
        ];
        if self.take_word("share") {
            let name = self.name_or_text("the shared item's name")?;
            return Ok(Some(TargetListMode::Share(name)));
        }
        let mut modes = modes.into_iter();
        let mode = modes.find(|(word, _)| self.take_word(word));
        Ok(mode.map(|(_, mode)| mode))
    }

    /// A transform; notes where its parameters stand.
    fn transform(&mut self, spans: &mut Vec<Span>) -> Result<Transform, SyntaxError> {
        if self.take_symbol("(") {
            let (expression, span) = self.spanned_expression()?;
            spans.push(span);
            self.symbol(")")?;
            return Ok(Transform::Evaluate(expression));
        }
        let called = matches!(self.token(), Token::Word(_) if *self.peek() == Token::Symbol("("));
        if !called {
            return Ok(Transform::Copy(self.spanned_parameter(spans)?));
        }
        let name = self.identifier("a transform")?;
        self.symbol("(")?;
        let mut parameters = Vec::new();
        if !self.take_symbol(")") {
            parameters.push(self.spanned_parameter(spans)?);
            while *self.token() == Token::Symbol(",") {
                if *self.peek() == Token::Symbol(")") {
                    self.mark(Mark::Superfluous);
                    self.warn("no comma belongs after the last parameter");
                    self.advance();
                    break;
                }
                self.advance();
                parameters.push(if name == "evaluate" {
                    let (expression, span) = self.spanned_expression()?;
                    spans.push(span);
                    Parameter::Expression(expression)
                } else {
                    self.spanned_parameter(spans)?
                });
            }
            self.symbol(")")?;
        }
        Ok(Transform::Call(name, parameters))
    }

    fn spanned_parameter(&mut self, spans: &mut Vec<Span>) -> Result<Parameter, SyntaxError> {
        let begin = self.next;
        let parameter = self.parameter()?;
        spans.push(self.span_since(begin));
        Ok(parameter)
    }

    pub(super) fn parameter(&mut self) -> Result<Parameter, SyntaxError> {
        let position = self.position();
        if self.take_symbol("(") {
            let expression = self.expression()?;
            self.symbol(")")?;
            return Ok(Parameter::Expression(expression));
        }
        let negative = self.take_symbol("-");
        if let Some((value, type_name)) = self.literal()? {
            let value = match (negative, value) {
                (false, value) => value,
                (true, Value::Number(number)) => match format!("-{number}").parse::<Number>() {
                    Ok(number) => Value::Number(number),
                    Err(_) => return Err(self.unexpected("a number")),
                },
                (true, _) => return Err(self.unexpected("a number")),
            };
            return Ok(Parameter::Literal(value, type_name));
        }
        // In old maps `%variable` is written for `variable`, too.
        self.take_symbol("%");
        let name = self.identifier("a constant or a variable")?;
        let mut path = Expression {
            position,
            kind: ExpressionKind::Variable(name),
        };
        for element in self.path()? {
            path = Expression {
                position,
                kind: ExpressionKind::Member(Box::new(path), element),
            };
        }
        Ok(Parameter::Path(path))
    }

    pub(super) fn call(&mut self) -> Result<Call, SyntaxError> {
        let position = self.position();
        let group = self.identifier("the name of a group, or `{`")?;
        self.symbol("(")?;
        let (mut parameters, mut spans) = (Vec::new(), Vec::new());
        if !self.take_symbol(")") {
            parameters.push(self.spanned_parameter(&mut spans)?);
            while self.take_symbol(",") {
                parameters.push(self.spanned_parameter(&mut spans)?);
            }
            self.symbol(")")?;
        }
        Ok(Call {
            position,
            group,
            parameters,
            spans,
        })
    }
}
