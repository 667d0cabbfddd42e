//! Decoding VDS-NC.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::codes::json::is_minified;
use crate::codes::layer::{DecodeError, Layer};
use crate::signing::Algorithm;
use crate::strict_json;

/// Bytes of the longest text that is read; the largest QR code holds 2953.
const MAXIMUM: usize = 4096;

/// The technical report does not say whether there is padding.
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A decoded seal, its signature not yet verified.
#[derive(Clone, PartialEq)]
pub struct Seal {
    /// `sig.cer`: the DER certificate that travels with the seal, trusted or not.
    pub certificate: Vec<u8>,
    /// `sig.alg`; `None` for another one than ES256.
    pub algorithm: Option<Algorithm>,
    /// What the signature is over: `data` as canonical JSON (RFC 8785).
    pub to_be_signed: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// `data`.
    pub data: Value,
}

// The data is about a person.
impl std::fmt::Debug for Seal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Seal")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// Decodes the text of a seal: minified JSON of `data` and `sig` and nothing else.
///
/// # Errors
/// [`DecodeError`] names the layer.
pub fn decode(text: &str) -> Result<Seal, DecodeError> {
    let refused = |reason| DecodeError::new(Layer::Json, reason);
    if text.len() > MAXIMUM {
        return Err(refused("it is longer than a QR code can be"));
    }
    if !is_minified(text.as_bytes()) {
        return Err(refused("it is not minified JSON"));
    }
    let seal = strict_json::parse(text.as_bytes())
        .map_err(|_| refused("it is not JSON, or names a property twice"))?;
    let refused = |reason| DecodeError::new(Layer::Seal, reason);
    let Value::Object(mut seal) = seal else {
        return Err(refused("it is not an object"));
    };
    let (Some(data @ Value::Object(_)), Some(Value::Object(signature)), true) =
        (seal.remove("data"), seal.remove("sig"), seal.is_empty())
    else {
        return Err(refused("it is not an object of data and sig"));
    };
    if signature.len() != 3 {
        return Err(refused("sig is not an object of alg, cer and sigvl"));
    }
    let bytes = |name: &str| BASE64_URL.decode(signature.get(name)?.as_str()?).ok();
    Ok(Seal {
        algorithm: (signature.get("alg").and_then(Value::as_str) == Some("ES256"))
            .then_some(Algorithm::Es256),
        certificate: bytes("cer").ok_or_else(|| refused("sig.cer is not base64url"))?,
        signature: bytes("sigvl").ok_or_else(|| refused("sig.sigvl is not base64url"))?,
        to_be_signed: serde_json_canonicalizer::to_vec(&data)
            .map_err(|_| refused("data has no canonical form"))?,
        data,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{ES256, Issue, vaccination};

    #[test]
    fn what_is_issued_is_decoded() {
        let seal = decode(&Issue::new(vaccination()).text(CodeForm::Icao)).unwrap();
        let certificate = &ES256.identity.certificate;
        assert_eq!(seal.certificate, certificate.der());
        assert_eq!(seal.algorithm, Some(Algorithm::Es256));
        assert!(certificate.verify(Algorithm::Es256, &seal.to_be_signed, &seal.signature));
        assert_eq!(seal.data["hdr"]["t"], "icao.vacc");
        assert!(!format!("{seal:?}").contains("Agerius"));
    }

    #[test]
    fn the_order_of_properties_does_not_change_what_is_signed() {
        let one = r#"{"data":{"b":1,"a":[2]},"sig":{"alg":"ES256","cer":"AA==","sigvl":"AA"}}"#;
        let other = r#"{"sig":{"sigvl":"AA","cer":"AA","alg":"ES512"},"data":{"a":[2],"b":1}}"#;
        let (one, other) = (decode(one).unwrap(), decode(other).unwrap());
        assert_eq!(one.to_be_signed, br#"{"a":[2],"b":1}"#);
        assert_eq!(one.to_be_signed, other.to_be_signed);
        assert_eq!(other.algorithm, None);
    }

    #[test]
    fn each_layer_tells_what_is_wrong_with_it() {
        let sig = r#""sig":{"alg":"ES256","cer":"AA==","sigvl":"AA"}"#;
        for (layer, text) in [
            (Layer::Json, "{".to_owned()),
            (Layer::Json, format!("{{\"data\":{{}}, {sig}}}")),
            (
                Layer::Json,
                format!("{{\"data\":{{\"a\":1,\"a\":1}},{sig}}}"),
            ),
            (Layer::Json, format!("{{\"data\":{{}},{sig}}}x")),
            (Layer::Json, "[".repeat(4096)),
            (Layer::Json, "[".repeat(4097)),
            (Layer::Seal, "[]".to_owned()),
            (Layer::Seal, format!("{{{sig}}}")),
            (Layer::Seal, format!("{{\"data\":[],{sig}}}")),
            (Layer::Seal, format!("{{\"data\":{{}},\"x\":1,{sig}}}")),
            (
                Layer::Seal,
                format!("{{\"data\":{{}},{}}}", sig.replace("AA==", "AB==")),
            ),
            (
                Layer::Seal,
                format!("{{\"data\":{{}},{}}}", sig.replace("\"AA\"", "\"+A\"")),
            ),
            (
                Layer::Seal,
                format!(
                    "{{\"data\":{{}},{}}}",
                    sig.replace("\"alg\"", "\"x\":1,\"alg\"")
                ),
            ),
        ] {
            assert_eq!(decode(&text).unwrap_err().layer, layer, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(text in "\\PC{0,100}") {
            prop_assert!(decode(&text).is_err());
        }
    }
}
