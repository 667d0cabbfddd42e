//! The `dcc` code's sub-claim: the EU Digital COVID Certificate, JSON schema 1.3.0 (`v` and `t`),
//! with codes translated from ICD-11.

use ciborium::Value;
use serde::Serialize;

use super::encode::SubClaim;
use super::{EU_DCC, uvci::uvci};
use crate::codes::transliteration::transliterate;
use crate::codes::{CodeContext, cut};
use crate::core_data_set::{Coding, Event, Test, Vaccination};
use crate::fhir_date;
use crate::terminology::{self, Country};

/// Version of the schema that is written.
const VERSION: &str = "1.3.0";
/// Longest text of the schema (names, issuer, centre).
const MAXIMUM_TEXT: usize = 80;

#[derive(Serialize)]
struct EuDcc<'a> {
    ver: &'static str,
    nam: Name<'a>,
    dob: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<[VaccinationEntry<'a>; 1]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    t: Option<[TestEntry<'a>; 1]>,
}

/// The core data set has the name as one text. It is not split by guessing: all of it is in `fn`
/// and `fnt`, which the schema allows without `gn` and `gnt`.
#[derive(Serialize)]
struct Name<'a> {
    r#fn: &'a str,
    fnt: String,
}

#[derive(Serialize)]
struct VaccinationEntry<'a> {
    tg: &'static str,
    vp: &'static str,
    mp: &'static str,
    ma: &'static str,
    dn: u32,
    sd: u32,
    dt: &'a str,
    co: &'static str,
    is: &'a str,
    ci: String,
}

#[derive(Serialize)]
struct TestEntry<'a> {
    tg: &'static str,
    tt: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    nm: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ma: Option<&'a str>,
    sc: String,
    tr: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tc: Option<&'a str>,
    co: &'static str,
    is: &'a str,
    ci: String,
}

/// Sub-claim 1.
pub(in crate::codes) fn sub_claim(context: &CodeContext<'_>) -> Result<SubClaim, String> {
    let set = context.core_data_set;
    let fnt = transliterate(&set.name)
        .map_err(|error| format!("name has no ICAO 9303 transliteration: {error}"))?;
    let (v, t) = match &set.event {
        Event::Vaccination(vaccination) => (Some([vaccination_entry(context, vaccination)?]), None),
        Event::Test(test) => (None, Some([test_entry(context, test)?])),
    };
    let payload = EuDcc {
        ver: VERSION,
        nam: Name {
            r#fn: cut(set.name.trim(), MAXIMUM_TEXT),
            fnt,
        },
        dob: birth_date(set.birth_date.as_deref())?,
        v,
        t,
    };
    Ok(SubClaim {
        key: EU_DCC,
        value: Value::serialized(&payload)
            .map_err(|_| "the EU certificate cannot be written as CBOR")?,
    })
}

/// `dob` may be empty, partial, and is of the years 1900 to 2099.
fn birth_date(birth_date: Option<&str>) -> Result<&str, String> {
    let Some(date) = birth_date else {
        return Ok("");
    };
    let of_these_years = date.starts_with("19") || date.starts_with("20");
    if !of_these_years || fhir_date::days_of_date(date).is_none() {
        return Err("birthDate is not a date of the years 1900 to 2099".into());
    }
    Ok(date)
}

fn vaccination_entry<'a>(
    context: &CodeContext<'a>,
    vaccination: &'a Vaccination,
) -> Result<VaccinationEntry<'a>, String> {
    // Absent, the disease is that of the vaccine, and the EU's vaccines are all against COVID-19.
    if let Some(disease) = &vaccination.disease
        && !terminology::is_covid_19(disease)
    {
        return Err(no_equivalent("vaccination.disease"));
    }
    let prophylaxis = terminology::eu_prophylaxis(&vaccination.vaccine)
        .ok_or_else(|| no_equivalent("vaccination.vaccine"))?;
    let product = terminology::eu_product(&vaccination.brand)
        .ok_or_else(|| no_equivalent("vaccination.brand"))?;
    let organisation = [&vaccination.manufacturer, &vaccination.maholder]
        .into_iter()
        .flatten()
        .find_map(terminology::eu_organisation)
        // The EU names the holder for each product, so the brand says it where the codings do not.
        .unwrap_or(product.organisation);
    let doses = vaccination.total_doses.ok_or(
        "vaccination.totalDoses is absent, and the EU certificate must state the doses of the series (sd)",
    )?;
    if vaccination.dose == 0 || doses == 0 {
        return Err("vaccination.dose and vaccination.totalDoses begin at 1".into());
    }
    Ok(VaccinationEntry {
        tg: terminology::EU_COVID_19,
        vp: reconciled(prophylaxis, product.prophylaxis),
        mp: product.product,
        ma: organisation,
        dn: vaccination.dose,
        sd: doses,
        dt: fhir_date::day(&vaccination.date)
            .ok_or("vaccination.date does not name a day, which the EU certificate must (dt)")?,
        co: country(&vaccination.country, "vaccination.country")?,
        is: issuer(context),
        ci: uvci(context.issuer_country()?, context.document_id),
    })
}

