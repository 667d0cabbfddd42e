//! Groups and their inputs.

use super::{Mark, Parser};
use crate::error::SyntaxError;
use crate::language::lexer::{Position, Span, Token};
use crate::language::syntax::{DefaultFor, Group, Input, Mode};

impl Parser<'_> {
    pub(super) fn group(
        &mut self,
        position: Position,
        documentation: Vec<Span>,
    ) -> Result<Group, SyntaxError> {
        let mut default_for = DefaultFor::Nothing;
        if self.at_word("for") && *self.peek() != Token::Symbol("(") {
            self.warn("`<<types>>` or `<<type+>>` after the inputs replaces `for`");
            self.take_word("for");
            default_for = self.default_for("types")?;
        }
        let name = self.identifier("the group's name")?;
        self.symbol("(")?;
        self.mark(Mark::Input);
        let mut inputs = vec![self.input()?];
        // Published maps have a comma after the last input, or none between two.
        loop {
            if *self.token() == Token::Symbol(",") {
                if *self.peek() == Token::Symbol(")") {
                    self.mark(Mark::Superfluous);
                    self.advance();
                    self.warn("no comma belongs after the last input");
                    break;
                }
                self.advance();
            } else if self.at_word("source") || self.at_word("target") {
                self.mark(Mark::Missing(","));
                self.warn("a comma belongs between two inputs");
            } else {
                break;
            }
            self.mark(Mark::Input);
            inputs.push(self.input()?);
        }
        self.symbol(")")?;
        let extends_at = self.position();
        let extends = if self.take_word("extends") {
            let base = self.identifier("the name of the group that is extended")?;
            Some((base, extends_at))
        } else {
            None
        };
        if self.take_symbol("<<") {
            default_for = self.default_for("")?;
            self.symbol(">>")?;
        }
        self.mark(Mark::Open);
        self.symbol("{")?;
        Ok(Group {
            documentation,
            position,
            name,
            inputs,
            extends,
            default_for,
            rules: self.rules()?,
        })
    }

    /// `types` or `type+`, which an older draft wrote `type + types`.
    fn default_for(&mut self, after_plus: &str) -> Result<DefaultFor, SyntaxError> {
        if self.take_word("types") {
            return Ok(DefaultFor::Types);
        }
        self.word("type")?;
        self.symbol("+")?;
        if !after_plus.is_empty() {
            self.word(after_plus)?;
        }
        Ok(DefaultFor::TypeAndTypes)
    }

    fn input(&mut self) -> Result<Input, SyntaxError> {
        let position = self.position();
        let mode = if self.take_word("source") {
            Mode::Source
        } else if self.take_word("target") {
            Mode::Target
        } else {
            return Err(self.unexpected("`source` or `target`"));
        };
        let name = self.identifier("the input's name")?;
        let type_name = if self.take_symbol(":") {
            Some(self.named_type("the input's type")?)
        } else {
            None
        };
        Ok(Input {
            position,
            mode,
            name,
            type_name,
        })
    }
}
