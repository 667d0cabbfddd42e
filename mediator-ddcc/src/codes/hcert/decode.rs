//! Decoding HCERT. Strict, so that no altered text passes for the one that was issued: verifiers in
//! the field accepted base 45 groups above 65535 and bytes behind the zlib stream.

use chrono::{DateTime, Utc};
use ciborium::Value;
use coset::{AsCborValue as _, CoseSign1, Header, RegisteredLabelWithPrivate, iana};
use serde_json::{Map, Number, Value as Json};

use super::{CLAIM, DDCC_TR, DDCC_VS, EU_DCC, EXP, IAT, ISS, NBF, PREFIX};
use crate::codes::inflate::inflate;
use crate::codes::layer::{DecodeError, Layer};
use crate::signing::Algorithm;

/// CBOR tags: COSE_Sign1 (RFC 9052), and a CBOR Web Token (RFC 8392) around it.
const COSE_SIGN1: u64 = 18;
const CWT: u64 = 61;
/// Levels of arrays, maps and tags that are read.
const MAXIMUM_DEPTH: usize = 16;

/// A decoded HCERT, its signature not yet verified.
#[derive(Clone, PartialEq)]
pub struct Hcert {
    /// Key id, of the protected header if that has one; empty when neither header does.
    pub key_id: Vec<u8>,
    /// Algorithm, of the protected header if that has one; `None` for another one or none.
    pub algorithm: Option<Algorithm>,
    /// What the signature is over: the COSE `Sig_structure`.
    pub to_be_signed: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
    /// The claims.
    pub claims: Claims,
}

/// The claims of the CBOR Web Token.
#[derive(Clone, PartialEq)]
pub struct Claims {
    /// `iss`: usually the ISO 3166-1 alpha-2 country of the issuer.
    pub issuer: Option<String>,
    /// `exp`.
    pub expires: Option<DateTime<Utc>>,
    /// `nbf`.
    pub not_before: Option<DateTime<Utc>>,
    /// `iat`.
    pub issued_at: Option<DateTime<Utc>>,
    /// Key of the sub-claim of [`CLAIM`]: what kind of certificate this is.
    pub kind: i64,
    /// Value of that sub-claim.
    pub certificate: Json,
}

// Both are about a person.
impl std::fmt::Debug for Hcert {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Hcert")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Claims {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Claims")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Decodes the text of an HCERT.
///
/// # Errors
/// [`DecodeError`] names the layer.
pub fn decode(text: &str) -> Result<Hcert, DecodeError> {
    let encoded = text
        .strip_prefix(PREFIX)
        .ok_or_else(|| DecodeError::new(Layer::Prefix, "the text does not begin with HC1:"))?;
    let compressed = base45(encoded)?;
    let cbor =
        inflate(&compressed, true).map_err(|reason| DecodeError::new(Layer::Zlib, reason))?;
    let signed = sign1(&cbor)?;
    let to_be_signed = signed.tbs_data(b"");
    let (protected, unprotected) = (&signed.protected.header, &signed.unprotected);
    let key_id = [protected, unprotected]
        .into_iter()
        .map(|header| header.key_id.as_slice())
        .find(|id| !id.is_empty())
        .unwrap_or_default();
    let algorithm = [protected, unprotected]
        .into_iter()
        .find_map(|header| header.alg.as_ref())
        .and_then(algorithm);
    let payload = signed.payload.as_deref().ok_or_else(|| {
        DecodeError::new(Layer::Cose, "the signed structure has no payload in it")
    })?;
    Ok(Hcert {
        key_id: key_id.to_vec(),
        algorithm,
        claims: claims(payload).map_err(|reason| DecodeError::new(Layer::Cwt, reason))?,
        to_be_signed,
        signature: signed.signature,
    })
}

