//! Tokens of FHIR Mapping Language and of FHIRPath, which it embeds.

use crate::error::SyntaxError;

/// Where a token begins; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Token {
    /// An identifier or keyword.
    Word(String),
    /// An identifier in backticks: never a keyword.
    Quoted(String),
    /// A string in single or double quotes, unescaped.
    Text(String),
    Integer(i64),
    Decimal(String),
    /// `@2026-01-01`, `@2026-01-01T10:00:00Z` or `@T10:00`, without the `@`.
    Time(String),
    Symbol(&'static str),
    /// `///` before the first declaration: metadata of the map.
    Metadata,
    End,
}

impl Token {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Word(word) | Self::Quoted(word) => format!("`{word}`"),
            Self::Text(_) => "a string".to_owned(),
            Self::Integer(number) => format!("`{number}`"),
            Self::Decimal(number) => format!("`{number}`"),
            Self::Time(time) => format!("`@{time}`"),
            Self::Symbol(symbol) => format!("`{symbol}`"),
            Self::Metadata => "`///`".to_owned(),
            Self::End => "the end".to_owned(),
        }
    }
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Lexed {
    pub(crate) token: Token,
    pub(crate) position: Position,
    pub(crate) span: Span,
}

/// Bytes of the text, from `begin` up to and without `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) begin: usize,
    pub(crate) end: usize,
}

impl Span {
    pub(crate) fn of<'t>(&self, text: &'t str) -> &'t str {
        text.get(self.begin..self.end).unwrap_or_default()
    }
}

/// A comment with its slashes or stars, without the end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Comment {
    pub(crate) span: Span,
    /// Line on which it begins.
    pub(crate) line: usize,
    /// Index of the token that follows it.
    pub(crate) before: usize,
}

/// What a text consists of; its last token is the end.
#[derive(Debug)]
pub(crate) struct Tokens {
    pub(crate) tokens: Vec<Lexed>,
    pub(crate) comments: Vec<Comment>,
}

/// Longest first, so that `->` is never read as `-` and `>`.
const SYMBOLS: [&str; 34] = [
    "<<", ">>", "->", "<=", ">=", "!=", "!~", "==", "..", "(", ")", "{", "}", "[", "]", ".", ",",
    ";", ":", "=", "<", ">", "~", "|", "&", "+", "-", "*", "/", "%", "$", "!", "#", "?",
];

/// The words that end the header, after which `///` is a comment.
const DECLARATIONS: [&str; 5] = ["uses", "imports", "let", "conceptmap", "group"];

pub(crate) struct Lexer<'t> {
    text: &'t str,
    rest: &'t str,
    position: Position,
    in_header: bool,
    comments: Vec<Comment>,
    count: usize,
}

/// The text that positions and spans are of: a byte order mark is not part of it.
pub(crate) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

pub(crate) fn tokens(text: &str) -> Result<Tokens, SyntaxError> {
    tokens_from(text, true)
}

/// The tokens of an expression that stands alone: `///` is a comment.
pub(crate) fn tokens_of_expression(text: &str) -> Result<Tokens, SyntaxError> {
    tokens_from(text, false)
}

fn tokens_from(text: &str, in_header: bool) -> Result<Tokens, SyntaxError> {
    let text = without_byte_order_mark(text);
    let mut lexer = Lexer {
        text,
        rest: text,
        position: Position { line: 1, column: 1 },
        in_header,
        comments: Vec::new(),
        count: 0,
    };
    let mut tokens = Vec::new();
    loop {
        lexer.skip_blank()?;
        let position = lexer.position;
        let begin = lexer.offset();
        let token = lexer.next()?;
        let end = lexer.offset();
        let ended = token == Token::End;
        tokens.push(Lexed {
            token,
            position,
            span: Span { begin, end },
        });
        lexer.count += 1;
        if ended {
            return Ok(Tokens {
                tokens,
                comments: lexer.comments,
            });
        }
    }
}

pub(crate) fn line_of(text: &str, line: usize) -> String {
    text.lines()
        .nth(line.saturating_sub(1))
        .unwrap_or_default()
        .trim()
        .chars()
        .take(200)
        .collect()
}

