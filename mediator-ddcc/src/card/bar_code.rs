//! Code 128 (ISO/IEC 15417) of the HCID.

use rxing::oned::{Code128Writer, OneDimensionalCodeWriter as _};

/// Modules from left to right, dark ones true, without the quiet zones. The encoder takes 1 to 80
/// ASCII characters; other texts have no bar code, and are printed as text only.
pub(super) fn modules(text: &str) -> Option<Vec<bool>> {
    Code128Writer.encode_oned(text).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn digits_are_packed_in_pairs() {
        // start, 5 pairs, check character, stop: 11 modules each, and 2 more of the stop
        assert_eq!(modules("0123456789").unwrap().len(), 11 * 8 + 2);
        assert_eq!(modules("ABCDEFGHIJ").unwrap().len(), 11 * 13 + 2);
    }

    #[test]
    fn begins_and_ends_with_a_bar() {
        let modules = modules("bMlJkAt0V92RYhhG3fNt").unwrap();
        assert_eq!(modules.first(), Some(&true));
        assert_eq!(modules.last(), Some(&true));
    }

    #[test]
    fn what_code_128_cannot_hold_has_none() {
        assert_eq!(modules(""), None);
        assert_eq!(modules("é"), None);
        assert!(modules(&"A".repeat(80)).is_some());
        assert_eq!(modules(&"A".repeat(81)), None);
    }
}
