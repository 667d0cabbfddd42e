//! Regular expressions, matched in time that is linear in the text whatever they are: maps are
//! not trusted. What needs backtracking (look-around, back-references) is refused.

use regex::{Captures, Regex, RegexBuilder};

/// Bytes that a compiled expression may take.
const MAXIMUM_SIZE: usize = 1024 * 1024;

/// A compiled regular expression, in which `.` stands for line ends too.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    anywhere: Regex,
    whole: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.anywhere.as_str() == other.anywhere.as_str()
    }
}

impl Pattern {
    /// # Errors
    /// Why the expression cannot be used.
    pub(crate) fn new(expression: &str) -> Result<Self, String> {
        let build = |expression: &str| {
            RegexBuilder::new(expression)
                .dot_matches_new_line(true)
                .size_limit(MAXIMUM_SIZE)
                .build()
        };
        let refused = "this regular expression is not supported: it is wrong or too large, or it has look-around or back-references";
        match (build(expression), build(&format!("^(?:{expression})$"))) {
            (Ok(anywhere), Ok(whole)) => Ok(Self { anywhere, whole }),
            _ => Err(refused.to_owned()),
        }
    }

    /// Whether the expression is empty, so that it matches between all characters.
    pub(crate) fn is_nothing(&self) -> bool {
        self.anywhere.as_str().is_empty()
    }

    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.anywhere.is_match(text)
    }

    pub(crate) fn is_whole(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }

    /// Replaces every match; `$1` in the replacement stands for the first group, `\` takes the
    /// next character as it is.
    pub(crate) fn replace(&self, text: &str, by: &str) -> String {
        let by = |found: &Captures<'_>| {
            let mut replacement = String::new();
            let mut characters = by.chars().peekable();
            while let Some(character) = characters.next() {
                match (character, characters.peek().copied()) {
                    ('\\', Some(escaped)) => {
                        characters.next();
                        replacement.push(escaped);
                    }
                    ('$', Some(digit)) if digit.is_ascii_digit() => {
                        characters.next();
                        let group = digit.to_digit(10).and_then(|n| usize::try_from(n).ok());
                        let group = group.and_then(|group| found.get(group));
                        replacement.push_str(group.map_or("", |group| group.as_str()));
                    }
                    _ => replacement.push(character),
                }
            }
            replacement
        };
        self.anywhere.replace_all(text, by).into_owned()
    }
}
