//! `truncate`, `append` and `escape`.

use super::super::Engine;
use super::super::stop::{Exceeded, Stop};
use crate::fhirpath::evaluate::Failure;
use crate::item::Item;
use crate::program::{Operand, TextFormat};

impl<'a> Engine<'a, '_> {
    pub(super) fn truncate(
        &self,
        source: &'a Operand,
        length: &'a Operand,
        base: usize,
    ) -> Result<Item<'a>, Failure> {
        let text = self.text(source, base, "what is truncated")?;
        let length = self.text(length, base, "the length")?;
        let text = match length.parse::<i64>() {
            Ok(length) => {
                let length = usize::try_from(length);
                let length = length.map_err(|_| "a length is not negative".to_owned())?;
                text.chars().take(length).collect()
            }
            // HL7's engine leaves the text as it is.
            Err(_) => text,
        };
        Ok(Item::computed(text, self.definitions.primitives.string))
    }

    pub(super) fn append(&self, parts: &'a [Operand], base: usize) -> Result<Item<'a>, Stop> {
        let limit = self.usage.limits().output_bytes;
        let mut text = String::with_capacity(45);
        for part in parts {
            text.push_str(&self.text(part, base, "what is appended")?);
            if text.len() > limit {
                return Err(Exceeded::OutputBytes(limit).into());
            }
        }
        Ok(Item::computed(text, self.definitions.primitives.string))
    }

    pub(super) fn escape(
        &self,
        source: &'a Operand,
        from: Option<TextFormat>,
        to: TextFormat,
        base: usize,
    ) -> Result<Option<Item<'a>>, Failure> {
        let Some(item) = self.operand(source, base)? else {
            return Ok(None);
        };
        let text = item
            .text()
            .ok_or_else(|| "what is escaped has no text".to_owned())?;
        let text = match from {
            None => text,
            Some(from) => unescape(&text, from)
                .ok_or_else(|| "what is escaped is not in its first format".to_owned())?,
        };
        let text = escape(&text, to);
        Ok(Some(Item::computed(
            text,
            self.definitions.primitives.string,
        )))
    }
}

fn escape(text: &str, format: TextFormat) -> String {
    match format {
        TextFormat::Json => {
            let quoted = serde_json::Value::String(text.to_owned()).to_string();
            quoted
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'))
                .unwrap_or_default()
                .to_owned()
        }
        TextFormat::Xml => {
            let mut escaped = String::with_capacity(text.len());
            for character in text.chars() {
                match character {
                    '&' => escaped.push_str("&amp;"),
                    '<' => escaped.push_str("&lt;"),
                    '>' => escaped.push_str("&gt;"),
                    '"' => escaped.push_str("&quot;"),
                    '\'' => escaped.push_str("&#39;"),
                    other => escaped.push(other),
                }
            }
            escaped
        }
    }
}

/// `None` when it is not in the format.
fn unescape(text: &str, format: TextFormat) -> Option<String> {
    match format {
        TextFormat::Json => serde_json::from_str(&format!("\"{text}\"")).ok(),
        TextFormat::Xml => {
            let mut parts = text.split('&');
            let mut plain = parts.next().unwrap_or_default().to_owned();
            for part in parts {
                let (entity, rest) = part.split_once(';')?;
                plain.push(match entity {
                    "amp" => '&',
                    "lt" => '<',
                    "gt" => '>',
                    "quot" => '"',
                    "apos" => '\'',
                    other => {
                        let number = other.strip_prefix('#')?;
                        let code = match number.strip_prefix('x') {
                            Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16).ok()?,
                            None => number.parse().ok()?,
                        };
                        char::from_u32(code)?
                    }
                });
                plain.push_str(rest);
            }
            Some(plain)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escaping_and_back() {
        let text = "a \"b\" & <c> 'd' \\ é\n";
        for format in [TextFormat::Json, TextFormat::Xml] {
            let escaped = escape(text, format);
            assert_ne!(escaped, text);
            assert_eq!(unescape(&escaped, format).as_deref(), Some(text));
        }
        assert_eq!(
            escape("<a&\"'>", TextFormat::Xml),
            "&lt;a&amp;&quot;&#39;&gt;"
        );
        assert_eq!(escape("a\"\n", TextFormat::Json), "a\\\"\\n");
    }

    #[test]
    fn what_is_not_in_its_format() {
        for text in ["&", "&x;", "&#xyz;", "&#1114112;"] {
            assert_eq!(unescape(text, TextFormat::Xml), None, "{text}");
        }
        assert_eq!(unescape("\\x", TextFormat::Json), None);
        assert_eq!(
            unescape("&#65;&#x42;", TextFormat::Xml).as_deref(),
            Some("AB")
        );
    }
}
