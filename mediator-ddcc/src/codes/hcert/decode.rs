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
