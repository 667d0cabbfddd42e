//! Unique vaccination (or test) certificate identifiers, for people to read off and for
//! verifiers to revoke (eHealth Network, "Guidelines on verifiable vaccination certificates -
//! basic interoperability elements", annex 2).

use uuid::Uuid;

/// Characters that the check character is computed over, in this order.
const ALPHABET: &[u8; 38] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:";

/// `URN:UVCI:01:<country>:<opaque>#<check>`: version 1, option 2 (an opaque unique string, here
/// the document's UUID), with a Luhn mod N check character over everything before the `#`.
pub(super) fn uvci(country: &str, document: Uuid) -> String {
    let mut identifier = format!("URN:UVCI:01:{country}:{:X}", document.simple());
    let check = check_character(&identifier);
    identifier.push('#');
    identifier.push(check);
    identifier
}

/// Luhn mod 38. Characters outside the alphabet do not occur in what [`uvci`] builds.
fn check_character(text: &str) -> char {
    let n = ALPHABET.len();
    let sum: usize = text
        .bytes()
        .rev()
        .filter_map(|byte| ALPHABET.iter().position(|candidate| *candidate == byte))
        .zip([2, 1].into_iter().cycle())
        .map(|(code_point, factor)| {
            let addend = code_point * factor;
            addend / n + addend % n
        })
        .sum();
    ALPHABET
        .get((n - sum % n) % n)
        .copied()
        .map_or('A', char::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_characters_are_those_of_the_eu_reference_implementation() {
        for (text, expected) in [
            ("URN:UVCI:01:NL:187/37512422923", 'Z'),
            ("URN:UVCI:01:NL:MY/INPUT/STRING", 'H'),
            ("URN:UVCI:01:CH:DADFCC47C7334E45A906DB12FD859FB7", 'P'),
        ] {
            assert_eq!(check_character(text), expected);
        }
    }

    #[test]
    fn an_identifier_is_short_enough_and_names_the_country() {
        let identifier = uvci(
            "CH",
            Uuid::from_u128(0xdadf_cc47_c733_4e45_a906_db12_fd85_9fb7),
        );
        assert!(identifier.starts_with("URN:UVCI:01:CH:DADFCC47C7334E45A906DB12FD859FB7#"));
        assert!(identifier.len() <= 72);
    }
}
