//! Decoding SMART Health Cards.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{DIGITS_OFFSET, PREFIX};
use crate::codes::inflate::inflate;
use crate::codes::json::is_minified;
use crate::codes::layer::{DecodeError, Layer};
use crate::signing::Algorithm;
use crate::strict_json;

/// Digits of the longest text that is read; the largest QR code holds 7089.
const MAXIMUM_DIGITS: usize = 8192;

/// A decoded SMART Health Card, its signature not yet verified.
#[derive(Clone, PartialEq)]
pub struct SmartHealthCard {
    /// `kid`: the JWK thumbprint of the key.
    pub key_id: String,
    /// `alg`; `None` for another one than ES256.
    pub algorithm: Option<Algorithm>,
    /// What the signature is over: the JWS signing input.
    pub to_be_signed: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// `iss`: an https URL.
    pub issuer: String,
    /// `nbf`.
    pub not_before: DateTime<Utc>,
    /// `exp`.
    pub expires: Option<DateTime<Utc>>,
    /// All claims, with `vc` among them.
    pub payload: Value,
}

// The payload is about a person.
impl std::fmt::Debug for SmartHealthCard {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("SmartHealthCard")
            .field("issuer", &self.issuer)
            .finish_non_exhaustive()
    }
}

/// Decodes the text of a SMART Health Card that is in one QR code.
///
/// # Errors
/// [`DecodeError`] names the layer. A card that is split over several codes (deprecated) is
/// refused as such; [`join`] puts its parts together.
pub fn decode(text: &str) -> Result<SmartHealthCard, DecodeError> {
    let digits = text
        .strip_prefix(PREFIX)
        .ok_or_else(|| DecodeError::new(Layer::Prefix, "the text does not begin with shc:/"))?;
    if digits.contains('/') {
        return Err(DecodeError::new(
            Layer::Prefix,
            "this is one part of a card that is split over several QR codes; give all of them",
        ));
    }
    let jws = numeric(digits).map_err(|reason| DecodeError::new(Layer::Numeric, reason))?;
    let refused = |reason| DecodeError::new(Layer::Jws, reason);
    let parts: Vec<&str> = jws.split('.').collect();
    let &[header, payload, signature] = parts.as_slice() else {
        return Err(refused("a compact JWS has three parts"));
    };
    let [header, deflated, signature] = [header, payload, signature]
        .map(|part| BASE64_URL_SAFE_NO_PAD.decode(part))
        .map(Result::ok);
    let (Some(header), Some(deflated), Some(signature)) = (header, deflated, signature) else {
        return Err(refused("a part of the JWS is not base64url"));
    };
    let header = strict_json::parse(&header).map_err(|_| refused("the header is not JSON"))?;
    if header["zip"] != "DEF" {
        return Err(refused("the header does not state zip DEF"));
    }
    let key_id = header["kid"]
        .as_str()
        .ok_or_else(|| refused("the header does not name the key (kid)"))?;
    if header.get("crit").is_some() {
        return Err(refused("a header that must be understood is not known"));
    }
    let inflated =
        inflate(&deflated, false).map_err(|reason| DecodeError::new(Layer::Deflate, reason))?;
    let to_be_signed = jws.rsplit_once('.').map_or("", |(input, _)| input);
    let refused = |reason| DecodeError::new(Layer::Claims, reason);
    if !is_minified(&inflated) {
        return Err(refused("the claims are not minified JSON"));
    }
    let payload = strict_json::parse(&inflated).map_err(|_| refused("the claims are not JSON"))?;
    Ok(SmartHealthCard {
        key_id: key_id.to_owned(),
        algorithm: (header["alg"] == "ES256").then_some(Algorithm::Es256),
        to_be_signed: to_be_signed.as_bytes().to_vec(),
        signature,
        issuer: issuer(&payload["iss"])
            .ok_or_else(|| refused("iss is not an https URL without / at its end"))?
            .to_owned(),
        not_before: time(&payload["nbf"]).ok_or_else(|| refused("nbf is not a time"))?,
        expires: match payload.get("exp") {
            None => None,
            Some(end) => Some(time(end).ok_or_else(|| refused("exp is not a time"))?),
        },
        payload,
    })
}

/// Puts the parts `shc:/1/2/...`, `shc:/2/2/...` of a split card together, in whatever order they
/// are; texts that are no parts are passed over.
///
/// `None` when there are no parts, or not exactly those of one card.
#[must_use]
pub fn join<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let mut parts: Vec<(usize, usize, &str)> = texts.into_iter().filter_map(part).collect();
    parts.sort_unstable();
    parts.dedup();
    let number = parts.len();
    let complete = number > 0
        && parts
            .iter()
            .zip(1..)
            .all(|((index, total, _), expected)| *index == expected && *total == number);
    complete.then(|| {
        let digits = parts.into_iter().map(|(_, _, digits)| digits);
        std::iter::once(PREFIX).chain(digits).collect()
    })
}

/// `shc:/index/total/digits`.
fn part(text: &str) -> Option<(usize, usize, &str)> {
    let mut parts = text.strip_prefix(PREFIX)?.splitn(3, '/');
    let index = parts.next()?.parse().ok()?;
    let total = parts.next()?.parse().ok()?;
    Some((index, total, parts.next()?))
}

/// Two digits for each character of the JWS.
fn numeric(digits: &str) -> Result<String, &'static str> {
    if digits.len() > MAXIMUM_DIGITS {
        return Err("there are more digits than a QR code holds");
    }
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("there is something else than digits after shc:/");
    }
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("there is a digit too few or too many");
    }
    pairs
        .iter()
        .map(|[tens, ones]| {
            let number = (tens - b'0') * 10 + (ones - b'0');
            let character = char::from(number + DIGITS_OFFSET);
            (character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
                .then_some(character)
        })
        .collect::<Option<_>>()
        .ok_or("two digits stand for no character of a JWS")
}

