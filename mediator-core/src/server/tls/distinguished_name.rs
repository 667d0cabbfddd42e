use x509_parser::der_parser::asn1_rs::{Any, ToDer as _};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

use super::client_certificate::hex;

/// A name as RFC 4514 writes it: the last part first.
pub(super) fn text(name: &X509Name<'_>) -> String {
    let mut parts: Vec<_> = name
        .iter_rdn()
        .map(|part| part.iter().map(attribute).collect::<Vec<_>>().join("+"))
        .collect();
    parts.reverse();
    parts.join(",")
}

fn attribute(attribute: &AttributeTypeAndValue<'_>) -> String {
    let identifier = attribute.attr_type().to_id_string();
    // The table of RFC 4514, section 3.
    let short = match identifier.as_str() {
        "2.5.4.3" => "CN",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.6" => "C",
        "2.5.4.9" => "STREET",
        "0.9.2342.19200300.100.1.25" => "DC",
        "0.9.2342.19200300.100.1.1" => "UID",
        _ => return format!("{identifier}=#{}", hex(&encoded(attribute.attr_value()))),
    };
    match attribute.as_str() {
        Ok(value) => format!("{short}={}", escaped(value)),
        // T.61 and the like.
        Err(_) => format!("{short}=#{}", hex(&encoded(attribute.attr_value()))),
    }
}

fn encoded(value: &Any<'_>) -> Vec<u8> {
    value.to_der_vec().unwrap_or_default()
}

/// RFC 4514, section 2.4. Control characters too, so that a name is one line in a log.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::with_capacity(value.len());
    for (position, character) in value.chars().enumerate() {
        let at_edge = match character {
            ' ' => position == 0 || position == last,
            '#' => position == 0,
            _ => false,
        };
        if at_edge || "\"+,;<>\\".contains(character) {
            escaped.push('\\');
            escaped.push(character);
        } else if character.is_control() {
            let mut utf8 = [0; 4];
            for byte in character.encode_utf8(&mut utf8).bytes() {
                escaped.push_str(&format!("\\{byte:02X}"));
            }
        } else {
            escaped.push(character);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, DnValue, KeyPair};
    use x509_parser::prelude::{FromDer as _, X509Certificate};

    use super::escaped;

    fn text(parts: impl IntoIterator<Item = (DnType, DnValue)>) -> String {
        let mut name = DistinguishedName::new();
        for (kind, value) in parts {
            name.push(kind, value);
        }
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name = name;
        let certificate = parameters
            .self_signed(&KeyPair::generate().unwrap())
            .unwrap();
        let (_, parsed) = X509Certificate::from_der(certificate.der()).unwrap();
        super::text(parsed.subject())
    }

    fn utf8(value: &str) -> DnValue {
        DnValue::Utf8String(value.to_owned())
    }

    #[test]
    fn the_last_part_comes_first() {
        let name = text([
            (DnType::CountryName, utf8("XX")),
            (DnType::OrganizationName, utf8("Ministry of Health")),
            (DnType::OrganizationalUnitName, utf8("Laboratories")),
            (DnType::CommonName, utf8("lab-17")),
        ]);
        assert_eq!(name, "CN=lab-17,OU=Laboratories,O=Ministry of Health,C=XX");
        assert_eq!(text([]), "");
    }

    // The first three are RFC 4514's own examples.
    #[test]
    fn what_means_something_is_escaped() {
        for (value, expected) in [
            (
                "James \"Jim\" Smith, III",
                r#"CN=James \"Jim\" Smith\, III"#,
            ),
            ("Before\rAfter", r"CN=Before\0DAfter"),
            ("Lučić", "CN=Lučić"),
            (" # ", r"CN=\ #\ "),
            ("#1", r"CN=\#1"),
            (" ", r"CN=\ "),
            ("a+b<c>;\\", r"CN=a\+b\<c\>\;\\"),
            ("a,O=Ministry of Health", r"CN=a\,O=Ministry of Health"),
            ("a\0b", r"CN=a\00b"),
            ("", "CN="),
        ] {
            assert_eq!(text([(DnType::CommonName, utf8(value))]), expected);
        }
    }

    // RFC 4514's own example is of an octet string, 1.3.6.1.4.1.1466.0=#04024869.
    #[test]
    fn what_has_no_name_is_written_encoded() {
        let kind = DnType::CustomDnType(vec![1, 3, 6, 1, 4, 1, 1466, 0]);
        assert_eq!(text([(kind, utf8("Hi"))]), "1.3.6.1.4.1.1466.0=#0c024869");
        let old = DnValue::TeletexString("caf".try_into().unwrap());
        let name = text([(DnType::CommonName, old)]);
        assert_eq!(name, "CN=#1403636166");
    }

    /// As RFC 4514 reads it; nothing where a separator is not escaped.
    fn unescaped(text: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = text.bytes();
        while let Some(byte) = rest.next() {
            match byte {
                b'\\' => match rest.next()? {
                    digit if digit.is_ascii_hexdigit() => {
                        let digits = [digit, rest.next()?];
                        let digits = std::str::from_utf8(&digits).ok()?;
                        bytes.push(u8::from_str_radix(digits, 16).ok()?);
                    }
                    character => bytes.push(character),
                },
                b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\0' => return None,
                byte => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).ok()
    }

    proptest! {
        #[test]
        fn any_value_is_one_line_and_can_be_read_again(value in "\\PC*|[ #\"+,;<>\\\\=\0-\x1f]*") {
            let text = escaped(&value);
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert!(!text.starts_with([' ', '#']));
            prop_assert_eq!(unescaped(&text), Some(value));
        }
    }
}