/// Reverses base 45 and refuses every text but the one that encodes the bytes.
fn base45(text: &str) -> Result<Vec<u8>, DecodeError> {
    let refused = |reason| DecodeError::new(Layer::Base45, reason);
    if text.is_empty() {
        return Err(refused("there is nothing after HC1:"));
    }
    let bytes = base45::decode(text).map_err(|_| {
        refused("a character outside base 45, a group above 65535, or a group that is cut")
    })?;
    // The library takes a last group above 255.
    if base45::encode(&bytes) == text {
        Ok(bytes)
    } else {
        Err(refused("the last group is above 255"))
    }
}

/// A COSE_Sign1, under tag 18 or not, that again under tag 61 or not.
fn sign1(cbor: &[u8]) -> Result<CoseSign1, DecodeError> {
    let refused = |reason| DecodeError::new(Layer::Cose, reason);
    let mut value = read(cbor).map_err(refused)?;
    // CBOR can write the same lengths in several ways. The signature covers what is inside the byte
    // strings, so out here another way would be another text with the same signature.
    let mut shortest = Vec::with_capacity(cbor.len());
    if ciborium::into_writer(&value, &mut shortest).is_err() || shortest != cbor {
        return Err(refused(
            "the signed structure is not in CBOR's shortest form",
        ));
    }
    for tag in [CWT, COSE_SIGN1] {
        value = match value {
            Value::Tag(found, inner) if found == tag => *inner,
            other => other,
        };
    }
    let signed = CoseSign1::from_cbor_value(value)
        .map_err(|_| refused("this is not a COSE_Sign1 structure"))?;
    if [&signed.protected.header, &signed.unprotected]
        .iter()
        .any(|header: &&Header| !header.crit.is_empty())
    {
        return Err(refused("a header that must be understood is not known"));
    }
    Ok(signed)
}

fn algorithm(algorithm: &coset::Algorithm) -> Option<Algorithm> {
    match algorithm {
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::ES256) => Some(Algorithm::Es256),
        RegisteredLabelWithPrivate::Assigned(iana::Algorithm::PS256) => Some(Algorithm::Ps256),
        _ => None,
    }
}

/// Reads one CBOR item; nothing may follow it.
fn read(cbor: &[u8]) -> Result<Value, &'static str> {
    let mut rest = cbor;
    let value = ciborium::de::from_reader_with_recursion_limit(&mut rest, MAXIMUM_DEPTH)
        .map_err(|_| "this is not well-formed CBOR, or nested too deeply")?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err("there are bytes after the end of the CBOR structure")
    }
}

fn claims(payload: &[u8]) -> Result<Claims, &'static str> {
    let Value::Map(entries) = read(payload)? else {
        return Err("the payload is not a map of claims");
    };
    let mut claims = Claims {
        issuer: None,
        expires: None,
        not_before: None,
        issued_at: None,
        kind: 0,
        certificate: Json::Null,
    };
    let mut names = Vec::with_capacity(entries.len());
    for (name, value) in entries {
        if names.contains(&name) {
            return Err("a claim is stated twice");
        }
        match name.as_integer().and_then(|name| i64::try_from(name).ok()) {
            Some(ISS) => {
                let issuer = value.into_text().map_err(|_| "iss (1) is not a text")?;
                claims.issuer = Some(issuer);
            }
            Some(EXP) => claims.expires = Some(time(&value).ok_or("exp (4) is not a time")?),
            Some(NBF) => claims.not_before = Some(time(&value).ok_or("nbf (5) is not a time")?),
            Some(IAT) => claims.issued_at = Some(time(&value).ok_or("iat (6) is not a time")?),
            Some(CLAIM) => (claims.kind, claims.certificate) = certificate(value)?,
            _ => {}
        }
        names.push(name);
    }
    if names.contains(&Value::from(CLAIM)) {
        Ok(claims)
    } else {
        Err("there is no health certificate (claim -260) in it")
    }
}

