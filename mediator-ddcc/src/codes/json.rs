//! JSON as it is signed: without anything that could be left out.

/// Whether there is no white space between the tokens of this JSON.
pub(super) fn is_minified(json: &[u8]) -> bool {
    let mut in_string = false;
    let mut is_escaped = false;
    json.iter().all(|byte| {
        if in_string {
            in_string = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            true
        } else {
            in_string = *byte == b'"';
            !byte.is_ascii_whitespace()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_counts_outside_of_strings_only() {
        for minified in [r#"{"a b":[1,"\" \\"],"c":" "}"#, "1", r#""\\""#] {
            assert!(is_minified(minified.as_bytes()), "{minified}");
        }
        for not in [r#"{"a": 1}"#, " 1", "1\n", r#"["\\" ,1]"#] {
            assert!(!is_minified(not.as_bytes()), "{not}");
        }
    }
}
