//! Functions of one string (FHIRPath 5.6).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::escapes::{escape, unescape};
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables, boolean, string_of};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::Item;
use crate::fhirpath::pattern::Pattern;
use crate::fhirpath::session::MAXIMUM_TEXT;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn text_function(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let Some(text) = string_of(items, "a function of strings")? else {
            return Ok(Vec::new());
        };
        self.session.spend(text.len() / 4)?;
        let item = match function {
            Function::Length => self.whole(count(&text))?,
            Function::Lower => self.made(text.to_lowercase())?,
            Function::Trim => self.made(text.trim().to_owned())?,
            Function::Upper => self.made(text.to_uppercase())?,
            Function::ToChars => {
                let characters = text.chars();
                return characters.map(|c| self.made_part(&c.to_string())).collect();
            }
            Function::Substring => return self.substring(&text, parameters, focus),
            Function::Matches | Function::MatchesFull | Function::ReplaceMatches => {
                return self.by_pattern(function, &text, parameters, focus);
            }
            _ => return self.by_text(function, &text, parameters, focus),
        };
        Ok(vec![item])
    }

    /// One of several strings that are made.
    fn made_part(&self, text: &str) -> Result<Item<'a>, Failure> {
        self.session.spend(1)?;
        self.made(text.to_owned())
    }

    fn replaced(&self, text: &str, old: &str, new: &str) -> Result<Item<'a>, Failure> {
        let count = if old.is_empty() {
            text.len() + 1
        } else {
            text.matches(old).count()
        };
        // Counted before it is made: it may be far longer than both.
        let added = count.saturating_mul(new.len());
        if added > MAXIMUM_TEXT {
            return Err(format!("a text would have more than {MAXIMUM_TEXT} bytes"));
        }
        self.session.spend(added / 4)?;
        self.made(text.replace(old, new))
    }

    fn substring(
        &self,
        text: &str,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let [start, rest @ ..] = parameters else {
            return Ok(Vec::new());
        };
        let start = self.integer(start, focus, "where a substring begins")?;
        let length = match rest.first() {
            Some(length) => self.integer(length, focus, "a substring's length")?,
            None => None,
        };
        let start = start.and_then(|start| usize::try_from(start).ok());
        let Some(start) = start.filter(|start| *start < text.chars().count()) else {
            return Ok(Vec::new());
        };
        let length = length.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(0));
        let substring: String = text.chars().skip(start).take(length).collect();
        Ok(vec![self.made(substring)?])
    }

    /// Functions whose first parameter is a string.
    fn by_text(
        &self,
        function: Function,
        text: &str,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let parameter = |index: usize| match parameters.get(index) {
            Some(parameter) => self.string(parameter, focus, "a parameter"),
            None => Ok(None),
        };
        let Some(other) = parameter(0)? else {
            return Ok(Vec::new());
        };
        let found_at = |byte: Option<usize>| byte.map_or(-1, |byte| count(&text[..byte]));
        let item = match function {
            Function::Contains => return Ok(boolean(Some(text.contains(&other)))),
            Function::EndsWith => return Ok(boolean(Some(text.ends_with(&other)))),
            Function::StartsWith => return Ok(boolean(Some(text.starts_with(&other)))),
            Function::IndexOf => self.whole(found_at(text.find(&other)))?,
            Function::LastIndexOf => self.whole(found_at(text.rfind(&other)))?,
            Function::Replace => {
                let Some(by) = parameter(1)? else {
                    return Ok(Vec::new());
                };
                self.replaced(text, &other, &by)?
            }
            Function::Split => {
                let parts = text.split(&other);
                return parts.map(|part| self.made_part(part)).collect();
            }
            Function::Encode => self.made(encode(text, &other)?)?,
            Function::Escape => self.made(escape(text, &other)?)?,
            Function::Unescape => match unescape(text, &other)? {
                Some(plain) => self.made(plain)?,
                None => return Ok(Vec::new()),
            },
            _ => match decode(text, &other)? {
                Some(decoded) => self.made(decoded)?,
                None => return Ok(Vec::new()),
            },
        };
        Ok(vec![item])
    }

    fn by_pattern(
        &self,
        function: Function,
        text: &str,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let made;
        let pattern = match parameters.first() {
            Some(Compiled::Pattern(pattern)) => pattern,
            Some(parameter) => {
                let Some(regular_expression) = self.string(parameter, focus, "a pattern")? else {
                    return Ok(Vec::new());
                };
                made = Pattern::new(&regular_expression)?;
                &made
            }
            None => return Ok(Vec::new()),
        };
        Ok(match function {
            Function::Matches => boolean(Some(pattern.is_in(text))),
            Function::MatchesFull => boolean(Some(pattern.is_whole(text))),
            _ => {
                let by = match parameters.get(1) {
                    Some(by) => self.string(by, focus, "a replacement")?,
                    None => None,
                };
                let replaced = match by {
                    // HL7's tests: what matches everywhere replaces nothing.
                    Some(_) if pattern.is_nothing() => Some(text.to_owned()),
                    Some(by) => Some(pattern.replace(text, &by)),
                    None => None,
                };
                let replaced = replaced.map(|text| self.made(text)).transpose()?;
                replaced.into_iter().collect()
            }
        })
    }
}

fn count(text: &str) -> i128 {
    i128::try_from(text.chars().count()).unwrap_or(-1)
}

const ENCODINGS: &str = "an encoding is 'hex', 'base64' or 'urlbase64'";

fn encode(text: &str, encoding: &str) -> Result<String, Failure> {
    match encoding {
        "hex" => Ok(text.bytes().map(|byte| format!("{byte:02x}")).collect()),
        "base64" => Ok(STANDARD.encode(text)),
        "urlbase64" => Ok(URL_SAFE.encode(text)),
        _ => Err(ENCODINGS.to_owned()),
    }
}

/// `None` when the text is not of the encoding.
fn decode(text: &str, encoding: &str) -> Result<Option<String>, Failure> {
    let bytes = match encoding {
        "hex" => hex(text),
        "base64" => STANDARD.decode(text).ok(),
        "urlbase64" => URL_SAFE.decode(text).ok(),
        _ => return Err(ENCODINGS.to_owned()),
    };
    Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.chars().map(|digit| digit.to_digit(16));
    let digits = digits.collect::<Option<Vec<u32>>>()?;
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let bytes = pairs
        .iter()
        .map(|[high, low]| u8::try_from(high * 16 + low).ok());
    bytes.collect()
}