fn issuer(value: &Value) -> Option<&str> {
    let issuer = value.as_str()?;
    let host = issuer.strip_prefix("https://")?;
    let is_plain = !host.is_empty()
        && !host.ends_with('/')
        && !host.starts_with('/')
        && host.bytes().all(|byte| byte.is_ascii_graphic());
    is_plain.then_some(issuer)
}

/// `NumericDate`: seconds since 1970, which may have a fraction.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = value.as_i64().or_else(|| {
        // Saturates; what is out of range is refused below.
        value.as_f64().map(|seconds| seconds.floor() as i64)
    })?;
    DateTime::from_timestamp(seconds, 0)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::{Compression, write::DeflateEncoder};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{ES256, Issue, test_result, time as at, vaccination};

    fn card(header: &Value, payload: &str) -> String {
        let mut deflated = DeflateEncoder::new(Vec::new(), Compression::best());
        deflated.write_all(payload.as_bytes()).unwrap();
        let jws = [
            header.to_string().into_bytes(),
            deflated.finish().unwrap(),
            vec![7; 64],
        ]
        .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part))
        .join(".");
        super::super::encode::digits(jws.as_bytes())
    }

    fn header() -> Value {
        json!({"zip": "DEF", "alg": "ES256", "kid": "k"})
    }

    fn payload() -> Value {
        json!({"iss": "https://example.org", "nbf": 1.5, "vc": {}})
    }

    fn error(text: &str) -> DecodeError {
        decode(text).unwrap_err()
    }

    #[test]
    fn what_is_issued_is_decoded() {
        for set in [vaccination(), test_result()] {
            let text = Issue::new(set).text(CodeForm::Shc);
            let card = decode(&text).unwrap();
            let certificate = &ES256.identity.certificate;
            assert_eq!(card.key_id, certificate.jwk_thumbprint());
            assert_eq!(card.algorithm, Some(Algorithm::Es256));
            assert!(certificate.verify(Algorithm::Es256, &card.to_be_signed, &card.signature));
            assert_eq!(card.issuer, "https://health.example.org/ddcc/shc_issuer");
            assert_eq!(card.not_before, at("2021-04-06T10:00:00Z"));
            assert!(card.expires.is_some());
            assert!(!format!("{card:?}").contains("19"));
        }
    }

    #[test]
    fn times_may_have_fractions_and_headers_other_algorithms() {
        let mut other = header();
        other["alg"] = json!("RS256");
        let card = decode(&card(&other, &payload().to_string())).unwrap();
        assert_eq!(card.not_before, at("1970-01-01T00:00:01Z"));
        assert_eq!(card.algorithm, None);
        assert_eq!(card.expires, None);
    }

    #[test]
    fn each_layer_tells_what_is_wrong_with_it() {
        let text = |change: fn(&mut Value, &mut Value)| {
            let (mut header, mut payload) = (header(), payload());
            change(&mut header, &mut payload);
            card(&header, &payload.to_string())
        };
        let whole = text(|_, _| {});
        for (layer, broken) in [
            (Layer::Prefix, "SHC:/00".to_owned()),
            (Layer::Prefix, "shc:/1/2/0000".to_owned()),
            (Layer::Numeric, "shc:/".to_owned()),
            (Layer::Numeric, format!("{whole}0")),
            (Layer::Numeric, format!("{whole}a0")),
            // '/' and '{' are not of base64url
            (Layer::Numeric, format!("{whole}02")),
            (Layer::Numeric, format!("{whole}78")),
            (Layer::Numeric, format!("{whole}{}", "00".repeat(4096))),
            // another part; a cut one
            (Layer::Jws, format!("{whole}0100")),
            (Layer::Jws, whole[..whole.len() - 20 * 2].to_owned() + "00"),
            (Layer::Jws, text(|header, _| header["zip"] = json!("GZ"))),
            (Layer::Jws, text(|header, _| header["kid"] = json!(1))),
            (
                Layer::Jws,
                text(|header, _| header["crit"] = json!(["b64"])),
            ),
            (
                Layer::Claims,
                text(|_, claims| claims["iss"] = json!("http://a")),
            ),
            (
                Layer::Claims,
                text(|_, claims| claims["iss"] = json!("https://a/")),
            ),
            (Layer::Claims, text(|_, claims| claims["nbf"] = json!("1"))),
            (Layer::Claims, text(|_, claims| claims["exp"] = json!(null))),
            (Layer::Claims, card(&header(), "{ }")),
            (Layer::Claims, card(&header(), "[")),
            (Layer::Deflate, card(&header(), &" ".repeat(1 << 20))),
        ] {
            assert_eq!(error(&broken).layer, layer, "{broken}");
        }
    }

    #[test]
    fn parts_are_put_together_in_any_order() {
        let parts = ["shc:/2/2/5678", "HC1:", "shc:/1/2/1234", "shc:/1/2/1234"];
        assert_eq!(join(parts).as_deref(), Some("shc:/12345678"));
        for parts in [
            &["shc:/1/2/1234"][..],
            &["shc:/1/2/1234", "shc:/1/2/5678"],
            &["shc:/1/2/1234", "shc:/2/3/5678"],
            &["shc:/0/1/1234"],
            &["shc:/1234"],
            &[],
        ] {
            assert_eq!(join(parts.iter().copied()), None);
        }
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(digits in "[0-9]{0,600}", text in "\\PC{0,100}") {
            let card = format!("shc:/{digits}");
            prop_assert!(decode(&card).is_err());
            prop_assert!(decode(&text).is_err());
        }
    }
}
