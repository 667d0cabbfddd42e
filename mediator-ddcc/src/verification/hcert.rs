//! HCERT: WHO DDCC core data sets and EU Digital COVID Certificates.

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{Decoded, Summary, Times, TrustedKeys, eu_schema};
use crate::codes::hcert::decode::{Claims, decode as decode_text};
use crate::codes::hcert::{DDCC_TR, DDCC_VS, EU_DCC};
use crate::codes::{DecodeError, KeyUsage};
use crate::core_data_set::{Coding, CoreDataSet, Event, rules};
use crate::terminology;

pub(super) fn decode<'a>(
    text: &str,
    keys: &'a TrustedKeys,
    at: DateTime<Utc>,
) -> Result<Decoded<'a>, DecodeError> {
    let hcert = decode_text(text)?;
    let claims = hcert.claims;
    let times = Times {
        issued_at: claims.issued_at,
        not_before: claims.not_before,
        expires: claims.expires,
        // Both are required (HCERT section 3.3).
        missing: match (claims.expires, claims.issued_at) {
            (None, _) => Some("the code states no end of its validity (exp)"),
            (_, None) => Some("the code states no time of issue (iat)"),
            _ => None,
        },
    };
    let mut summary = Summary {
        issuer: claims.issuer.clone(),
        valid_from: claims.not_before.or(claims.issued_at),
        valid_until: claims.expires,
        ..Summary::default()
    };
    let (key_usage, schema) = match claims.kind {
        EU_DCC => eu_certificate(&claims.certificate, &mut summary),
        DDCC_VS | DDCC_TR => core_data_set(&claims, at, &mut summary),
        kind => (
            None,
            Err(format!(
                "sub-claim {kind} is of a kind of certificate that is not known here"
            )),
        ),
    };
    Ok(Decoded {
        candidates: keys.with_key_id(&hcert.key_id),
        no_candidate: if hcert.key_id.is_empty() {
            "the code does not name its key (kid)"
        } else {
            "the key that the code names (kid) is not trusted"
        },
        algorithm: hcert.algorithm,
        to_be_signed: hcert.to_be_signed,
        signature: hcert.signature,
        key_usages: key_usage.into_iter().collect(),
        schema,
        times,
        payload: claims.certificate,
        summary,
    })
}

fn eu_certificate(
    certificate: &Value,
    summary: &mut Summary,
) -> (Option<KeyUsage>, Result<(), String>) {
    let text = |pointer: &str| certificate.pointer(pointer).and_then(Value::as_str);
    let names: Vec<&str> = ["/nam/gn", "/nam/fn"]
        .into_iter()
        .filter_map(text)
        .collect();
    summary.holder = if names.is_empty() {
        text("/nam/fnt").map(str::to_owned)
    } else {
        Some(names.join(" "))
    };
    summary.birth_date = text("/dob")
        .filter(|date| !date.is_empty())
        .map(str::to_owned);
    let present = |group: &str| certificate.get(group).is_some_and(|group| !group.is_null());
    let key_usage = match (present("v"), present("t"), present("r")) {
        (true, false, false) => Some(KeyUsage::Vaccination),
        (false, true, false) => Some(KeyUsage::Test),
        (false, false, true) => Some(KeyUsage::Recovery),
        _ => None,
    };
    let number = |pointer: &str| certificate.pointer(pointer).and_then(Value::as_u64);
    let day = |pointer: &str| text(pointer).and_then(|date| date.get(..10)).unwrap_or("?");
    summary.event = key_usage.map(|usage| match usage {
        KeyUsage::Vaccination => format!(
            "vaccination, dose {} of {}, {} on {}",
            number("/v/0/dn").map_or("?".into(), |dose| dose.to_string()),
            number("/v/0/sd").map_or("?".into(), |doses| doses.to_string()),
            text("/v/0/mp").unwrap_or("unknown product"),
            day("/v/0/dt"),
        ),
        KeyUsage::Test => {
            let result = super::result(text("/t/0/tr"));
            format!("test, {result}, sample of {}", day("/t/0/sc"))
        }
        KeyUsage::Recovery => format!(
            "recovery, positive test of {}, counts from {} to {}",
            day("/r/0/fr"),
            day("/r/0/df"),
            day("/r/0/du"),
        ),
    });
    (key_usage, eu_schema::check(certificate))
}

fn core_data_set(
    claims: &Claims,
    at: DateTime<Utc>,
    summary: &mut Summary,
) -> (Option<KeyUsage>, Result<(), String>) {
    // The sub-claim itself tells what is certified, whatever else is wrong with it.
    let key_usage = if claims.kind == DDCC_VS {
        KeyUsage::Vaccination
    } else {
        KeyUsage::Test
    };
    let set: CoreDataSet = match serde_json::from_value(claims.certificate.clone()) {
        Ok(set) => set,
        // serde's message may quote a value.
        Err(_) => {
            return (
                Some(key_usage),
                Err(
                    "a required element of the core data set is missing or of the wrong type"
                        .into(),
                ),
            );
        }
    };
    summary.holder = Some(set.name.clone());
    summary.birth_date = set.birth_date.clone();
    summary.event = Some(match &set.event {
        Event::Vaccination(vaccination) => format!(
            "vaccination, dose {}{}, {} on {}",
            vaccination.dose,
            vaccination
                .total_doses
                .map_or(String::new(), |doses| format!(" of {doses}")),
            label(&vaccination.brand),
            vaccination.date,
        ),
        Event::Test(test) => format!(
            "test, {}, sample of {}",
            test.result.as_ref().map_or("no result".into(), label),
            test.date,
        ),
    });
    let schema = if KeyUsage::of(&set.event) == key_usage {
        match rules::broken_rules(&set, at).first() {
            None => Ok(()),
            Some(rule) => Err(format!("{}: {}", rule.element, rule.diagnostics)),
        }
    } else {
        Err("the sub-claim's number is not that of the event in it".into())
    };
    (Some(key_usage), schema)
}

/// What a coding means: as stated, else as its code system has it, else its code.
fn label(coding: &Coding) -> String {
    let code = coding.code.as_deref().unwrap_or("?");
    coding
        .display
        .as_deref()
        .or_else(|| terminology::display(coding.system.as_deref()?, code))
        .unwrap_or(code)
        .to_owned()
}
