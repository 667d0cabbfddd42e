//! The grammar of FHIR Mapping Language (R4 and R5), by recursive descent.

mod concept_map;
mod group;
mod header;
mod mark;
mod rule;
mod target;

use serde_json::{Number, Value};

use super::lexer::{
    Comment, Lexed, Position, Span, Token, Tokens, line_of, tokens, tokens_of_expression,
    without_byte_order_mark,
};
use super::syntax::StructureMap;
use crate::error::SyntaxError;
use crate::fhirpath::syntax::Expression;
pub(crate) use mark::{Declaration, Mark};
pub(crate) use rule::QUERY;

/// How deep rules and expressions may nest, so that no text exhausts the stack.
const MAXIMUM_DEPTH: usize = 64;

/// How many mistakes are reported at once.
const MAXIMUM_ERRORS: usize = 20;

pub(crate) struct Parser<'t> {
    text: &'t str,
    tokens: Vec<Lexed>,
    comments: Vec<Comment>,
    next: usize,
    depth: usize,
    errors: Vec<SyntaxError>,
    warnings: Vec<(Position, &'static str)>,
    /// What tokens are in the layout, for the formatter only.
    marks: Option<Vec<(usize, Mark)>>,
}

/// A map, and what in its text is tolerated only.
pub(crate) type Parsed = (StructureMap, Vec<(Position, &'static str)>);

/// Parses one map. After a mistake it goes on with the next rule or declaration, so that an author
/// sees several at once.
pub(crate) fn parse(text: &str) -> Result<Parsed, Vec<SyntaxError>> {
    let mut parser = Parser::new(text).map_err(|error| vec![error])?;
    let map = parser.whole_map()?;
    if map.url.is_empty() {
        parser.next = 0;
        let expected = "the map's url: `/// url = '…'` or `map \"…\" = \"…\"`";
        return Err(vec![parser.unexpected(expected)]);
    }
    Ok((map, parser.warnings))
}

/// A text as the formatter needs it.
pub(crate) struct Marked {
    pub(crate) tokens: Vec<Lexed>,
    pub(crate) comments: Vec<Comment>,
    /// In the order of their tokens, by index.
    pub(crate) marks: Vec<(usize, Mark)>,
}

/// Parses a map, which may lack a url.
pub(crate) fn parse_marked(text: &str) -> Result<Marked, Vec<SyntaxError>> {
    let mut parser = Parser::new(text).map_err(|error| vec![error])?;
    parser.marks = Some(Vec::new());
    parser.whole_map()?;
    let mut marks = parser.marks.unwrap_or_default();
    marks.sort_by_key(|(token, _)| *token);
    Ok(Marked {
        tokens: parser.tokens,
        comments: parser.comments,
        marks,
    })
}

/// Parses an expression that stands alone.
pub(crate) fn expression(text: &str) -> Result<Expression, SyntaxError> {
    let mut parser = Parser::of(text, tokens_of_expression(text)?);
    let expression = parser.expression()?;
    match parser.token() {
        Token::End => Ok(expression),
        _ => Err(parser.unexpected("the end")),
    }
}

impl<'t> Parser<'t> {
    fn new(text: &'t str) -> Result<Self, SyntaxError> {
        Ok(Self::of(text, tokens(text)?))
    }

    fn of(text: &'t str, Tokens { tokens, comments }: Tokens) -> Self {
        Self {
            text: without_byte_order_mark(text),
            tokens,
            comments,
            next: 0,
            depth: 0,
            errors: Vec::new(),
            warnings: Vec::new(),
            marks: None,
        }
    }

    /// Whether the token is a string in single quotes, which units are written in.
    pub(crate) fn is_single_quoted(&self) -> bool {
        let lexed = self.tokens.get(self.next);
        lexed.is_some_and(|lexed| lexed.span.of(self.text).starts_with('\''))
    }

    fn whole_map(&mut self) -> Result<StructureMap, Vec<SyntaxError>> {
        let map = self.map();
        let mut errors = std::mem::take(&mut self.errors);
        match map {
            Ok(map) if errors.is_empty() => return Ok(map),
            Ok(_) => {}
            // What is missing at the end follows from the mistakes before.
            Err(error) if errors.is_empty() || *self.token() != Token::End => errors.push(error),
            Err(_) => {}
        }
        Err(errors)
    }

    pub(crate) fn token(&self) -> &Token {
        self.tokens
            .get(self.next)
            .map_or(&Token::End, |lexed| &lexed.token)
    }

    fn peek(&self) -> &Token {
        self.tokens
            .get(self.next + 1)
            .map_or(&Token::End, |lexed| &lexed.token)
    }

    pub(crate) fn position(&self) -> Position {
        self.tokens
            .get(self.next)
            .or(self.tokens.last())
            .map_or(Position { line: 1, column: 1 }, |lexed| lexed.position)
    }

    /// The line of the token before this one.
    fn line_before(&self) -> usize {
        let before = self.next.checked_sub(1).and_then(|at| self.tokens.get(at));
        before.map_or(0, |lexed| lexed.position.line)
    }

    /// What stands from the token `begin` up to the token before this one.
    fn span_since(&self, begin: usize) -> Span {
        let last = self.next.checked_sub(1);
        let end = last.and_then(|last| self.tokens.get(last));
        let begin = self.tokens.get(begin).map_or(0, |lexed| lexed.span.begin);
        Span {
            begin,
            end: end.map_or(begin, |lexed| lexed.span.end.max(begin)),
        }
    }

    /// The comments between the token before `token` and it.
    fn comments_before(&self, token: usize) -> &[Comment] {
        let begin = self.comments.partition_point(|one| one.before < token);
        let end = self.comments.partition_point(|one| one.before <= token);
        self.comments.get(begin..end).unwrap_or_default()
    }

    /// The comment that follows the token before this one on its line.
    fn comment_at_end(&self) -> Option<Span> {
        let line = self.line_before();
        let first = self.comments_before(self.next).first();
        first
            .filter(|comment| comment.line == line)
            .map(|comment| comment.span)
    }

    /// The comments before this token, without those that end the line of a declaration or rule
    /// before it.
    fn comments_above(&self) -> Vec<Span> {
        let before = self.next.checked_sub(1).and_then(|at| self.tokens.get(at));
        let line = before
            .filter(|lexed| lexed.token != Token::Symbol("{"))
            .map_or(0, |lexed| lexed.position.line);
        let comments = self.comments_before(self.next).iter();
        comments
            .skip_while(|comment| comment.line == line)
            .map(|comment| comment.span)
            .collect()
    }

    fn mark(&mut self, mark: Mark) {
        let next = self.next;
        if let Some(marks) = &mut self.marks {
            marks.push((next, mark));
        }
    }

    pub(crate) fn advance(&mut self) {
        self.next += 1;
    }

    pub(crate) fn unexpected(&self, expected: &str) -> SyntaxError {
        let position = self.position();
        SyntaxError {
            line: position.line,
            column: position.column,
            expected: expected.to_owned(),
            found: self.token().describe(),
            text: line_of(self.text, position.line),
        }
    }

    fn warn(&mut self, text: &'static str) {
        self.warnings.push((self.position(), text));
    }

    /// Notes a mistake in the rule or declaration that began at the token `begin`, and skips the
    /// rest of it: up to a `;`, or to the brace or word that can only stand after it.
    ///
    /// # Errors
    /// The mistake, when the text ends before that, or when there are too many.
    fn recover(&mut self, error: SyntaxError, begin: usize) -> Result<(), SyntaxError> {
        if self.errors.len() + 1 == MAXIMUM_ERRORS {
            return Err(error);
        }
        let mut braces = 0_usize;
        for lexed in self.tokens.get(begin..self.next).unwrap_or_default() {
            match lexed.token {
                Token::Symbol("{") => braces += 1,
                Token::Symbol("}") => braces = braces.saturating_sub(1),
                _ => {}
            }
        }
        loop {
            match self.token() {
                Token::End => return Err(error),
                Token::Symbol("{") => braces += 1,
                Token::Symbol("}") if braces == 0 => break,
                Token::Symbol("}") => braces -= 1,
                Token::Symbol(";") if braces == 0 => {
                    self.advance();
                    break;
                }
                Token::Word(word) if word == "group" && self.peek_is_declaration() => break,
                _ => {}
            }
            self.advance();
        }
        self.errors.push(error);
        Ok(())
    }

    /// Whether what follows looks like the name and the inputs of a group.
    fn peek_is_declaration(&self) -> bool {
        let after = self.tokens.get(self.next + 2).map(|lexed| &lexed.token);
        matches!(self.peek(), Token::Word(_)) && after == Some(&Token::Symbol("("))
    }

    /// Runs a part of the grammar that may contain itself.
    pub(crate) fn nested<T>(
        &mut self,
        part: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth == MAXIMUM_DEPTH {
            return Err(self.unexpected(&format!("at most {MAXIMUM_DEPTH} levels of nesting")));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    pub(crate) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.token(), Token::Symbol(found) if *found == symbol);
        if found {
            self.advance();
        }
        found
    }

    pub(crate) fn symbol(&mut self, symbol: &str) -> Result<(), SyntaxError> {
        if self.take_symbol(symbol) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{symbol}`")))
        }
    }

    fn at_word(&self, word: &str) -> bool {
        matches!(self.token(), Token::Word(found) if found == word)
    }

    pub(crate) fn take_word(&mut self, word: &str) -> bool {
        let found = self.at_word(word);
        if found {
            self.mark(Mark::Keyword);
            self.advance();
        }
        found
    }

    pub(crate) fn word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.take_word(word) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("`{word}`")))
        }
    }

    pub(crate) fn identifier(&mut self, expected: &str) -> Result<String, SyntaxError> {
        match self.token() {
            Token::Word(name) | Token::Quoted(name) => {
                let name = name.clone();
                self.advance();
                Ok(name)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// A name, which published maps have in quotes, too.
    fn name_or_text(&mut self, expected: &str) -> Result<String, SyntaxError> {
        if matches!(self.token(), Token::Text(_)) {
            self.warn("a name stands without quotes");
            return self.text(expected);
        }
        self.identifier(expected)
    }

    fn text(&mut self, expected: &str) -> Result<String, SyntaxError> {
        match self.token() {
            Token::Text(text) => {
                let text = text.clone();
                self.advance();
                Ok(text)
            }
            _ => Err(self.unexpected(expected)),
        }
    }

    /// The token as it is written.
    fn spelling(&self) -> &str {
        let lexed = self.tokens.get(self.next);
        lexed.map_or("", |lexed| lexed.span.of(self.text))
    }

    /// A constant and its FHIR type, if one stands here.
    pub(crate) fn literal(&mut self) -> Result<Option<(Value, &'static str)>, SyntaxError> {
        let literal = match self.token() {
            Token::Text(text) => (Value::String(text.clone()), "string"),
            Token::Integer(number) => (Value::from(*number), "integer"),
            Token::Decimal(number) => match number.parse::<Number>() {
                Ok(number) => (Value::Number(number), "decimal"),
                Err(_) => return Err(self.unexpected("a decimal")),
            },
            Token::Time(time) => {
                let type_name = if time.starts_with('T') {
                    "time"
                } else if time.contains('T') {
                    "dateTime"
                } else {
                    "date"
                };
                let text = time.trim_start_matches('T').trim_end_matches('T');
                (Value::String(text.to_owned()), type_name)
            }
            Token::Word(word) if word == "true" || word == "false" => {
                (Value::Bool(word == "true"), "boolean")
            }
            _ => return Ok(None),
        };
        self.advance();
        Ok(Some(literal))
    }
}