/// One prophylaxis code that is true of both the vaccine and the brand as they were stated: the
/// brand's, which is the most specific, unless the vaccine says something else as specific; the
/// EU's instructions accept the general code with every product.
fn reconciled(vaccine: &'static str, brand: &'static str) -> &'static str {
    let general = [
        terminology::EU_COVID_19_VACCINE,
        terminology::EU_ANTIGEN_VACCINE,
    ];
    if vaccine == brand || general.contains(&vaccine) {
        brand
    } else {
        terminology::EU_COVID_19_VACCINE
    }
}

fn test_entry<'a>(context: &CodeContext<'a>, test: &'a Test) -> Result<TestEntry<'a>, String> {
    if !terminology::is_covid_19(&test.pathogen) {
        return Err(no_equivalent("test.pathogen"));
    }
    let test_type =
        terminology::test_type(&test.test_type).ok_or_else(|| no_equivalent("test.type"))?;
    let is_naat = terminology::icd11_code(&test.test_type) == Some(terminology::NAAT);
    let result = test
        .result
        .as_ref()
        .ok_or("test.result is absent, and the EU certificate must state it (tr)")?;
    let centre = test.centre.as_ref().and_then(label);
    if is_naat && centre.is_none() {
        return Err(
            "test.centre is absent, and the EU certificate of a NAAT must state it (tc)".into(),
        );
    }
    // A rapid antigen test is named by its number in the JRC's device database.
    let device = if is_naat {
        None
    } else {
        [&test.brand, &test.manufacturer]
            .into_iter()
            .flatten()
            .find_map(jrc_device)
    };
    let name = if device.is_some() {
        None
    } else {
        test_name(test)
    };
    Ok(TestEntry {
        tg: terminology::EU_COVID_19,
        tt: test_type.eu,
        nm: name,
        ma: device,
        sc: sample_collection(&test.date)?,
        tr: terminology::snomed_result(result).ok_or_else(|| no_equivalent("test.result"))?,
        tc: centre.map(|centre| cut(centre, MAXIMUM_TEXT)),
        co: country(&test.country, "test.country")?,
        is: issuer(context),
        ci: uvci(context.issuer_country()?, context.document_id),
    })
}

/// `sc` has a time and an offset. A date alone counts from its beginning in UTC, so that a rule
/// on the age of a test never takes it for newer than it is.
fn sample_collection(date: &str) -> Result<String, String> {
    let day = fhir_date::day(date)
        .ok_or("test.date does not name a day, which the EU certificate must (sc)")?;
    Ok(if date.contains('T') {
        date.to_owned()
    } else {
        format!("{day}T00:00:00Z")
    })
}

/// `nm`: manufacturer and commercial name, separated by a comma.
fn test_name(test: &Test) -> Option<String> {
    let parts: Vec<&str> = [&test.manufacturer, &test.brand]
        .into_iter()
        .flatten()
        .filter_map(label)
        .collect();
    (!parts.is_empty()).then(|| cut(&parts.join(", "), MAXIMUM_TEXT).to_owned())
}

/// Number in the JRC database of COVID-19 in vitro diagnostic devices.
fn jrc_device(coding: &Coding) -> Option<&str> {
    let code = coding.code.as_deref()?;
    let is_number = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit());
    (is_number
        && coding
            .system
            .as_deref()?
            .starts_with("https://covid-19-diagnostics.jrc.ec.europa.eu/devices"))
    .then_some(code)
}

