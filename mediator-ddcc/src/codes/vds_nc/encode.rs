//! Encoding VDS-NC (ICAO Technical Report "VDS-NC - Visible Digital Seal for non-constrained
//! environments", proof of vaccination).

use std::fmt::Write as _;

use base64::prelude::{BASE64_URL_SAFE, Engine as _};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{VACCINATION, VERSION};
use crate::codes::transliteration::transliterate;
use crate::codes::validity::Validity;
use crate::codes::{CodeContext, Unsigned, cut};
use crate::core_data_set::{Coding, CoreDataSet, Event, Vaccination};
use crate::fhir_date::day;
use crate::signing::Algorithm;
use crate::terminology;

/// Characters of a name, `pid.n`.
const MAXIMUM_NAME: usize = 39;
/// Characters of a travel document's number, `pid.i`.
const MAXIMUM_TRAVEL_DOCUMENT: usize = 11;
/// Characters of another number of the holder, `pid.ai`.
const MAXIMUM_OTHER_NUMBER: usize = 24;
/// Characters of an ICD-11 code, `des` and `dis`.
const MAXIMUM_ICD11: usize = 6;
/// Characters of a centre, `adm`, and of a lot.
const MAXIMUM_CENTRE_OR_LOT: usize = 20;

/// A seal's certificate, which travels with it.
#[derive(Clone)]
pub(in crate::codes) struct UnsignedSeal {
    certificate: String,
}

/// Makes the canonical JSON (RFC 8785) of `data`, which is what is signed.
pub(in crate::codes) fn prepare(context: &CodeContext<'_>) -> Result<(Vec<u8>, Unsigned), String> {
    if context.signer.algorithm != Algorithm::Es256 {
        return Err(
            "ICAO seals are signed with ECDSA only, and the document signing certificate has another key"
                .into(),
        );
    }
    // A seal itself states no validity; one that could never be verified is not made.
    Validity::of(context)?;
    let set = context.core_data_set;
    let vaccination = match &set.event {
        Event::Vaccination(vaccination) => vaccination,
        Event::Test(_) => {
            return Err(
                "an ICAO proof of testing must state the holder's document type (pid.dt) and how to reach the testing centre (sp.cd), which the core data set does not have"
                    .into(),
            );
        }
    };
    let country = context.issuer.country_alpha3.as_str();
    if !is_country_code(country) {
        return Err(
            "the issuer's three-letter country (configuration) is not three capital letters such as CHE"
                .into(),
        );
    }
    let data = json!({
        "hdr": {"t": VACCINATION, "v": VERSION, "is": country},
        "msg": {
            "uvci": identifier(context.document_id),
            "pid": person(set)?,
            "ve": [event(context, vaccination)?],
        },
    });
    let canonical = serde_json_canonicalizer::to_vec(&data)
        .map_err(|_| "the seal's data cannot be written as canonical JSON")?;
    let certificate = BASE64_URL_SAFE.encode(context.signer.certificate.der());
    Ok((canonical, Unsigned::VdsNc(UnsignedSeal { certificate })))
}

impl UnsignedSeal {
    /// The whole seal, canonical too: `data`, then `sig`. Base64url has its padding, as RFC 4648
    /// asks where nothing else is said.
    pub(in crate::codes) fn finish(self, data: &[u8], signature: &[u8]) -> Result<String, String> {
        let data = std::str::from_utf8(data).map_err(|_| "the seal's data is not UTF-8")?;
        let data = in_ascii(data);
        let signature = BASE64_URL_SAFE.encode(signature);
        let certificate = self.certificate;
        Ok(format!(
            r#"{{"data":{data},"sig":{{"alg":"ES256","cer":"{certificate}","sigvl":"{signature}"}}}}"#
        ))
    }
}

/// The same JSON with every character beyond ASCII escaped. A QR code's bytes have no character
/// set that all readers agree about: some guess one and read `®` as something else. What is signed
/// is the canonical form of what is read, so this changes nothing of it.
fn in_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        if character.is_ascii() {
            ascii.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            // Writing to a String cannot fail.
            let _ = write!(ascii, "\\u{unit:04x}");
        }
    }
    ascii
}

