//! Canonical JSON (RFC 8785), written in one pass: `serde_json_canonicalizer` copies every text
//! once for each level that it is nested in, which took most of a document's time. Its numbers are
//! used, and the tests hold the two against each other.

use serde_json::{Number, Value};

use crate::json_text::{self, write_text};

/// Whole numbers up to this are the same in every JSON implementation (RFC 7493 2.2).
const MAXIMUM_NUMBER: u64 = (1 << 53) - 1;

/// A whole number that JSON implementations do not agree about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NumberTooLarge;

/// Appends the canonical form of an object with these properties, whose names differ.
pub(crate) fn write_object<'a>(
    properties: impl Iterator<Item = (&'a String, &'a Value)>,
    out: &mut String,
) -> Result<(), NumberTooLarge> {
    let mut properties: Vec<_> = properties.collect();
    if properties.iter().all(|(name, _)| name.is_ascii()) {
        properties.sort_unstable_by_key(|(name, _)| *name);
    } else {
        properties.sort_unstable_by(|(left, _), (right, _)| {
            left.encode_utf16().cmp(right.encode_utf16())
        });
    }
    out.push('{');
    for (index, (name, value)) in properties.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        write_text(name, out);
        out.push(':');
        write(value, out)?;
    }
    out.push('}');
    Ok(())
}

fn write(value: &Value, out: &mut String) -> Result<(), NumberTooLarge> {
    match value {
        Value::Number(number) => write_number(number, out)?,
        // What serde_json escapes, and how, is what RFC 8785 3.2.2.2 asks for.
        Value::Null | Value::Bool(_) | Value::String(_) => json_text::write(value, out),
        Value::Array(values) => {
            out.push('[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(value, out)?;
            }
            out.push(']');
        }
        Value::Object(object) => write_object(object.iter(), out)?,
    }
    Ok(())
}

fn write_number(number: &Number, out: &mut String) -> Result<(), NumberTooLarge> {
    let magnitude = number
        .as_u64()
        .or_else(|| number.as_i64().map(i64::unsigned_abs));
    if magnitude.is_some_and(|magnitude| magnitude > MAXIMUM_NUMBER) {
        return Err(NumberTooLarge);
    }
    let written = serde_json_canonicalizer::to_string(number).map_err(|_| NumberTooLarge)?;
    out.push_str(&written);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::json_text::tests::any_json;

    fn canonical(value: &Value) -> Result<String, NumberTooLarge> {
        let mut out = String::new();
        write(value, &mut out)?;
        Ok(out)
    }

    fn canonical_text(text: &str) -> String {
        let value = serde_json::from_str(text).unwrap_or_default();
        canonical(&value).unwrap_or_default()
    }

    /// RFC 8785 3.2.2 and 3.2.3.
    #[test]
    fn the_specification_s_examples() {
        assert_eq!(
            canonical_text(
                r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                    "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                    "literals": [null, true, false]}"#
            ),
            r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
        );
        // Sorted by UTF-16 code units: the emoji's surrogates are before U+FB33.
        assert_eq!(
            canonical_text(
                r#"{"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7}"#
            ),
            "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
        );
    }

    /// RFC 8785 appendix B.
    #[test]
    fn the_specification_s_numbers() {
        for (number, expected) in [
            (0_u64, "0"),
            (0x8000_0000_0000_0000, "0"),
            (1, "5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
        ] {
            let number = json!(f64::from_bits(number));
            assert_eq!(canonical(&number).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn whole_numbers_are_exact_or_refused() {
        for (number, expected) in [
            (json!(0), Ok("0")),
            (json!(9_007_199_254_740_991_u64), Ok("9007199254740991")),
            (json!(-9_007_199_254_740_991_i64), Ok("-9007199254740991")),
            (json!(9_007_199_254_740_992_u64), Err(NumberTooLarge)),
            (json!(-9_007_199_254_740_992_i64), Err(NumberTooLarge)),
            (json!(u64::MAX), Err(NumberTooLarge)),
        ] {
            let expected = expected.map(|number| format!("[{number}]"));
            assert_eq!(canonical(&json!([number])), expected);
        }
    }

    proptest! {
        #[test]
        fn it_is_what_another_implementation_writes(value in any_json()) {
            let other = serde_json_canonicalizer::to_string(&value).ok();
            prop_assert_eq!(canonical(&value).ok(), other);
        }
    }
}