/// What a coding says, for people: its display or else its code.
fn label(coding: &Coding) -> Option<&str> {
    [&coding.display, &coding.code]
        .into_iter()
        .flatten()
        .map(|text| text.trim())
        .find(|text| !text.is_empty())
}

fn issuer<'a>(context: &CodeContext<'a>) -> &'a str {
    cut(&context.issuer.name, MAXIMUM_TEXT)
}

fn country(coding: &Coding, element: &str) -> Result<&'static str, String> {
    terminology::country_of(coding)
        .map(|Country { alpha2, .. }| *alpha2)
        .ok_or_else(|| format!("{element} is not a country of ISO 3166-1"))
}

fn no_equivalent(element: &str) -> String {
    format!("{element} has no equivalent in the EU value sets")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};
    use uuid::Uuid;

    use super::*;
    use crate::codes::testing::{EXAMPLES, Issue, example, test_result, vaccination};

    fn payload(set: Json) -> Result<Json, String> {
        let issue = Issue::new(set);
        let claim = sub_claim(&CodeContext {
            issuer: &issue.issuer,
            signer: &issue.signer.identity,
            issued_at: issue.issued_at,
            document_id: Uuid::nil(),
            core_data_set: &issue.set,
        })?;
        assert_eq!(claim.key, 1);
        Ok(claim.value.deserialized().unwrap())
    }

    fn refused(mut set: Json, pointer: &str, value: Json) -> String {
        *set.pointer_mut(pointer).unwrap() = value;
        payload(set).unwrap_err()
    }

    #[test]
    fn a_vaccination_is_translated() {
        assert_eq!(
            payload(vaccination()).unwrap(),
            json!({
                "ver": "1.3.0",
                "nam": {"fn": "Aulus Agerius", "fnt": "AULUS<AGERIUS"},
                "dob": "2003-03-03",
                "v": [{
                    "tg": "840539006",
                    "vp": "1119349007",
                    "mp": "EU/1/20/1507",
                    "ma": "ORG-100031184",
                    "dn": 1,
                    "sd": 2,
                    "dt": "2021-04-05",
                    "co": "US",
                    "is": "Ministry of Health",
                    "ci": uvci("CH", Uuid::nil()),
                }],
            })
        );
    }

    #[test]
    fn the_four_examples_are_translated() {
        let expected = [
            ("1119349007", "EU/1/20/1507", "ORG-100031184", "US"),
            ("1119349007", "EU/1/20/1528", "ORG-100030215", "FR"),
            ("1157024006", "Covaxin", "Bharat-Biotech", "SA"),
            ("1162643001", "EpiVacCorona", "Vector-Institute", "CN"),
        ];
        for (row, (vp, mp, ma, co)) in EXAMPLES.into_iter().zip(expected) {
            let payload = payload(example(row)).unwrap();
            assert_eq!(payload["nam"]["fnt"], row[5]);
            assert_eq!(payload["nam"]["fn"], row[0]);
            let entry = &payload["v"][0];
            assert_eq!(entry["vp"], vp);
            assert_eq!(entry["mp"], mp);
            assert_eq!(entry["ma"], ma);
            assert_eq!(entry["co"], co);
        }
    }

    #[test]
    fn a_manufacturer_with_an_eu_code_goes_before_the_brand_s() {
        let mut set = vaccination();
        let sinopharm = json!({
            "system": "https://spor.ema.europa.eu/v1/organisations",
            "code": "ORG-100024420",
        });
        set["vaccination"]["maholder"] = sinopharm;
        assert_eq!(payload(set).unwrap()["v"][0]["ma"], "ORG-100024420");
    }

    #[test]
    fn a_vaccine_that_contradicts_the_brand_is_stated_in_general() {
        let mut set = vaccination();
        set["vaccination"]["vaccine"]["code"] = json!("XM1NL1");
        assert_eq!(payload(set).unwrap()["v"][0]["vp"], "28531000087107");
    }

    #[test]
    fn a_pcr_test_is_translated() {
        assert_eq!(
            payload(test_result()).unwrap(),
            json!({
                "ver": "1.3.0",
                "nam": {"fn": "Юрий Подъячев", "fnt": "IURII<PODIEIACHEV"},
                "dob": "1951-01-20",
                "t": [{
                    "tg": "840539006",
                    "tt": "LP6464-4",
                    "nm": "Maker Ltd, SARS-CoV-2 Kit",
                    "sc": "2021-04-05T00:00:00Z",
                    "tr": "260415000",
                    "tc": "Central Laboratory",
                    "co": "KZ",
                    "is": "Ministry of Health",
                    "ci": uvci("CH", Uuid::nil()),
                }],
            })
        );
    }

    #[test]
    fn an_antigen_test_is_named_by_its_device_number() {
        let mut set = test_result();
        set["test"]["type"]["code"] = json!("2056159157");
        set["test"]["date"] = json!("2021-04-05T08:30:00+06:00");
        set["test"]["result"]["code"] = json!("RA01.0");
        set["test"].as_object_mut().unwrap().remove("centre");
        let named = payload(set.clone()).unwrap();
        assert_eq!(named["t"][0]["nm"], "Maker Ltd, SARS-CoV-2 Kit");
        assert_eq!(named["t"][0].get("ma"), None);

        set["test"]["brand"] = json!({
            "system": "https://covid-19-diagnostics.jrc.ec.europa.eu/devices",
            "code": "1232",
        });
        let payload = payload(set).unwrap();
        let entry = &payload["t"][0];
        assert_eq!(entry["tt"], "LP217198-3");
        assert_eq!(entry["ma"], "1232");
        assert_eq!(entry.get("nm"), None);
        assert_eq!(entry.get("tc"), None);
        assert_eq!(entry["tr"], "260373001");
        assert_eq!(entry["sc"], "2021-04-05T08:30:00+06:00");
    }

    #[test]
    fn birth_dates_may_be_partial_or_absent() {
        for date in ["2003", "2003-03", "1900-01-01"] {
            let mut set = vaccination();
            set["birthDate"] = json!(date);
            assert_eq!(payload(set).unwrap()["dob"], date);
        }
        let mut set = vaccination();
        set.as_object_mut().unwrap().remove("birthDate");
        assert_eq!(payload(set).unwrap()["dob"], "");
        for date in ["1899-12-31", "2003-02-30", "03.03.2003"] {
            assert!(refused(vaccination(), "/birthDate", json!(date)).contains("birthDate"));
        }
    }

    #[test]
    fn what_the_eu_has_no_code_for_is_named() {
        for (element, pointer, value) in [
            ("name", "/name", json!("Γεώργιος")),
            (
                "vaccination.vaccine",
                "/vaccination/vaccine/code",
                json!("XM0000"),
            ),
            (
                "vaccination.brand",
                "/vaccination/brand/code",
                json!("XM9TQ1"),
            ),
            (
                "vaccination.disease",
                "/vaccination/disease/code",
                json!("1F41"),
            ),
            (
                "vaccination.totalDoses",
                "/vaccination/totalDoses",
                json!(null),
            ),
            ("vaccination.dose", "/vaccination/dose", json!(0)),
            ("vaccination.date", "/vaccination/date", json!("2021-04")),
            (
                "vaccination.country",
                "/vaccination/country/code",
                json!("XXX"),
            ),
        ] {
            let reason = refused(vaccination(), pointer, value);
            assert!(reason.contains(element), "{reason}");
        }
        for (element, pointer, value) in [
            ("test.pathogen", "/test/pathogen/code", json!("XN000")),
            ("test.type", "/test/type/code", json!("1")),
            ("test.result", "/test/result/code", json!("?")),
            ("test.result", "/test/result", json!(null)),
            ("test.centre", "/test/centre", json!(null)),
            ("test.date", "/test/date", json!("2021")),
            ("test.country", "/test/country/code", json!("")),
        ] {
            let reason = refused(test_result(), pointer, value);
            assert!(reason.contains(element), "{reason}");
        }
    }

    #[test]
    fn no_reason_tells_the_value() {
        let reason = refused(vaccination(), "/name", json!("Γεώργιος"));
        assert!(!reason.contains("Γεώργιος"));
    }

    #[test]
    fn long_texts_are_cut_to_what_the_schema_allows() {
        let mut set = test_result();
        set["name"] = json!("Ж".repeat(100));
        set["test"]["centre"]["display"] = json!("ц".repeat(100));
        let payload = payload(set).unwrap();
        let length = |text: &Json| text.as_str().unwrap().chars().count();
        assert_eq!(length(&payload["nam"]["fn"]), 80);
        assert_eq!(length(&payload["nam"]["fnt"]), 80);
        assert_eq!(length(&payload["t"][0]["tc"]), 80);
    }
}
