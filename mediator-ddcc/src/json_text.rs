//! Writing JSON. `serde_json` looks at the bytes of a text one after the other for what is to be
//! escaped; images and cards are texts of many thousands that need it nowhere.

use std::fmt::Write as _;

use serde_json::Value;

/// The text of a value, as `serde_json` writes it.
#[must_use]
pub fn json_text(value: &Value) -> String {
    let mut out = String::with_capacity(1024);
    write(value, &mut out);
    out
}

/// Appends the text of a value.
pub(crate) fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            // Writing to a String does not fail.
            let _ = write!(out, "{number}");
        }
        Value::String(text) => write_text(text, out),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(value, out);
            }
            out.push(']');
        }
        Value::Object(object) => {
            out.push('{');
            for (index, (name, value)) in object.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_text(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Appends a text in quotation marks.
pub(crate) fn write_text(text: &str, out: &mut String) {
    if needs_escapes(text) {
        // Writing a text to memory does not fail.
        out.push_str(&serde_json::to_string(text).unwrap_or_default());
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

fn needs_escapes(text: &str) -> bool {
    let is_escaped = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Many bytes are looked at together when none of them ends it.
    let mut pieces = text.as_bytes().chunks(64);
    pieces.any(|piece| {
        piece
            .iter()
            .fold(false, |any, byte| any | is_escaped(*byte))
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn any_json() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[\\x00-\\x7f]{0,12}",
            "[\u{d7f0}-\u{10010}]{0,3}",
            "[A-Za-z0-9+/]{50,150}[\\x00-\\x7f]?[A-Za-z0-9+/]{0,80}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1_i64 << 53) + 1..1_i64 << 53).prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 64, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..8)
                    .prop_map(|properties| Value::Object(properties.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_is_what_serde_json_writes(value in any_json()) {
            prop_assert_eq!(json_text(&value), value.to_string());
        }
    }

    #[test]
    fn every_byte_that_is_to_be_escaped_is_at_every_place() {
        for byte in 0..0x80_u8 {
            for before in [0, 1, 15, 16, 63, 64, 65] {
                let text = format!("{}{}é", "a".repeat(before), char::from(byte));
                assert_eq!(
                    json_text(&text.as_str().into()),
                    Value::from(text).to_string()
                );
            }
        }
    }
}
