//! Which tokens have a space between them.

use std::borrow::Cow;

use super::lexer::{Lexed, Token, tokens};

/// Words that are operators of FHIRPath after an operand, and else names.
const OPERATORS: [&str; 10] = [
    "and", "or", "xor", "implies", "in", "contains", "div", "mod", "is", "as",
];

/// Where a token stands that is written differently in different places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Rule,
    /// The path of a metadata element.
    MetadataPath,
    ConceptMap,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Nothing,
    /// Something that an operator or an opening parenthesis may follow.
    Operand,
    /// A keyword, operator or separator.
    Separator,
    /// What clings to the next token.
    Prefix,
    /// `.`, `%` or `$`: a name follows, whatever its word.
    NamePrefix,
}

/// Tells for each token in turn whether a space stands before it.
pub(crate) struct Spacing {
    before: Before,
    /// The symbol or keyword before.
    last: &'static str,
}

impl Spacing {
    pub(crate) fn new() -> Self {
        Self {
            before: Before::Nothing,
            last: "",
        }
    }

    /// Whether a space stands before this token. A keyword is a word of the mapping language.
    pub(crate) fn precedes(&mut self, token: &Token, is_keyword: bool, place: Place) -> bool {
        let before = self.before;
        let last = std::mem::take(&mut self.last);
        let (space, now) = match token {
            Token::Symbol(symbol) => {
                self.last = symbol;
                symbol_spacing(before, symbol, last, place)
            }
            Token::Word(word) => {
                let operator = before == Before::Operand && OPERATORS.contains(&word.as_str());
                let now = if before != Before::NamePrefix && (is_keyword || operator) {
                    if let Some(word) = ["type", "other"].into_iter().find(|one| one == word) {
                        self.last = word;
                    }
                    Before::Separator
                } else {
                    Before::Operand
                };
                (clings(before), now)
            }
            Token::Metadata => (false, Before::Separator),
            _ => (clings(before), Before::Operand),
        };
        self.before = now;
        space && before != Before::Nothing
    }
}

/// Whether what begins an operand has a space before it.
fn clings(before: Before) -> bool {
    !matches!(before, Before::Prefix | Before::NamePrefix)
}

fn symbol_spacing(before: Before, symbol: &str, last: &str, place: Place) -> (bool, Before) {
    match symbol {
        "." => (false, Before::NamePrefix),
        ".." => (false, Before::Prefix),
        "%" | "$" => (clings(before), Before::NamePrefix),
        "," | ";" => (false, Before::Separator),
        ")" | "]" | "}" | ">>" => (false, Before::Operand),
        "(" | "[" => (before == Before::Separator, Before::Prefix),
        "{" => (clings(before), Before::Prefix),
        "<<" => (true, Before::Prefix),
        // `0..*`
        "*" if last == ".." => (false, Before::Operand),
        // `<<type+>>`
        "+" if last == "type" => (false, Before::Operand),
        // `other-map`
        "-" if last == "other" => (false, Before::NamePrefix),
        ":" if place == Place::ConceptMap => (false, Before::Prefix),
        "-" if place == Place::MetadataPath => (false, Before::NamePrefix),
        // `--`, `<-` and `>-`
        "-" if place == Place::ConceptMap && matches!(last, "-" | "<" | ">") => {
            (false, Before::Separator)
        }
        "+" | "-" if before != Before::Operand => (clings(before), Before::Prefix),
        _ => (true, Before::Separator),
    }
}

/// An expression on one line, without comments and with the quotes of FHIRPath.
pub(crate) fn one_line(expression: &str) -> String {
    // It was parsed before, as a part of a map.
    let Ok(found) = tokens(expression) else {
        return expression.trim().to_owned();
    };
    let mut spacing = Spacing::new();
    let mut text = String::with_capacity(expression.len());
    for lexed in &found.tokens {
        if lexed.token == Token::End {
            break;
        }
        if spacing.precedes(&lexed.token, false, Place::Rule) {
            text.push(' ');
        }
        text.push_str(&fhirpath_spelling(lexed, expression));
    }
    text
}

/// FHIRPath has no strings in double quotes.
fn fhirpath_spelling<'t>(lexed: &Lexed, text: &'t str) -> Cow<'t, str> {
    let spelling = lexed.span.of(super::lexer::without_byte_order_mark(text));
    match &lexed.token {
        Token::Text(value) if !spelling.starts_with('\'') => Cow::Owned(quoted(value, '\'')),
        _ => Cow::Borrowed(spelling),
    }
}

/// A string as the language writes it, in the quotes given.
pub(crate) fn quoted(text: &str, quote: char) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push(quote);
    for character in text.chars() {
        match character {
            '\\' => written.push_str("\\\\"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            '\t' => written.push_str("\\t"),
            '\u{c}' => written.push_str("\\f"),
            _ if character == quote => {
                written.push('\\');
                written.push(quote);
            }
            _ if u32::from(character) < 0x20 => {
                written.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            _ => written.push(character),
        }
    }
    written.push(quote);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_spaced_as_one_writes_them() {
        for (text, expected) in [
            ("a.b [ 0 ]", "a.b[0]"),
            ("a=b and(c or not ( d ))", "a = b and (c or not(d))"),
            ("-1+- 2", "-1 + -2"),
            ("a . contains( 'x' )", "a.contains('x')"),
            ("$this is   string", "$this is string"),
            ("$this-1", "$this - 1"),
            ("% a.as(Quantity)|{ }", "%a.as(Quantity) | {}"),
            ("iif(a>1,'x', \"it's\")", "iif(a > 1, 'x', 'it\\'s')"),
            ("a // one\n + /* two */ b", "a + b"),
            (
                "@2020-01-01T10:00:00Z<=now()",
                "@2020-01-01T10:00:00Z <= now()",
            ),
            ("`a b`.where(is(x))", "`a b`.where(is(x))"),
            ("4 'mg'", "4 'mg'"),
        ] {
            assert_eq!(one_line(text), expected, "{text}");
            assert_eq!(one_line(expected), expected, "{text}");
        }
    }
}
