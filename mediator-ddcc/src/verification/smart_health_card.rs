//! SMART Health Cards of vaccinations and test results.

use serde_json::Value;

use super::{Decoded, Summary, Times, TrustedKeys};
use crate::codes::smart_health_card::decode::{SmartHealthCard, decode as decode_text};
use crate::codes::{DecodeError, KeyUsage};
use crate::fhir_date;
use crate::terminology;

const HEALTH_CARD: &str = "https://smarthealth.cards#health-card";
const BUNDLE: &str = "/vc/credentialSubject/fhirBundle";

pub(super) fn decode<'a>(text: &str, keys: &'a TrustedKeys) -> Result<Decoded<'a>, DecodeError> {
    let card = decode_text(text)?;
    let resources = resources(&card.payload);
    let of_type = |kind: &str| {
        resources
            .iter()
            .copied()
            .filter(|resource| resource["resourceType"] == kind)
            .collect::<Vec<_>>()
    };
    let (vaccinations, tests) = (of_type("Immunization"), of_type("Observation"));
    Ok(Decoded {
        candidates: keys.with_thumbprint(&card.key_id),
        no_candidate: "the key that the code names (kid) is not trusted",
        algorithm: card.algorithm,
        key_usages: [
            (KeyUsage::Vaccination, &vaccinations),
            (KeyUsage::Test, &tests),
        ]
        .into_iter()
        .filter_map(|(usage, resources)| (!resources.is_empty()).then_some(usage))
        .collect(),
        times: Times {
            not_before: Some(card.not_before),
            expires: card.expires,
            ..Times::default()
        },
        schema: schema(&card.payload, &resources),
        summary: summary(&card, &of_type("Patient"), &vaccinations, &tests),
        to_be_signed: card.to_be_signed,
        signature: card.signature,
        payload: card.payload,
    })
}

fn resources(payload: &Value) -> Vec<&Value> {
    payload
        .pointer(BUNDLE)
        .and_then(|bundle| bundle["entry"].as_array())
        .into_iter()
        .flatten()
        .map(|entry| &entry["resource"])
        .collect()
}

/// What the framework asks of the payload ("Health Cards are minified"): types, a bundle of kind
/// `collection`, short `resource:N` URLs, and one patient whom everything is about.
fn schema(payload: &Value, resources: &[&Value]) -> Result<(), String> {
    let types = payload.pointer("/vc/type").and_then(Value::as_array);
    if !types.is_some_and(|types| types.iter().any(|kind| kind == HEALTH_CARD)) {
        return Err("vc.type does not name #health-card".into());
    }
    let version = payload.pointer("/vc/credentialSubject/fhirVersion");
    if !version
        .and_then(Value::as_str)
        .is_some_and(|version| version.starts_with("4."))
    {
        return Err("fhirVersion is not one of FHIR R4".into());
    }
    let bundle = payload.pointer(BUNDLE).unwrap_or(&Value::Null);
    if bundle["resourceType"] != "Bundle" || bundle["type"] != "collection" {
        return Err("fhirBundle is not a Bundle of type collection".into());
    }
    let has_short_urls = bundle["entry"].as_array().is_some_and(|entries| {
        entries
            .iter()
            .enumerate()
            .all(|(index, entry)| entry["fullUrl"] == format!("resource:{index}"))
    });
    if !has_short_urls {
        return Err("the entries' fullUrl are not resource:0 and so on".into());
    }
    let patients = resources
        .iter()
        .filter(|resource| resource["resourceType"] == "Patient")
        .count();
    if patients != 1 {
        return Err("there is not exactly one Patient".into());
    }
    for resource in resources {
        let (kind, date) = match resource["resourceType"].as_str() {
            Some("Immunization") => ("Immunization", "occurrenceDateTime"),
            Some("Observation") => ("Observation", "effectiveDateTime"),
            Some(_) => continue,
            None => return Err("an entry has no resource".into()),
        };
        let has_date = resource[date]
            .as_str()
            .is_some_and(|date| fhir_date::instants(date).is_some());
        let (code, subject) = if kind == "Immunization" {
            ("vaccineCode", "patient")
        } else {
            ("code", "subject")
        };
        let is_complete =
            has_date && resource[code].is_object() && resource[subject]["reference"].is_string();
        if !is_complete {
            return Err(format!(
                "{kind} does not state {code}, {subject} and {date}"
            ));
        }
    }
    Ok(())
}

fn summary(
    card: &SmartHealthCard,
    patients: &[&Value],
    vaccinations: &[&Value],
    tests: &[&Value],
) -> Summary {
    let patient = patients.first().copied().unwrap_or(&Value::Null);
    let mut events: Vec<String> = vaccinations
        .iter()
        .map(|vaccination| {
            format!(
                "vaccination, {} on {}",
                label(&vaccination["vaccineCode"]),
                vaccination["occurrenceDateTime"].as_str().unwrap_or("?")
            )
        })
        .collect();
    events.extend(tests.iter().map(|test| {
        let result = &test["valueCodeableConcept"]["coding"][0]["code"];
        format!(
            "test, {}, sample of {}",
            super::result(result.as_str()),
            test["effectiveDateTime"].as_str().unwrap_or("?")
        )
    }));
    Summary {
        issuer: Some(card.issuer.clone()),
        holder: name(&patient["name"][0]),
        birth_date: patient["birthDate"].as_str().map(str::to_owned),
        event: (!events.is_empty()).then(|| events.join("; ")),
        valid_from: Some(card.not_before),
        valid_until: card.expires,
    }
}

fn name(name: &Value) -> Option<String> {
    if let Some(text) = name["text"].as_str() {
        return Some(text.to_owned());
    }
    let given = name["given"].as_array().into_iter().flatten();
    let parts: Vec<&str> = given
        .chain([&name["family"]])
        .filter_map(Value::as_str)
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn label(concept: &Value) -> String {
    let coding = &concept["coding"][0];
    let code = coding["code"].as_str().unwrap_or("?");
    let display = coding["system"]
        .as_str()
        .and_then(|system| terminology::display(system, code));
    display.unwrap_or(code).to_owned()
}
