//! What stands outside of groups.

use serde_json::Value;

use super::{Declaration, Mark, Parser};
use crate::error::SyntaxError;
use crate::language::lexer::Token;
use crate::language::syntax::{Constant, Import, Metadata, Structure, StructureMap, StructureMode};

impl Parser<'_> {
    pub(super) fn map(&mut self) -> Result<StructureMap, SyntaxError> {
        let mut map = StructureMap {
            url: String::new(),
            name: None,
            metadata: Vec::new(),
            documentation: self.comments_above(),
            structures: Vec::new(),
            imports: Vec::new(),
            constants: Vec::new(),
            concept_maps: Vec::new(),
            groups: Vec::new(),
        };
        loop {
            let position = self.position();
            match self.declaration() {
                Some(declaration) => self.mark(Mark::Declaration(declaration)),
                None if *self.token() == Token::End && !map.is_empty() => {
                    if map.groups.is_empty() && self.errors.is_empty() {
                        self.warn("a map needs a group to be run");
                    }
                    return Ok(map);
                }
                None => {}
            }
            if *self.token() == Token::Metadata {
                self.metadata(&mut map)?;
            } else if self.take_word("map") {
                map.url = self.text("the map's url in quotes")?;
                self.symbol("=")?;
                map.name = Some(match self.text("") {
                    Ok(name) => name,
                    Err(_) => self.identifier("the map's name")?,
                });
                let comments = self.comments_before(self.next);
                let comments = comments.iter().map(|comment| comment.span);
                map.documentation.extend(comments);
            } else if self.take_word("uses") {
                map.structures.push(self.structure()?);
            } else if self.take_word("imports") {
                let url = self.text("the url of a map in quotes")?;
                map.imports.push(Import { url, position });
                self.take_symbol(";");
            } else if self.take_word("let") {
                map.constants.push(self.constant()?);
            } else if self.take_word("conceptmap") {
                map.concept_maps.push(self.concept_map()?);
            } else if self.at_word("group") {
                let documentation = self.comments_above();
                self.take_word("group");
                let begin = self.next;
                match self.group(position, documentation) {
                    Ok(group) => map.groups.push(group),
                    Err(error) => {
                        self.recover(error, begin)?;
                        self.take_symbol("}");
                    }
                }
                if *self.token() == Token::Symbol(";") {
                    self.mark(Mark::Superfluous);
                    self.warn("no `;` belongs after a group");
                    self.advance();
                }
            } else {
                return Err(self.unexpected(
                    "`///`, `map`, `conceptmap`, `uses`, `imports`, `let` or `group`",
                ));
            }
        }
    }

    fn declaration(&self) -> Option<Declaration> {
        Some(match self.token() {
            Token::Metadata => Declaration::Metadata,
            Token::Word(word) => match word.as_str() {
                "map" => Declaration::Map,
                "uses" => Declaration::Uses,
                "imports" => Declaration::Imports,
                "let" => Declaration::Let,
                "conceptmap" => Declaration::ConceptMap,
                "group" => Declaration::Group,
                _ => return None,
            },
            _ => return None,
        })
    }

    /// `/// path = value` on one line.
    fn metadata(&mut self, map: &mut StructureMap) -> Result<(), SyntaxError> {
        let line = self.position().line;
        self.advance();
        let mut path = self.identifier("the name of a metadata element")?;
        // A number stands for an item of a list: `contact.0.name`.
        while let Token::Symbol(separator @ ("." | "-")) = *self.token() {
            self.advance();
            path.push_str(separator);
            path.push_str(&match self.token().clone() {
                Token::Integer(index) => {
                    self.advance();
                    index.to_string()
                }
                Token::Decimal(indexes) => {
                    self.advance();
                    indexes
                }
                _ => self.identifier("the name of a metadata element")?,
            });
        }
        self.symbol("=")?;
        let value = if path == "url" {
            map.url = self.text("the map's url in quotes")?;
            Some(Value::String(map.url.clone()))
        } else if self.position().line == line {
            let begin = self.next;
            let literal = self.literal()?;
            literal.map(|(value, _)| {
                // The other elements of a StructureMap itself are texts, with and without quotes.
                if value.is_string() || path.contains('.') || path == "experimental" {
                    value
                } else {
                    Value::String(self.span_since(begin).of(self.text).to_owned())
                }
            })
        } else {
            None
        };
        map.metadata.push(Metadata { path, value });
        while self.position().line == line && *self.token() != Token::End {
            self.warn("nothing belongs after the value of a metadata element");
            self.advance();
        }
        Ok(())
    }

    fn structure(&mut self) -> Result<Structure, SyntaxError> {
        let url = self.text("the url of a StructureDefinition in quotes")?;
        let alias = if self.take_word("alias") {
            Some(self.name_or_text("the alias of the structure")?)
        } else {
            None
        };
        self.word("as")?;
        let modes = [
            ("source", StructureMode::Source),
            ("queried", StructureMode::Queried),
            ("target", StructureMode::Target),
            ("produced", StructureMode::Produced),
        ];
        let mode = modes
            .into_iter()
            .find(|(word, _)| self.take_word(word))
            .ok_or_else(|| self.unexpected("`source`, `queried`, `target` or `produced`"))?
            .1;
        let mut documentation = Vec::from_iter(self.comment_at_end());
        if self.take_symbol(";") {
            documentation.extend(self.comment_at_end());
        }
        Ok(Structure {
            documentation,
            url,
            alias,
            mode,
        })
    }

    /// `let name = expression;`.
    fn constant(&mut self) -> Result<Constant, SyntaxError> {
        let name = self.identifier("the constant's name")?;
        self.symbol("=")?;
        let (expression, span) = self.spanned_expression()?;
        self.symbol(";")?;
        Ok(Constant {
            name,
            expression,
            span,
        })
    }
}
