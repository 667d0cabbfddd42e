//! The `who` code's sub-claim: the DDCC core data set itself, with the logical model's element
//! names.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ciborium::Value;

use super::encode::SubClaim;
use super::{DDCC_TR, DDCC_VS};
use crate::codes::CodeContext;
use crate::core_data_set::Event;

/// Sub-claim 3 (DDCC:VS) or 4 (DDCC:TR). `certificate.kid`, where it is absent, is filled in with
/// the base 64 of the key id in the COSE header.
pub(in crate::codes) fn sub_claim(context: &CodeContext<'_>) -> Result<SubClaim, String> {
    let key = match context.core_data_set.event {
        Event::Vaccination(_) => DDCC_VS,
        Event::Test(_) => DDCC_TR,
    };
    let mut value = Value::serialized(context.core_data_set)
        .map_err(|_| "the core data set cannot be written as CBOR")?;
    if let Some(certificate) = value
        .as_map_mut()
        .and_then(|set| entry(set, "certificate"))
        .and_then(Value::as_map_mut)
        && entry(certificate, "kid").is_none()
    {
        let kid = BASE64_STANDARD.encode(context.signer.certificate.kid());
        certificate.push((Value::from("kid"), Value::from(kid)));
    }
    Ok(SubClaim { key, value })
}

fn entry<'a>(map: &'a mut [(Value, Value)], name: &str) -> Option<&'a mut Value> {
    map.iter_mut()
        .find(|(key, _)| key.as_text() == Some(name))
        .map(|(_, value)| value)
}
