//! Encoding SMART Health Cards: the framework's "Health Cards are compact" and "Encoding QRs",
//! and the data minimization profiles of the Vaccination & Testing implementation guide.

use std::io::Write as _;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use flate2::{Compression, write::DeflateEncoder};
use serde_json::{Value, json};

use super::{DIGITS_OFFSET, MAXIMUM_JWS, PREFIX};
use crate::codes::CodeContext;
use crate::codes::validity::{Validity, day, span};
use crate::core_data_set::{Coding, CoreDataSet, Event, Test, Vaccination};
use crate::signing::Algorithm;
use crate::terminology;

/// Characters of an ES256 signature in base64url.
const SIGNATURE: usize = 86;

/// What is left out, least important first, of a card that would be too long otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// Nothing.
    Full,
    /// Who vaccinated or tested, which is there for people only.
    WithoutPerformer,
    /// The additional types too, whose use is deprecated.
    WithoutTypes,
}

/// Makes the JWS signing input (RFC 7515 section 5.1).
pub(in crate::codes) fn prepare(context: &CodeContext<'_>) -> Result<Vec<u8>, String> {
    if context.signer.algorithm != Algorithm::Es256 {
        return Err(
            "SMART Health Cards are signed with ES256 (P-256) only, and the document signing certificate has another key"
                .into(),
        );
    }
    let issuer = issuer(context)?;
    let validity = Validity::of(context)?;
    let header = json!({
        "zip": "DEF",
        "alg": "ES256",
        "kid": context.signer.certificate.jwk_thumbprint(),
    });
    let header = BASE64_URL_SAFE_NO_PAD.encode(header.to_string());
    for detail in [Detail::Full, Detail::WithoutPerformer, Detail::WithoutTypes] {
        let payload = json!({
            "iss": issuer,
            "nbf": validity.starts.timestamp(),
            "exp": validity.expires.timestamp(),
            "vc": {
                "type": types(&context.core_data_set.event, detail),
                "credentialSubject": {
                    "fhirVersion": "4.0.1",
                    "fhirBundle": bundle(context.core_data_set, detail)?,
                },
            },
        });
        let deflated = deflate(&payload)?;
        let mut input = header.clone();
        input.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(deflated, &mut input);
        if input.len() + 1 + SIGNATURE <= MAXIMUM_JWS {
            return Ok(input.into_bytes());
        }
    }
    Err(format!(
        "the certificate's texts (name, lot) are too long for the {MAXIMUM_JWS} characters of a SMART Health Card, and splitting one is deprecated"
    ))
}

/// `shc:/` and two digits for each character of the JWS.
pub(in crate::codes) fn finish(signing_input: Vec<u8>, signature: &[u8]) -> Result<String, String> {
    let mut jws = signing_input;
    jws.push(b'.');
    jws.extend_from_slice(BASE64_URL_SAFE_NO_PAD.encode(signature).as_bytes());
    let mut text = String::with_capacity(PREFIX.len() + 2 * jws.len());
    text.push_str(PREFIX);
    for byte in jws {
        // The characters of a compact JWS are '-' (45) to 'z' (122): 00 to 77.
        let number = byte.saturating_sub(DIGITS_OFFSET);
        text.push(char::from(b'0' + number / 10));
        text.push(char::from(b'0' + number % 10));
    }
    Ok(text)
}

/// `iss` is https and has no slash at its end.
fn issuer<'a>(context: &CodeContext<'a>) -> Result<&'a str, String> {
    let issuer = context
        .issuer
        .smart_health_card_issuer
        .trim_end_matches('/');
    if issuer.len() > "https://".len() && issuer.starts_with("https://") {
        Ok(issuer)
    } else {
        Err(
            "the SMART Health Card issuer (configuration) is not an https URL; verifiers fetch the keys below it"
                .into(),
        )
    }
}

fn types(event: &Event, detail: Detail) -> Vec<&'static str> {
    let mut types = vec!["https://smarthealth.cards#health-card"];
    if detail < Detail::WithoutTypes {
        types.push(match event {
            Event::Vaccination(_) => "https://smarthealth.cards#immunization",
            Event::Test(_) => "https://smarthealth.cards#laboratory",
        });
        types.push("https://smarthealth.cards#covid19");
    }
    types
}

fn deflate(payload: &Value) -> Result<Vec<u8>, String> {
    let mut deflated = DeflateEncoder::new(Vec::with_capacity(512), Compression::best());
    deflated
        .write_all(payload.to_string().as_bytes())
        .and_then(|()| deflated.finish())
        .map_err(|_| "the payload cannot be compressed".into())
}

fn bundle(set: &CoreDataSet, detail: Detail) -> Result<Value, String> {
    let event = match &set.event {
        Event::Vaccination(vaccination) => immunization(vaccination, detail)?,
        Event::Test(test) => observation(test, detail)?,
    };
    Ok(json!({
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "resource:0", "resource": patient(set)?},
            {"fullUrl": "resource:1", "resource": event},
        ],
    }))
}