/// `uvci`, at most 12 characters: the document's UUID modulo 36¹², in capital base 36.
fn identifier(document: Uuid) -> String {
    let mut number = document.as_u128();
    let mut characters = [b'0'; 12];
    for character in characters.iter_mut().rev() {
        // The remainder is below 36.
        let digit = (number % 36) as u8;
        *character = if digit < 10 {
            b'0' + digit
        } else {
            b'A' + digit - 10
        };
        number /= 36;
    }
    characters.into_iter().map(char::from).collect()
}

/// `pid`: the name, and a date of birth or a travel document's number.
fn person(set: &CoreDataSet) -> Result<Value, String> {
    let mut person = json!({"n": name(&set.name)?});
    if let Some(date) = set.birth_date.as_deref().and_then(day) {
        person["dob"] = json!(date);
    }
    if let Some(sex) = &set.sex {
        person["sex"] = json!(match sex.as_str() {
            "male" => "M",
            "female" => "F",
            _ => "X",
        });
    }
    if let Some(identifier) = &set.identifier {
        // FHIR names passport numbers by country; any other number is of a kind not known.
        let is_passport = identifier
            .system
            .as_deref()
            .is_some_and(|system| system.starts_with("http://hl7.org/fhir/sid/passport-"));
        let (element, maximum) = if is_passport {
            ("i", MAXIMUM_TRAVEL_DOCUMENT)
        } else {
            ("ai", MAXIMUM_OTHER_NUMBER)
        };
        // A number that is cut is another number.
        if within(&identifier.value, maximum) {
            person[element] = json!(identifier.value);
        }
    }
    if person.get("dob").is_none() && person.get("i").is_none() {
        return Err(
            "neither birthDate (a whole date) nor a passport number as identifier is present, and an ICAO seal must have one"
                .into(),
        );
    }
    Ok(person)
}

/// `n`, as in the visual inspection zone (Doc 9303-3): Latin letters, national ones included.
/// Names in another script are transliterated; longer ones are cut, as 9303 cuts names.
fn name(name: &str) -> Result<String, String> {
    let is_latin = |character: char| {
        !character.is_alphabetic()
            || matches!(character, 'A'..='Z' | 'a'..='z' | 'À'..='ɏ' | 'Ḁ'..='ỿ')
    };
    if name.trim().chars().all(is_latin) {
        return Ok(cut(name.trim(), MAXIMUM_NAME).trim_end().to_owned());
    }
    let written = transliterate(name)
        .map_err(|error| format!("name has no ICAO 9303 transliteration: {error}"))?
        .replace('<', " ");
    Ok(cut(&written, MAXIMUM_NAME).trim_end().to_owned())
}

/// `ve`: the vaccine and the one dose that is certified.
fn event(context: &CodeContext<'_>, vaccination: &Vaccination) -> Result<Value, String> {
    let vaccine = terminology::icd11_code(&vaccination.vaccine)
        .filter(|code| within(code, MAXIMUM_ICD11))
        .ok_or("vaccination.vaccine is not a code of ICD-11")?;
    let disease = match &vaccination.disease {
        Some(disease) => Some(
            terminology::icd11_code(disease)
                .filter(|code| within(code, MAXIMUM_ICD11))
                .ok_or("vaccination.disease is not a code of ICD-11")?,
        ),
        None => None,
    };
    if !within(&vaccination.lot, MAXIMUM_CENTRE_OR_LOT) {
        return Err(format!(
            "vaccination.lot is longer than the {MAXIMUM_CENTRE_OR_LOT} characters of an ICAO seal"
        ));
    }
    let country = vaccination
        .country
        .code
        .as_deref()
        .filter(|code| is_country_code(code))
        .ok_or("vaccination.country is not a three-letter code")?;
    // `adm` may name the health authority where no centre is known.
    let centre = vaccination
        .centre
        .as_deref()
        .map(str::trim)
        .filter(|centre| !centre.is_empty())
        .unwrap_or(&context.issuer.name);
    let mut dose = json!({
        "dvc": day(&vaccination.date).ok_or("vaccination.date does not name a day")?,
        "seq": vaccination.dose,
        "ctr": country,
        "adm": cut(centre, MAXIMUM_CENTRE_OR_LOT).trim_end(),
        "lot": vaccination.lot,
    });
    if let Some(next) = vaccination.next_dose.as_deref().and_then(day) {
        dose["dvn"] = json!(next);
    }
    let mut event = json!({
        "des": vaccine,
        "nam": label(&vaccination.brand).ok_or("vaccination.brand has neither display nor code")?,
        "vd": [dose],
    });
    if let Some(disease) = disease {
        event["dis"] = json!(disease);
    }
    Ok(event)
}