impl<'t> Lexer<'t> {
    fn take(&mut self, bytes: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(bytes);
        for character in taken.chars() {
            if character == '\n' {
                self.position.line += 1;
                self.position.column = 1;
            } else {
                self.position.column += 1;
            }
        }
        self.rest = rest;
        taken
    }

    fn offset(&self) -> usize {
        self.text.len() - self.rest.len()
    }

    fn comment(&mut self, begin: usize, line: usize) {
        let end = self.offset();
        let end = begin + self.text[begin..end].trim_end().len();
        self.comments.push(Comment {
            span: Span { begin, end },
            line,
            before: self.count,
        });
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len());
        self.take(end)
    }

    fn fail(&self, position: Position, expected: &str, found: &str) -> SyntaxError {
        SyntaxError {
            line: position.line,
            column: position.column,
            expected: expected.to_owned(),
            found: found.to_owned(),
            text: line_of(self.text, position.line),
        }
    }

    fn skip_blank(&mut self) -> Result<(), SyntaxError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with("//") {
                let metadata = self.in_header
                    && self.rest.starts_with("///")
                    && !self.rest.starts_with("////");
                if metadata {
                    return Ok(());
                }
                let (begin, line) = (self.offset(), self.position.line);
                self.take_while(|c| !matches!(c, '\n' | '\r'));
                self.comment(begin, line);
            } else if self.rest.starts_with("/*") {
                let (begin, position) = (self.offset(), self.position);
                let Some(end) = self.rest[2..].find("*/") else {
                    return Err(self.fail(position, "`*/`", "a comment without end"));
                };
                self.take(end + 4);
                self.comment(begin, position.line);
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Token, SyntaxError> {
        let begin = self.position;
        let Some(first) = self.rest.chars().next() else {
            return Ok(Token::End);
        };
        if self.rest.starts_with("///") {
            self.take(3);
            return Ok(Token::Metadata);
        }
        match first {
            'A'..='Z' | 'a'..='z' | '_' => {
                let word = self.take_while(|c| c.is_ascii_alphanumeric() || c == '_');
                if DECLARATIONS.contains(&word) {
                    self.in_header = false;
                }
                Ok(Token::Word(word.to_owned()))
            }
            '0'..='9' => self.number(begin),
            '`' => Ok(Token::Quoted(self.quoted()?)),
            '\'' | '"' => Ok(Token::Text(self.quoted()?)),
            '@' => {
                self.take(1);
                let mut time = self
                    .take_while(|c| c.is_ascii_digit() || matches!(c, '-' | ':' | 'T' | 'Z' | '+'))
                    .to_owned();
                // A point belongs to the time before digits only: else a function follows.
                let point = self.rest.strip_prefix('.');
                if point.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
                    time.push_str(self.take(1));
                    time.push_str(
                        self.take_while(|c| {
                            c.is_ascii_digit() || matches!(c, 'Z' | '+' | '-' | ':')
                        }),
                    );
                }
                Ok(Token::Time(time))
            }
            _ => {
                let Some(symbol) = SYMBOLS.iter().find(|s| self.rest.starts_with(**s)) else {
                    let found = format!("`{}`", first.escape_debug());
                    return Err(self.fail(begin, "a word, string, number or symbol", &found));
                };
                self.take(symbol.len());
                Ok(Token::Symbol(symbol))
            }
        }
    }

    fn number(&mut self, begin: Position) -> Result<Token, SyntaxError> {
        let mut end = self.rest.find(|c: char| !c.is_ascii_digit());
        // `0..1` is a cardinality, `1.5` a decimal.
        if let Some(point) = end
            && self.rest[point..].starts_with('.')
            && self.rest[point + 1..].starts_with(|c: char| c.is_ascii_digit())
        {
            let fraction = &self.rest[point + 1..];
            end = fraction
                .find(|c: char| !c.is_ascii_digit())
                .map(|length| point + 1 + length);
            let text = self.take(end.unwrap_or(self.rest.len()));
            return Ok(Token::Decimal(text.to_owned()));
        }
        let text = self.take(end.unwrap_or(self.rest.len()));
        text.parse()
            .map(Token::Integer)
            .map_err(|_| self.fail(begin, "a whole number of 64 bits", "a larger one"))
    }

    /// A string in the quotes it begins with, with FHIRPath's escapes.
    fn quoted(&mut self) -> Result<String, SyntaxError> {
        let begin = self.position;
        if self.rest.starts_with("\"\"\"") {
            let Some(end) = self.rest[3..].find("\"\"\"") else {
                return Err(self.fail(begin, "`\"\"\"`", "a string without end"));
            };
            return Ok(self.take(end + 6)[3..end + 3].to_owned());
        }
        let quote = self.take(1);
        let mut text = String::new();
        loop {
            let end = self
                .rest
                .find(|c: char| c == '\\' || quote.contains(c))
                .ok_or_else(|| self.fail(begin, quote, "a string without end"))?;
            text.push_str(self.take(end));
            if self.rest.starts_with(quote) {
                self.take(1);
                return Ok(text);
            }
            let escape = self.position;
            self.take(1);
            let character = self.rest.chars().next().unwrap_or('\0');
            let unknown = "an escape: \\' \\\" \\` \\\\ \\/ \\r \\n \\t \\f or \\u0000";
            text.push(match character {
                '\'' | '"' | '`' | '\\' | '/' => character,
                'r' => '\r',
                'n' => '\n',
                't' => '\t',
                'f' => '\u{c}',
                'u' => {
                    let code = self
                        .rest
                        .get(1..5)
                        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
                    let character = code
                        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
                        .and_then(char::from_u32)
                        .ok_or_else(|| self.fail(escape, unknown, "another one"))?;
                    self.take(4);
                    character
                }
                _ => return Err(self.fail(escape, unknown, "another one")),
            });
            self.take(character.len_utf8());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn lexed(text: &str) -> Vec<Token> {
        let tokens = tokens(text).unwrap().tokens.into_iter();
        let mut tokens: Vec<Token> = tokens.map(|lexed| lexed.token).collect();
        assert_eq!(tokens.pop(), Some(Token::End));
        tokens
    }

    #[test]
    fn numbers_and_cardinalities() {
        use Token::{Decimal, Integer, Symbol};
        assert_eq!(
            lexed("0..1 1.50 7."),
            [
                Integer(0),
                Symbol(".."),
                Integer(1),
                Decimal("1.50".into()),
                Integer(7),
                Symbol(".")
            ]
        );
    }

    #[test]
    fn strings_with_every_escape() {
        assert_eq!(
            lexed(r#"'a\'b\u00e9\n' "c" """d "e" f""" `g h`"#),
            [
                Token::Text("a'bé\n".into()),
                Token::Text("c".into()),
                Token::Text("d \"e\" f".into()),
                Token::Quoted("g h".into())
            ]
        );
    }

    #[test]
    fn three_slashes_are_metadata_only_in_the_header() {
        assert_eq!(
            lexed("/// a\n// b\n/* c */ group /// d\n e"),
            [
                Token::Metadata,
                Token::Word("a".into()),
                Token::Word("group".into()),
                Token::Word("e".into())
            ]
        );
    }

    #[test]
    fn positions_count_lines_and_characters() {
        let error = tokens("é a\n  b").unwrap_err();
        assert_eq!((error.line, error.column), (1, 1));
        let text = "'é' a\n  b";
        let tokens = super::tokens(text).unwrap().tokens;
        assert_eq!(tokens[1].position, Position { line: 1, column: 5 });
        assert_eq!(tokens[2].position, Position { line: 2, column: 3 });
        assert_eq!(tokens[0].span.of(text), "'é'");
        assert_eq!(tokens[2].span.of(text), "b");
    }

    #[test]
    fn comments_stand_before_the_token_that_follows_them() {
        let text = "/// a\n// one \r\ngroup /* two\n */ b // three";
        let found = super::tokens(text).unwrap();
        let comments: Vec<(&str, usize, usize)> = found
            .comments
            .iter()
            .map(|comment| (comment.span.of(text), comment.line, comment.before))
            .collect();
        assert_eq!(
            comments,
            [("// one", 2, 2), ("/* two\n */", 3, 3), ("// three", 4, 4)]
        );
    }
}
