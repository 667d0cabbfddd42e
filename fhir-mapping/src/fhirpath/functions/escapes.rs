//! `escape` and `unescape`, for HTML and JSON.

use serde_json::Value;

use crate::fhirpath::evaluate::Failure;

const TARGETS: &str = "a text is escaped for 'html' or 'json'";

pub(super) fn escape(text: &str, target: &str) -> Result<String, Failure> {
    match target {
        "html" => Ok(text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")),
        "json" => {
            let quoted = Value::from(text).to_string();
            let inner = quoted
                .strip_prefix('"')
                .and_then(|text| text.strip_suffix('"'));
            Ok(inner.unwrap_or(&quoted).to_owned())
        }
        _ => Err(TARGETS.to_owned()),
    }
}

/// `None` when the text is not escaped like this.
pub(super) fn unescape(text: &str, target: &str) -> Result<Option<String>, Failure> {
    match target {
        "html" => Ok(Some(unescape_html(text))),
        "json" => Ok(serde_json::from_str(&format!("\"{text}\""))
            .ok()
            .or_else(|| {
                // Quotes need no escape, as nothing surrounds the text.
                let escaped = text.replace('"', "\\\"");
                serde_json::from_str(&format!("\"{escaped}\"")).ok()
            })),
        _ => Err(TARGETS.to_owned()),
    }
}

/// The named characters that HTML and XML have to escape, and all by number.
fn unescape_html(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let entity = after
            .split_once(';')
            .and_then(|(name, after)| Some((character(name)?, after)));
        match entity {
            Some((character, after)) => {
                plain.push(character);
                rest = after;
            }
            None => {
                plain.push('&');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    plain
}

fn character(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}