/// The name is `text`: profile `shc-patient-general-dm` wants `family` and `given`, or else `text`
/// alone where "it is not clear how to split the parts of a person's name" (vc-name-invariant),
/// and the core data set has the name in one piece.
fn patient(set: &CoreDataSet) -> Result<Value, String> {
    let mut patient = json!({
        "resourceType": "Patient",
        "name": [{"text": set.name.trim()}],
    });
    if let Some(date) = &set.birth_date {
        if date.contains('T') || span(date).is_none() {
            return Err("birthDate is not a FHIR date".into());
        }
        patient["birthDate"] = json!(date);
    }
    Ok(patient)
}

/// Profile `shc-vaccination-dm`, which has no manufacturer and no dose number.
fn immunization(vaccination: &Vaccination, detail: Detail) -> Result<Value, String> {
    let mut immunization = json!({
        "resourceType": "Immunization",
        "status": "completed",
        "vaccineCode": {"coding": [vaccine_code(vaccination)?]},
        "patient": {"reference": "resource:0"},
        "occurrenceDateTime": day(&vaccination.date)
            .ok_or("vaccination.date does not name a day")?,
        "lotNumber": vaccination.lot,
    });
    if let (Some(centre), Detail::Full) = (&vaccination.centre, detail) {
        immunization["performer"] = json!([{"actor": {"display": centre}}]);
    }
    Ok(immunization)
}

/// CVX where it has exactly this brand, else ICD-11 of the brand or, failing that, the vaccine.
fn vaccine_code(vaccination: &Vaccination) -> Result<Value, String> {
    if let Some(cvx) = terminology::exact_cvx(&vaccination.brand) {
        return Ok(json!({"system": terminology::CVX, "code": cvx}));
    }
    [&vaccination.brand, &vaccination.vaccine]
        .into_iter()
        .find_map(permitted_vaccine_code)
        .ok_or_else(|| {
            "neither vaccination.brand nor vaccination.vaccine is a code of ICD-11, CVX or SNOMED CT"
                .into()
        })
}

/// The guide has vaccine codes of three systems, and ICD-11 under the name of its release.
fn permitted_vaccine_code(coding: &Coding) -> Option<Value> {
    let code = coding.code.as_deref()?;
    let system = match coding.system.as_deref()? {
        terminology::ICD11 | terminology::ICD11_RELEASE => terminology::ICD11_RELEASE,
        terminology::CVX => terminology::CVX,
        terminology::SNOMED => terminology::SNOMED,
        _ => return None,
    };
    Some(json!({"system": system, "code": code}))
}

/// Profile `shc-covid19-laboratory-result-observation-dm`.
fn observation(test: &Test, detail: Detail) -> Result<Value, String> {
    if !terminology::is_covid_19(&test.pathogen) {
        return Err(
            "test.pathogen is not SARS-CoV-2, which the tests of these cards are for".into(),
        );
    }
    let result = test
        .result
        .as_ref()
        .ok_or("test.result is absent, and a card must state it")?;
    let mut observation = json!({
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": terminology::LOINC, "code": loinc(test)?}]},
        "subject": {"reference": "resource:0"},
        "effectiveDateTime": day(&test.date).ok_or("test.date does not name a day")?,
        "valueCodeableConcept": {"coding": [{
            "system": terminology::SNOMED,
            "code": terminology::snomed_result(result)
                .ok_or("test.result has no equivalent in SNOMED CT")?,
        }]},
    });
    let centre = test
        .centre
        .as_ref()
        .and_then(|centre| centre.display.as_deref().or(centre.code.as_deref()));
    if let (Some(centre), Detail::Full) = (centre, detail) {
        observation["performer"] = json!([{"display": centre}]);
    }
    Ok(observation)
}

/// LOINC code of the type of test, on the specimen that was taken: respiratory where
/// `test.origin` says so, else the code for any specimen; an antigen test has only the former.
fn loinc(test: &Test) -> Result<&'static str, String> {
    let kind =
        terminology::test_type(&test.test_type).ok_or("test.type has no equivalent in LOINC")?;
    let origin = test.origin.as_ref().map(terminology::icd11_code);
    let respiratory = matches!(origin, Some(Some("JAM.AH.XF" | "KAR.AH.XF" | "JAE.AH.XF")));
    match (respiratory, origin, kind.loinc_any_specimen) {
        (true, ..) => Ok(kind.loinc_respiratory),
        (false, _, Some(any)) => Ok(any),
        // Rapid antigen tests are made on swabs from the airways unless something else is said.
        (false, None, None) => Ok(kind.loinc_respiratory),
        (false, Some(_), None) => {
            Err("test.type has no equivalent in LOINC for a specimen from test.origin".into())
        }
    }
}