/// The one sub-claim.
fn certificate(value: Value) -> Result<(i64, Json), &'static str> {
    let Value::Map(sub_claims) = value else {
        return Err("the health certificate (claim -260) is not a map of sub-claims");
    };
    let [(name, value)] = <[_; 1]>::try_from(sub_claims)
        .map_err(|_| "there is not exactly one certificate in claim -260")?;
    let kind = name
        .as_integer()
        .and_then(|name| i64::try_from(name).ok())
        .ok_or("the key of a sub-claim of claim -260 is not a number")?;
    if matches!(kind, EU_DCC | DDCC_VS | DDCC_TR) && !value.is_map() {
        return Err("the certificate is not a map");
    }
    Ok((kind, json(value)?))
}

/// `NumericDate`: seconds since 1970, an integer or a float.
fn time(value: &Value) -> Option<DateTime<Utc>> {
    let seconds = match value {
        Value::Integer(seconds) => i64::try_from(*seconds).ok()?,
        // Saturates; what is out of range is refused below.
        Value::Float(seconds) if seconds.is_finite() => seconds.floor() as i64,
        _ => return None,
    };
    DateTime::from_timestamp(seconds, 0)
}

/// The part of CBOR that JSON has.
fn json(value: Value) -> Result<Json, &'static str> {
    Ok(match value {
        Value::Null => Json::Null,
        Value::Bool(bool) => Json::Bool(bool),
        Value::Integer(number) => {
            let number = i128::from(number);
            let number = i64::try_from(number)
                .map(Number::from)
                .or_else(|_| u64::try_from(number).map(Number::from))
                .map_err(|_| "a number is out of range")?;
            Json::Number(number)
        }
        Value::Float(number) => {
            Json::Number(Number::from_f64(number).ok_or("a number is not finite")?)
        }
        Value::Text(text) => Json::String(text),
        Value::Array(items) => Json::Array(items.into_iter().map(json).collect::<Result<_, _>>()?),
        Value::Map(entries) => {
            let mut object = Map::with_capacity(entries.len());
            for (name, value) in entries {
                let Value::Text(name) = name else {
                    return Err("the name of an element is not a text");
                };
                if object.insert(name, json(value)?).is_some() {
                    return Err("an element is stated twice");
                }
            }
            Json::Object(object)
        }
        // A date may be tagged as one.
        Value::Tag(0, text) if text.is_text() => json(*text)?,
        _ => return Err("there is a byte string or a tag, which certificates do not have"),
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use coset::{CoseSign1Builder, HeaderBuilder, TaggedCborSerializable as _};
    use flate2::{Compression, write::ZlibEncoder};
    use proptest::prelude::*;

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{ES256, Issue, PS256, test_result, time as at, vaccination};

    fn text(cbor: &[u8]) -> String {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        zlib.write_all(cbor).unwrap();
        format!("{PREFIX}{}", base45::encode(zlib.finish().unwrap()))
    }

    fn bytes(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).unwrap();
        bytes
    }

    fn map(entries: Vec<(i64, Value)>) -> Value {
        let entries = entries.into_iter();
        Value::Map(entries.map(|(key, value)| (key.into(), value)).collect())
    }

    fn claims_with(certificate: Value) -> Vec<(i64, Value)> {
        vec![(CLAIM, map(vec![(EU_DCC, certificate)]))]
    }

    fn signed(payload: Vec<u8>) -> CoseSign1 {
        let protected = HeaderBuilder::new()
            .algorithm(iana::Algorithm::ES256)
            .key_id(vec![1; 8])
            .build();
        CoseSign1Builder::new()
            .protected(protected)
            .payload(payload)
            .signature(vec![7; 64])
            .build()
    }

    fn with_claims(claims: &Value) -> String {
        text(&signed(bytes(claims)).to_tagged_vec().unwrap())
    }

    fn layer(text: &str) -> Layer {
        decode(text).unwrap_err().layer
    }

    #[test]
    fn what_is_issued_is_decoded() {
        for signer in [&*ES256, &*PS256] {
            for (set, kind) in [(vaccination(), DDCC_VS), (test_result(), DDCC_TR)] {
                let mut issue = Issue::new(set.clone());
                issue.signer = signer;
                let hcert = decode(&issue.text(CodeForm::Who)).unwrap();
                let identity = &signer.identity;
                assert_eq!(hcert.key_id, identity.certificate.kid());
                assert_eq!(hcert.algorithm, Some(identity.algorithm));
                assert!(identity.certificate.verify(
                    identity.algorithm,
                    &hcert.to_be_signed,
                    &hcert.signature
                ));
                assert_eq!(hcert.claims.issuer.as_deref(), Some("CH"));
                assert_eq!(hcert.claims.issued_at, Some(at("2021-04-06T10:00:00Z")));
                assert_eq!(hcert.claims.not_before, None);
                assert!(hcert.claims.expires.is_some());
                assert_eq!(hcert.claims.kind, kind);
                assert_eq!(hcert.claims.certificate["name"], set["name"]);
                assert!(!format!("{hcert:?} {:?}", hcert.claims).contains("19"));
            }
        }
    }

    #[test]
    fn base_45_has_one_encoding() {
        for encoded in [
            "", "A", "ABCD", // cut
            "abc", "A\nB", "é  ", "(((", // outside the alphabet
            ":::", "GGW", // above 65535
            "::", "V5", // above 255
        ] {
            assert_eq!(layer(&format!("HC1:{encoded}")), Layer::Base45, "{encoded}");
        }
        // 65535 and 255 themselves
        assert_eq!(layer("HC1:FGW"), Layer::Zlib);
        assert_eq!(layer("HC1:U5"), Layer::Zlib);
        assert_eq!(base45("FGWU5").unwrap(), [255, 255, 255]);
    }

    #[test]
    fn other_prefixes_are_refused() {
        for text in ["", "hc1:6BF", "HC2:6BF", "6BF", " HC1:6BF"] {
            assert_eq!(layer(text), Layer::Prefix);
        }
    }

    #[test]
    fn a_bomb_ends_at_the_limit() {
        // Some 4 KiB of zlib text for 4 MiB of zeros.
        let bomb = text(&vec![0; 1 << 22]);
        assert!(bomb.len() > 4096 && layer(&bomb) == Layer::Zlib);
    }

    #[test]
    fn the_tags_may_be_there_or_not() {
        let payload = bytes(&map(claims_with(Value::Map(vec![]))));
        let bare = signed(payload).to_cbor_value().unwrap();
        let tag = |tag, value: &Value| Value::Tag(tag, Box::new(value.clone()));
        let tagged = tag(COSE_SIGN1, &bare);
        for accepted in [&bare, &tagged, &tag(CWT, &tagged), &tag(CWT, &bare)] {
            assert!(decode(&text(&bytes(accepted))).is_ok());
        }
        for refused in [
            tag(COSE_SIGN1, &tagged),
            tag(COSE_SIGN1, &tag(CWT, &bare)),
            tag(98, &bare),
            Value::Array(vec![]),
        ] {
            assert_eq!(layer(&text(&bytes(&refused))), Layer::Cose);
        }
    }

    #[test]
    fn the_structure_has_one_encoding() {
        let payload = bytes(&map(claims_with(Value::Map(vec![]))));
        let whole = signed(payload.clone()).to_tagged_vec().unwrap();
        assert!(decode(&text(&whole)).is_ok());
        let longer = [&whole[..], &[0]].concat();
        assert_eq!(layer(&text(&longer)), Layer::Cose);
        assert_eq!(layer(&text(&whole[..whole.len() - 1])), Layer::Cose);
        // D2 84: tag 18, array of 4
        assert_eq!(whole[..2], [0xD2, 0x84]);
        for head in [&[0xD2, 0x98, 4][..], &[0xD8, 18, 0x84]] {
            let other = [head, &whole[2..]].concat();
            assert_eq!(layer(&text(&other)), Layer::Cose);
        }
        let indefinite = [&[0xD2, 0x9F], &whole[2..], &[0xFF]].concat();
        assert_eq!(layer(&text(&indefinite)), Layer::Cose);
        let mut detached = signed(payload);
        detached.payload = None;
        assert_eq!(
            layer(&text(&detached.to_tagged_vec().unwrap())),
            Layer::Cose
        );
    }

    #[test]
    fn the_protected_header_comes_first() {
        let payload = bytes(&map(claims_with(Value::Map(vec![]))));
        let mut signed = signed(payload);
        let header = |id: u8, algorithm| {
            HeaderBuilder::new()
                .algorithm(algorithm)
                .key_id(vec![id; 8])
                .build()
        };
        signed.unprotected = header(2, iana::Algorithm::PS256);
        let decoded = |signed: &CoseSign1| {
            let hcert = decode(&text(&signed.clone().to_tagged_vec().unwrap())).unwrap();
            (hcert.key_id, hcert.algorithm)
        };
        assert_eq!(decoded(&signed), (vec![1; 8], Some(Algorithm::Es256)));
        signed.protected = coset::ProtectedHeader::default();
        assert_eq!(decoded(&signed), (vec![2; 8], Some(Algorithm::Ps256)));
        signed.unprotected = header(2, iana::Algorithm::EdDSA);
        assert_eq!(decoded(&signed), (vec![2; 8], None));
        signed.unprotected = Header::default();
        assert_eq!(decoded(&signed), (vec![], None));
        signed.unprotected.crit = vec![RegisteredLabelWithPrivate::Assigned(
            iana::HeaderParameter::Iv,
        )];
        let text = text(&signed.to_tagged_vec().unwrap());
        assert_eq!(layer(&text), Layer::Cose);
    }

    #[test]
    fn claims_that_are_none_are_refused() {
        let empty = || Value::Map(vec![]);
        let mut twice = claims_with(empty());
        twice.extend(claims_with(empty()));
        let mut times = claims_with(empty());
        times.push((EXP, Value::from(1.5)));
        let decoded = decode(&with_claims(&map(times.clone()))).unwrap();
        assert_eq!(decoded.claims.expires, Some(at("1970-01-01T00:00:01Z")));
        times.push((IAT, Value::from("yesterday")));
        let mut issuer = claims_with(empty());
        issuer.push((ISS, Value::from(1)));
        let key_twice = Value::Map(vec![
            (Value::from("a"), Value::from(1)),
            (Value::from("a"), Value::from(2)),
        ]);
        let deep = (0..20).fold(empty(), |inner, _| Value::Array(vec![inner]));
        for claims in [
            Value::from(1),
            map(vec![]),
            map(twice),
            map(times),
            map(issuer),
            map(vec![(EXP, Value::from(f64::NAN))]),
            map(vec![(EXP, Value::from(u64::MAX))]),
            map(vec![(CLAIM, empty())]),
            map(vec![(CLAIM, map(vec![(1, empty()), (3, empty())]))]),
            map(claims_with(Value::Bytes(vec![1]))),
            map(claims_with(Value::Map(vec![(Value::from(1), empty())]))),
            map(claims_with(key_twice)),
            map(claims_with(deep)),
        ] {
            assert_eq!(layer(&with_claims(&claims)), Layer::Cwt, "{claims:?}");
        }
    }

    #[test]
    fn nothing_follows_the_claims() {
        let mut payload = bytes(&map(claims_with(Value::Map(vec![]))));
        payload.push(0);
        let text = text(&signed(payload).to_tagged_vec().unwrap());
        assert_eq!(layer(&text), Layer::Cwt);
    }

    proptest! {
        #[test]
        fn any_text_gets_an_answer(text in "[0-9A-Z $%*+./:-]{0,300}", other in "\\PC{0,50}") {
            let text = format!("HC1:{text}");
            prop_assert!(decode(&text).is_err());
            prop_assert!(decode(&other).is_err());
        }

        #[test]
        fn any_bytes_in_any_layer_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let compressed = format!("{PREFIX}{}", base45::encode(&bytes));
            prop_assert!(decode(&compressed).is_err());
            prop_assert!(decode(&text(&bytes)).is_err());
            let signed = signed(bytes).to_tagged_vec().unwrap();
            prop_assert!(decode(&text(&signed)).is_err());
        }
    }
}
