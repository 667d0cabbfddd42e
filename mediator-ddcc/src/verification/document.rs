//! A signed DDCC document.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::{Decoded, Summary, Times, TrustedKeys};
use crate::codes::{DecodeError, KeyUsage, Layer};
use crate::document::signature::{OpenSignature, SignatureError};
use crate::fhir_date;
use crate::strict_json;

/// Whether a text is a FHIR Bundle rather than a code.
pub(super) fn is_document(text: &str) -> bool {
    #[derive(serde::Deserialize)]
    struct Resource<'a> {
        #[serde(rename = "resourceType", borrow)]
        resource_type: Option<std::borrow::Cow<'a, str>>,
    }
    serde_json::from_str::<Resource<'_>>(text)
        .is_ok_and(|resource| resource.resource_type.as_deref() == Some("Bundle"))
}

pub(super) fn decode<'a>(text: &str, keys: &'a TrustedKeys) -> Result<Decoded<'a>, DecodeError> {
    let document = strict_json::parse(text.as_bytes())
        .map_err(|_| DecodeError::new(Layer::Json, "it is not JSON without duplicate names"))?;
    let open = OpenSignature::of(&document)
        .map_err(|error| DecodeError::new(Layer::Jws, reason(&error)))?;
    let with_key_id = STANDARD
        .decode(&open.kid)
        .map_or(&[][..], |key_id| keys.with_key_id(&key_id));
    let candidates = with_key_id
        .iter()
        .position(|certificate| open.names(certificate))
        .and_then(|place| with_key_id.get(place..=place))
        .unwrap_or_default();
    let composition = document
        .pointer("/entry/0/resource")
        .unwrap_or(&Value::Null);
    let category = composition
        .pointer("/category/0/coding/0/code")
        .and_then(Value::as_str);
    let key_usage = match category {
        Some("ddcc-vs") => Some(KeyUsage::Vaccination),
        Some("ddcc-tr") => Some(KeyUsage::Test),
        _ => None,
    };
    let period = |name: &str| {
        let text = composition.pointer(&format!("/event/0/period/{name}"))?;
        fhir_date::instants(text.as_str()?)
    };
    let times = Times {
        issued_at: Some(open.signed_at),
        not_before: period("start").map(|(first, _)| first),
        expires: period("end").map(|(_, last)| last),
        missing: None,
    };
    Ok(Decoded {
        candidates,
        no_candidate: "the key that the document names is not trusted",
        algorithm: Some(open.algorithm),
        key_usages: key_usage.into_iter().collect(),
        schema: schema(&document, composition, key_usage),
        summary: summary(&document, key_usage, &times),
        times,
        to_be_signed: open.to_be_signed,
        signature: open.signature,
        payload: document,
    })
}

/// What every reader of a document relies on (FHIR R4 3.3.1): a Composition first, and what it is
/// about in the Bundle.
fn schema(
    document: &Value,
    composition: &Value,
    key_usage: Option<KeyUsage>,
) -> Result<(), String> {
    if composition["resourceType"] != "Composition" {
        return Err("Bundle.entry[0] is not a Composition".into());
    }
    if key_usage.is_none() {
        return Err("Composition.category is neither ddcc-vs nor ddcc-tr".into());
    }
    let is_there = |reference: &Value| {
        let entries = document["entry"].as_array().into_iter().flatten();
        reference.is_string() && entries.clone().any(|entry| entry["fullUrl"] == *reference)
    };
    let sections = composition["section"].as_array().into_iter().flatten();
    let referenced = sections
        .flat_map(|section| section["entry"].as_array().into_iter().flatten())
        .map(|entry| &entry["reference"]);
    if !is_there(&composition["subject"]["reference"]) || !referenced.clone().all(is_there) {
        return Err("Composition refers to a resource that is not in the document".into());
    }
    if referenced.count() == 0 {
        return Err("Composition.section has no entry".into());
    }
    Ok(())
}

fn summary(document: &Value, key_usage: Option<KeyUsage>, times: &Times) -> Summary {
    let resource = |resource_type: &str| {
        let mut entries = document["entry"].as_array()?.iter();
        entries
            .find(|entry| entry["resource"]["resourceType"] == resource_type)
            .map(|entry| &entry["resource"])
    };
    let text = |resource: Option<&Value>, pointer: &str| {
        Some(resource?.pointer(pointer)?.as_str()?.to_owned())
    };
    let (patient, organization) = (resource("Patient"), resource("Organization"));
    let (event, date) = match key_usage {
        Some(KeyUsage::Test) => ("test", text(resource("Observation"), "/effectiveDateTime")),
        _ => (
            "vaccination",
            text(resource("Immunization"), "/occurrenceDateTime"),
        ),
    };
    Summary {
        issuer: text(organization, "/name"),
        holder: text(patient, "/name/0/text"),
        birth_date: text(patient, "/birthDate"),
        event: date.map(|date| format!("{event} on {date}")),
        valid_from: times.not_before.max(times.issued_at),
        valid_until: times.expires,
    }
}

fn reason(error: &SignatureError) -> &'static str {
    match error {
        SignatureError::NotADocument => "it is no Bundle of type document",
        SignatureError::Missing => "the document has no signature",
        SignatureError::Unreadable(reason) => reason,
        SignatureError::Algorithm => "the signature's algorithm is neither ES256 nor PS256",
        SignatureError::NumberTooLarge => {
            "it has a whole number beyond 2^53, which no signature protects"
        }
        SignatureError::Contradiction(_)
        | SignatureError::UnknownKey { .. }
        | SignatureError::Invalid
        | SignatureError::OutsideValidity => "Bundle.signature contradicts what is signed",
    }
}
