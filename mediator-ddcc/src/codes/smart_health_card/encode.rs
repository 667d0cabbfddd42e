//! Encoding SMART Health Cards: the framework's "Health Cards are compact" and "Encoding QRs",
//! and the data minimization profiles of the Vaccination & Testing implementation guide.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde_json::{Value, json};

use super::{DIGITS_OFFSET, MAXIMUM_JWS, PREFIX};
use crate::codes::CodeContext;
use crate::codes::deflate::{Wrapping, deflate};
use crate::codes::validity::Validity;
use crate::core_data_set::{Coding, CoreDataSet, Event, Test, Vaccination};
use crate::fhir_date::{self, day};
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
    if validity.expires <= validity.starts {
        return Err(
            "a SMART Health Card whose validity is over (certificate.period.end) must say when it began (certificate.period.start)"
                .into(),
        );
    }
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
        let deflated = deflate(payload.to_string().as_bytes(), Wrapping::None)
            .ok_or("the payload cannot be compressed")?;
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
    Ok(digits(&jws))
}

pub(super) fn digits(jws: &[u8]) -> String {
    let mut text = String::with_capacity(PREFIX.len() + 2 * jws.len());
    text.push_str(PREFIX);
    for byte in jws {
        // The characters of a compact JWS are '-' (45) to 'z' (122): 00 to 77.
        let number = byte.saturating_sub(DIGITS_OFFSET);
        text.push(char::from(b'0' + number / 10));
        text.push(char::from(b'0' + number % 10));
    }
    text
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
        if fhir_date::days_of_date(date).is_none() {
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

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use proptest::prelude::*;

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::qr_code::QrCode;
    use crate::codes::testing::{
        ES256, EXAMPLES, Issue, PS256, example, test_result, time, vaccination,
    };

    /// Takes a text apart with other means than the decoder's: JWS, header and payload.
    fn decode(text: &str) -> (String, Value, Value) {
        let digits = text.strip_prefix(PREFIX).unwrap().as_bytes();
        let jws: String = digits
            .chunks(2)
            .map(|pair| char::from((pair[0] - b'0') * 10 + (pair[1] - b'0') + 45))
            .collect();
        let parts: Vec<Vec<u8>> = jws
            .split('.')
            .map(|part| BASE64_URL_SAFE_NO_PAD.decode(part).unwrap())
            .collect();
        let [header, payload, signature] = parts.as_slice() else {
            panic!("a compact JWS has three parts");
        };
        let (signing_input, _) = jws.rsplit_once('.').unwrap();
        let certificate = &ES256.identity.certificate;
        assert!(certificate.verify(Algorithm::Es256, signing_input.as_bytes(), signature));
        let mut inflated = String::new();
        flate2::read::DeflateDecoder::new(payload.as_slice())
            .read_to_string(&mut inflated)
            .unwrap();
        let payload = serde_json::from_str::<Value>(&inflated).unwrap();
        assert_eq!(payload.to_string(), inflated, "not minified");
        (jws, serde_json::from_slice(header).unwrap(), payload)
    }

    fn resources(payload: &Value) -> [Value; 2] {
        let bundle = &payload["vc"]["credentialSubject"]["fhirBundle"];
        [0, 1].map(|n| bundle["entry"][n]["resource"].clone())
    }

    #[test]
    fn a_card_of_the_past_begins_before_it_ends() {
        let mut issue = Issue::new(vaccination());
        issue.issued_at = time("2022-10-01T00:00:00Z");
        issue.issuer.issue_expired = true;
        let (_, _, payload) = decode(&issue.text(CodeForm::Shc));
        assert_eq!(payload["nbf"], time("2021-04-05T00:00:00Z").timestamp());
        assert_eq!(payload["exp"], time("2022-04-05T23:59:59Z").timestamp());
        issue.set.certificate.period = Some(crate::core_data_set::Period {
            start: None,
            end: Some("2022-04-05".into()),
        });
        assert!(
            issue
                .reason(CodeForm::Shc)
                .contains("certificate.period.start")
        );
        issue.text(CodeForm::Who);
    }

    #[test]
    fn a_vaccination_card_is_minimal() {
        let (_, header, payload) = decode(&Issue::new(vaccination()).text(CodeForm::Shc));
        let kid = ES256.identity.certificate.jwk_thumbprint();
        assert_eq!(header, json!({"zip": "DEF", "alg": "ES256", "kid": kid}));
        assert_eq!(
            payload,
            json!({
                "iss": "https://health.example.org/ddcc/shc_issuer",
                "nbf": 1_617_703_200,
                "exp": 1_649_203_199,
                "vc": {
                    "type": [
                        "https://smarthealth.cards#health-card",
                        "https://smarthealth.cards#immunization",
                        "https://smarthealth.cards#covid19",
                    ],
                    "credentialSubject": {
                        "fhirVersion": "4.0.1",
                        "fhirBundle": {
                            "resourceType": "Bundle",
                            "type": "collection",
                            "entry": [
                                {"fullUrl": "resource:0", "resource": {
                                    "resourceType": "Patient",
                                    "name": [{"text": "Aulus Agerius"}],
                                    "birthDate": "2003-03-03",
                                }},
                                {"fullUrl": "resource:1", "resource": {
                                    "resourceType": "Immunization",
                                    "status": "completed",
                                    "vaccineCode": {"coding": [{
                                        "system": "http://id.who.int/icd/release/11/mms",
                                        "code": "XM3DT5",
                                    }]},
                                    "patient": {"reference": "resource:0"},
                                    "occurrenceDateTime": "2021-04-05",
                                    "lotNumber": "ER8732",
                                    "performer": [{"actor": {"display": "Vaccination Site"}}],
                                }},
                            ],
                        },
                    },
                },
            })
        );
    }

    #[test]
    fn a_test_card_has_loinc_and_snomed_codes() {
        let (_, _, payload) = decode(&Issue::new(test_result()).text(CodeForm::Shc));
        assert_eq!(
            payload["vc"]["type"][1],
            "https://smarthealth.cards#laboratory"
        );
        assert_eq!(
            resources(&payload)[1],
            json!({
                "resourceType": "Observation",
                "status": "final",
                "code": {"coding": [{"system": "http://loinc.org", "code": "94500-6"}]},
                "subject": {"reference": "resource:0"},
                "effectiveDateTime": "2021-04-05",
                "valueCodeableConcept": {"coding": [
                    {"system": "http://snomed.info/sct", "code": "260415000"},
                ]},
                "performer": [{"display": "Central Laboratory"}],
            })
        );
    }

    #[test]
    fn the_specimen_chooses_the_loinc_code() {
        for (kind, origin, expected) in [
            ("1334426561", json!(null), Some("94309-2")),
            ("1334426561", json!("KAZ.AH.XD"), Some("94309-2")),
            ("1334426561", json!("KAR.AH.XF"), Some("94500-6")),
            ("2056159157", json!(null), Some("94558-4")),
            ("2056159157", json!("JAE.AH.XF"), Some("94558-4")),
            ("2056159157", json!("DIA.AH.XA"), None),
        ] {
            let mut set = test_result();
            set["test"]["type"]["code"] = json!(kind);
            if origin.is_null() {
                set["test"].as_object_mut().unwrap().remove("origin");
            } else {
                set["test"]["origin"]["code"] = origin;
            }
            let issue = Issue::new(set);
            match expected {
                Some(expected) => {
                    let (_, _, payload) = decode(&issue.text(CodeForm::Shc));
                    let code = &resources(&payload)[1]["code"]["coding"][0]["code"];
                    assert_eq!(code, expected);
                }
                None => assert!(issue.reason(CodeForm::Shc).contains("test.origin")),
            }
        }
    }

    #[test]
    fn vaccines_are_cvx_where_that_is_exact_and_else_as_stated() {
        let vaccine = |change: &dyn Fn(&mut Value)| {
            let mut set = vaccination();
            change(&mut set["vaccination"]);
            let (_, _, payload) = decode(&Issue::new(set).text(CodeForm::Shc));
            resources(&payload)[1]["vaccineCode"]["coding"][0].clone()
        };
        for (brand, code) in [("XM1G90", "502"), ("XM6SZ8", "509")] {
            assert_eq!(
                vaccine(&|set| set["brand"]["code"] = json!(brand)),
                json!({"system": "http://hl7.org/fhir/sid/cvx", "code": code})
            );
        }
        let cvx = json!({"system": "http://hl7.org/fhir/sid/cvx", "code": "207"});
        assert_eq!(vaccine(&|set| set["brand"] = cvx.clone()), cvx);
        assert_eq!(
            vaccine(&|set| set["brand"]["system"] = json!("http://example.org")),
            json!({"system": "http://id.who.int/icd/release/11/mms", "code": "XM0GQ8"})
        );
    }

    #[test]
    fn the_four_examples_keep_their_names_and_fit_one_code() {
        for row in EXAMPLES {
            let text = Issue::new(example(row)).text(CodeForm::Shc);
            let (jws, _, payload) = decode(&text);
            assert_eq!(resources(&payload)[0]["name"], json!([{"text": row[0]}]));
            assert_eq!(
                resources(&payload)[1]["performer"][0]["actor"]["display"],
                row[4]
            );
            assert!(jws.len() <= MAXIMUM_JWS);
            assert!(QrCode::encode(CodeForm::Shc, &text).unwrap().version() <= 22);
        }
    }

    /// Text that does not compress.
    fn noise(characters: usize) -> String {
        let mut state = 1_u64;
        (0..characters)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                char::from(b'!' + (state >> 57) as u8 % 90)
            })
            .filter(|character| !"\"\\".contains(*character))
            .collect()
    }

    #[test]
    fn what_does_not_fit_is_left_out_and_at_last_the_card() {
        let mut set = vaccination();
        let detail = |set: &Value| {
            let (_, _, payload) = decode(&Issue::new(set.clone()).text(CodeForm::Shc));
            let has_performer = resources(&payload)[1].get("performer").is_some();
            let types = payload["vc"]["type"].as_array().unwrap().len();
            (has_performer, types)
        };
        assert_eq!(detail(&set), (true, 3));
        set["vaccination"]["centre"] = json!(noise(600));
        assert_eq!(detail(&set), (false, 3));
        let fits = |length: usize, set: &Value| {
            let mut set = set.clone();
            set["name"] = json!(noise(length));
            Issue::new(set).prepare(CodeForm::Shc).is_ok()
        };
        let longest = (1..2000)
            .take_while(|length| fits(*length, &set))
            .last()
            .unwrap();
        set["name"] = json!(noise(longest));
        assert_eq!(detail(&set), (false, 1));
        set["name"] = json!(noise(longest + 40));
        assert!(Issue::new(set).reason(CodeForm::Shc).contains("1195"));
    }

    #[test]
    fn what_the_specification_does_not_allow_is_refused() {
        let mut issue = Issue::new(vaccination());
        issue.signer = &PS256;
        assert!(issue.reason(CodeForm::Shc).contains("ES256"));
        for url in ["", "https://", "http://health.example.org"] {
            let mut issue = Issue::new(vaccination());
            issue.issuer.smart_health_card_issuer = url.into();
            assert!(issue.reason(CodeForm::Shc).contains("https"));
        }
        for (element, pointer, value) in [
            ("birthDate", "/birthDate", json!("03.03.2003")),
            ("vaccination.date", "/vaccination/date", json!("2021")),
        ] {
            let mut set = vaccination();
            *set.pointer_mut(pointer).unwrap() = value;
            assert!(Issue::new(set).reason(CodeForm::Shc).contains(element));
        }
        for (element, pointer, value) in [
            ("test.result", "/test/result", json!(null)),
            ("test.result", "/test/result/code", json!("?")),
            ("test.pathogen", "/test/pathogen/code", json!("XN0")),
            ("test.type", "/test/type/code", json!("1")),
            ("test.date", "/test/date", json!("2021-04")),
        ] {
            let mut set = test_result();
            *set.pointer_mut(pointer).unwrap() = value;
            assert!(Issue::new(set).reason(CodeForm::Shc).contains(element));
        }
    }

    #[test]
    fn a_slash_at_the_end_of_the_issuer_is_taken_off() {
        let mut issue = Issue::new(vaccination());
        issue.issuer.smart_health_card_issuer.push('/');
        let (_, _, payload) = decode(&issue.text(CodeForm::Shc));
        assert_eq!(payload["iss"], "https://health.example.org/ddcc/shc_issuer");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn names_and_lots_come_back(name in "[^\\pC\\s]\\PC{0,60}", lot in "\\PC{1,20}") {
            let mut set = vaccination();
            set["name"] = json!(name);
            set["vaccination"]["lot"] = json!(lot);
            let (_, _, payload) = decode(&Issue::new(set).text(CodeForm::Shc));
            let [patient, immunization] = resources(&payload);
            prop_assert_eq!(patient["name"][0]["text"].as_str(), Some(name.trim()));
            prop_assert_eq!(immunization["lotNumber"].as_str(), Some(lot.as_str()));
        }
    }
}