/// The brand's name: as stated, else as ICD-11 has it, else its code.
fn label(brand: &Coding) -> Option<&str> {
    let code = brand.code.as_deref();
    brand
        .display
        .as_deref()
        .or_else(|| terminology::display(brand.system.as_deref()?, code?))
        .or(code)
}

fn within(text: &str, characters: usize) -> bool {
    !text.is_empty() && text.chars().count() <= characters
}

fn is_country_code(code: &str) -> bool {
    code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{ES256, EXAMPLES, Issue, PS256, example, test_result, vaccination};

    /// Takes a text apart with other means than the decoder's, and gives `data`.
    fn decode(text: &str) -> Value {
        let seal: Value = serde_json::from_str(text).unwrap();
        let canonical = serde_json_canonicalizer::to_string(&seal).unwrap();
        assert_eq!(in_ascii(&canonical), text);
        let signature = &seal["sig"];
        assert_eq!(signature["alg"], "ES256");
        let bytes = |element: &str| {
            let text = signature[element].as_str().unwrap();
            BASE64_URL_SAFE.decode(text).unwrap()
        };
        let certificate = &ES256.identity.certificate;
        assert_eq!(bytes("cer"), certificate.der());
        let data = serde_json_canonicalizer::to_vec(&seal["data"]).unwrap();
        assert!(certificate.verify(Algorithm::Es256, &data, &bytes("sigvl")));
        seal["data"].clone()
    }

    #[test]
    fn a_vaccination_has_the_elements_of_the_report() {
        let data = decode(&Issue::new(vaccination()).text(CodeForm::Icao));
        let uvci = data["msg"]["uvci"].as_str().unwrap();
        assert_eq!(
            uvci,
            identifier(Uuid::from_u128(0xdadf_cc47_c733_4e45_a906_db12_fd85_9fb7))
        );
        assert_eq!(
            data,
            json!({
                "hdr": {"is": "CHE", "t": "icao.vacc", "v": 1},
                "msg": {
                    "uvci": uvci,
                    "pid": {
                        "n": "Aulus Agerius",
                        "dob": "2003-03-03",
                        "sex": "M",
                        "ai": "1234567890",
                    },
                    "ve": [{
                        "des": "XM0GQ8",
                        "nam": "COVID-19 Vaccine Moderna",
                        "dis": "RA01",
                        "vd": [{
                            "dvc": "2021-04-05",
                            "seq": 1,
                            "ctr": "USA",
                            "adm": "Vaccination Site",
                            "lot": "ER8732",
                            "dvn": "2021-04-28",
                        }],
                    }],
                },
            })
        );
    }

    #[test]
    fn the_four_examples_have_names_in_latin_letters() {
        for row in EXAMPLES {
            let data = decode(&Issue::new(example(row)).text(CodeForm::Icao));
            let expected = if row[0].is_ascii() {
                row[0].to_owned()
            } else {
                row[5].replace('<', " ")
            };
            assert_eq!(data["msg"]["pid"]["n"], expected);
        }
    }

    #[test]
    fn the_text_is_ascii_for_readers_that_guess_a_character_set() {
        assert_eq!(in_ascii("{\"a\":\"é®\"}"), "{\"a\":\"\\u00e9\\u00ae\"}");
        assert_eq!(in_ascii("\"😀\""), "\"\\ud83d\\ude00\"");
        let mut set = vaccination();
        set["vaccination"]["centre"] = json!("Hôpital");
        let text = Issue::new(set).text(CodeForm::Icao);
        assert!(text.is_ascii());
        assert_eq!(decode(&text)["msg"]["ve"][0]["vd"][0]["adm"], "Hôpital");
    }

    #[test]
    fn names_keep_national_letters_and_are_cut_at_39_characters() {
        assert_eq!(name(" Jiřina Červenková ").unwrap(), "Jiřina Červenková");
        let long = name("Papandropoulous Jonathon Warren Trevor Alec").unwrap();
        assert_eq!(long, "Papandropoulous Jonathon Warren Trevor");
        assert_eq!(name(&"Ж".repeat(30)).unwrap().len(), 39);
        assert!(name("Γεώργιος").unwrap_err().starts_with("name "));
    }

    #[test]
    fn identifiers_are_twelve_characters_and_differ() {
        assert_eq!(identifier(Uuid::nil()), "000000000000");
        assert_eq!(identifier(Uuid::from_u128(35)), "00000000000Z");
        assert_eq!(identifier(Uuid::max()).len(), 12);
    }

    #[test]
    fn a_passport_number_is_a_travel_document_s_and_no_number_is_cut() {
        let person = |system: Option<&str>, value: &str| {
            let mut set = vaccination();
            set["identifier"] = json!({"system": system, "value": value});
            let data = decode(&Issue::new(set).text(CodeForm::Icao));
            let pid = &data["msg"]["pid"];
            (pid.get("i").cloned(), pid.get("ai").cloned())
        };
        let passport = Some("http://hl7.org/fhir/sid/passport-CHE");
        assert_eq!(
            person(passport, "A1234567Z"),
            (Some(json!("A1234567Z")), None)
        );
        assert_eq!(person(passport, "A12345678901"), (None, None));
        let other = "123456789012345678901234";
        assert_eq!(person(None, other), (None, Some(json!(other))));
        assert_eq!(person(None, &format!("{other}5")), (None, None));
    }

    #[test]
    fn without_a_centre_the_authority_is_named() {
        let mut set = vaccination();
        set["vaccination"].as_object_mut().unwrap().remove("centre");
        let data = decode(&Issue::new(set).text(CodeForm::Icao));
        assert_eq!(data["msg"]["ve"][0]["vd"][0]["adm"], "Ministry of Health");
    }

    #[test]
    fn long_centres_are_cut_and_unknown_sexes_are_x() {
        let mut set = vaccination();
        set["vaccination"]["centre"] = json!("Hôpital universitaire de Genève");
        set["sex"] = json!("other");
        let data = decode(&Issue::new(set).text(CodeForm::Icao));
        assert_eq!(data["msg"]["ve"][0]["vd"][0]["adm"], "Hôpital universitair");
        assert_eq!(data["msg"]["pid"]["sex"], "X");
    }

    #[test]
    fn what_the_report_does_not_allow_is_refused() {
        let mut issue = Issue::new(vaccination());
        issue.signer = &PS256;
        assert!(issue.reason(CodeForm::Icao).contains("ECDSA"));
        let mut issue = Issue::new(vaccination());
        issue.issuer.country_alpha3 = "CH".into();
        assert!(issue.reason(CodeForm::Icao).contains("configuration"));
        assert!(
            Issue::new(test_result())
                .reason(CodeForm::Icao)
                .contains("pid.dt")
        );
        for (element, pointer, value) in [
            ("name", "/name", json!("Γεώργιος")),
            ("birthDate", "/birthDate", json!("2003")),
            ("birthDate", "/birthDate", json!(null)),
            (
                "vaccination.vaccine",
                "/vaccination/vaccine/system",
                json!("?"),
            ),
            (
                "vaccination.disease",
                "/vaccination/disease/system",
                json!("?"),
            ),
            ("vaccination.date", "/vaccination/date", json!("2021-04")),
            (
                "vaccination.lot",
                "/vaccination/lot",
                json!("123456789012345678901"),
            ),
            (
                "vaccination.country",
                "/vaccination/country/code",
                json!("US"),
            ),
        ] {
            let mut set = vaccination();
            *set.pointer_mut(pointer).unwrap() = value;
            let reason = Issue::new(set).reason(CodeForm::Icao);
            assert!(reason.contains(element), "{reason}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_is_stated_comes_back(
            name in "[A-Za-zÀ-ÖØ-öø-ÿ]{1,20}( [A-Za-z'-]{1,17})?",
            lot in "\\PC{1,20}",
            centre in "[^\\pC\\s]\\PC{0,18}[^\\pC\\s]",
            dose in 1_u32..,
        ) {
            let mut set = vaccination();
            set["name"] = json!(name);
            set["vaccination"]["lot"] = json!(lot);
            set["vaccination"]["centre"] = json!(centre);
            set["vaccination"]["dose"] = json!(dose);
            let data = decode(&Issue::new(set).text(CodeForm::Icao));
            prop_assert_eq!(data["msg"]["pid"]["n"].as_str(), Some(name.as_str()));
            let given = &data["msg"]["ve"][0]["vd"][0];
            prop_assert_eq!(given["lot"].as_str(), Some(lot.as_str()));
            prop_assert_eq!(given["adm"].as_str(), Some(centre.as_str()));
            prop_assert_eq!(given["seq"].as_u64(), Some(u64::from(dose)));
        }
    }
}
