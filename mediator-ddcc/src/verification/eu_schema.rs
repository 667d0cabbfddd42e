//! The rules of the EU Digital COVID Certificate's JSON schema 1.3.0, which the certificates of
//! the schemas before it follow as well.

use chrono::{DateTime, NaiveDate};
use serde_json::{Map, Value};

/// Characters of the longest name, issuer, centre, test name or identifier.
const MAXIMUM_TEXT: usize = 80;
/// `tt` of a nucleic acid amplification test, which must state its centre (`tc`).
const NAAT: &str = "LP6464-4";

/// Checks a certificate (sub-claim 1).
///
/// # Errors
/// The first rule that is broken; names the element, not its value.
pub(super) fn check(certificate: &Value) -> Result<(), String> {
    let certificate = Element {
        object: certificate
            .as_object()
            .ok_or("the certificate is not an object")?,
        path: "",
    };
    certificate.text("ver", is_version, "is not a version 1.x.x of the schema")?;
    certificate.text(
        "dob",
        is_birth_date,
        "is not a date of 1900 to 2099, nor empty",
    )?;
    let name = certificate.object("nam")?;
    name.text("fnt", is_standardised_name, STANDARDISED)?;
    name.optional_text("gnt", is_standardised_name, STANDARDISED)?;
    name.optional_text("fn", is_short, SHORT)?;
    name.optional_text("gn", is_short, SHORT)?;

    let groups: Vec<&str> = ["v", "t", "r"]
        .into_iter()
        .filter(|group| certificate.object.contains_key(*group))
        .collect();
    match groups.as_slice() {
        ["v"] => vaccination(&certificate.only_entry("v")?),
        ["t"] => test(&certificate.only_entry("t")?),
        ["r"] => recovery(&certificate.only_entry("r")?),
        _ => Err("there is not exactly one of v, t and r".into()),
    }
}

fn vaccination(entry: &Element<'_>) -> Result<(), String> {
    entry.common()?;
    for name in ["vp", "mp", "ma"] {
        entry.text(name, |_| true, "")?;
    }
    entry.positive_integer("dn")?;
    entry.positive_integer("sd")?;
    entry.text("dt", is_date, DATE)
}

fn test(entry: &Element<'_>) -> Result<(), String> {
    entry.common()?;
    entry.text("tt", |_| true, "")?;
    entry.text("tr", |_| true, "")?;
    entry.text("sc", is_date_time, "is not a date with time and offset")?;
    entry.optional_text("nm", is_short, SHORT)?;
    entry.optional_text("ma", |_| true, "")?;
    if entry.object.get("tt").and_then(Value::as_str) == Some(NAAT) {
        entry.text("tc", is_short, SHORT)
    } else {
        entry.optional_text("tc", is_short, SHORT)
    }
}

fn recovery(entry: &Element<'_>) -> Result<(), String> {
    entry.common()?;
    for name in ["fr", "df", "du"] {
        entry.text(name, is_date, DATE)?;
    }
    Ok(())
}

/// An object and where it is.
struct Element<'a> {
    object: &'a Map<String, Value>,
    path: &'static str,
}

impl<'a> Element<'a> {
    fn object(&self, name: &'static str) -> Result<Element<'a>, String> {
        let object = self.object.get(name).and_then(Value::as_object);
        Ok(Element {
            object: object.ok_or_else(|| format!("{name} is missing or not an object"))?,
            path: name,
        })
    }

    fn only_entry(&self, group: &'static str) -> Result<Element<'a>, String> {
        let entries = self.object.get(group).and_then(Value::as_array);
        let object = match entries.map(Vec::as_slice) {
            Some([Value::Object(entry)]) => entry,
            _ => return Err(format!("{group} is not an array of one object")),
        };
        Ok(Element {
            object,
            path: group,
        })
    }

    /// What the entries of all groups have.
    fn common(&self) -> Result<(), String> {
        self.text("tg", |_| true, "")?;
        self.text("co", is_country, "is not a country in capital letters")?;
        self.text("is", is_short, SHORT)?;
        self.text("ci", is_short, SHORT)
    }

    fn text(
        &self,
        name: &str,
        is_valid: impl Fn(&str) -> bool,
        otherwise: &str,
    ) -> Result<(), String> {
        match self.object.get(name) {
            None => Err(format!("{} is missing", self.name(name))),
            Some(Value::String(text)) if is_valid(text) => Ok(()),
            Some(Value::String(_)) => Err(format!("{} {otherwise}", self.name(name))),
            Some(_) => Err(format!("{} is not a text", self.name(name))),
        }
    }

    fn optional_text(
        &self,
        name: &str,
        is_valid: impl Fn(&str) -> bool,
        otherwise: &str,
    ) -> Result<(), String> {
        if self.object.contains_key(name) {
            self.text(name, is_valid, otherwise)
        } else {
            Ok(())
        }
    }

    fn positive_integer(&self, name: &str) -> Result<(), String> {
        let number = self.object.get(name).and_then(Value::as_u64);
        if number.is_some_and(|number| number >= 1) {
            Ok(())
        } else {
            Err(format!(
                "{} is missing or not a number from 1",
                self.name(name)
            ))
        }
    }

    fn name(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.to_owned()
        } else {
            format!("{}.{name}", self.path)
        }
    }
}

const SHORT: &str = "is longer than 80 characters";
const STANDARDISED: &str = "is not at most 80 characters A to Z and <";
const DATE: &str = "is not a date YYYY-MM-DD";

fn is_short(text: &str) -> bool {
    text.chars().count() <= MAXIMUM_TEXT
}

fn is_standardised_name(text: &str) -> bool {
    text.len() <= MAXIMUM_TEXT
        && text
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'<')
}

fn is_version(text: &str) -> bool {
    let mut parts = text.split('.');
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.next() == Some("1")
        && parts.next().is_some_and(is_number)
        && parts.next().is_some_and(is_number)
        && parts.next().is_none()
}

fn is_country(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase())
}

/// `^((19|20)\d\d(-\d\d){0,2}){0,1}$`, and a date there is.
fn is_birth_date(text: &str) -> bool {
    text.is_empty()
        || ((text.starts_with("19") || text.starts_with("20"))
            && crate::fhir_date::days_of_date(text).is_some())
}

fn is_date(text: &str) -> bool {
    text.len() == 10 && NaiveDate::parse_from_str(text, "%Y-%m-%d").is_ok()
}

fn is_date_time(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn certificate(group: &str) -> Value {
        let entry = match group {
            "v" => json!({
                "vp": "1119349007", "mp": "EU/1/20/1528", "ma": "ORG-100030215",
                "dn": 3, "sd": 2, "dt": "2021-02-18",
            }),
            "t" => json!({
                "tt": "LP6464-4", "sc": "2021-08-18T10:00:00Z", "tr": "260415000",
                "nm": "PCR", "ma": "", "tc": "Laboratory",
            }),
            _ => json!({"fr": "2021-02-20", "df": "2021-04-04", "du": "2021-10-04"}),
        };
        let mut certificate = json!({
            "ver": "1.3.0",
            "nam": {"fn": "Červenková", "fnt": "CERVENKOVA", "gnt": "JIRINA<MARIA"},
            "dob": "1979-04-14",
        });
        certificate[group] = json!([entry]);
        for (name, text) in [
            ("tg", "840539006"),
            ("co", "CZ"),
            ("is", "Ministry"),
            ("ci", "URN:UVCI:01"),
        ] {
            certificate[group][0][name] = json!(text);
        }
        certificate
    }

    #[test]
    fn each_group_is_accepted() {
        for group in ["v", "t", "r"] {
            assert_eq!(check(&certificate(group)), Ok(()));
        }
    }

    #[rstest]
    #[case("v", "/ver", json!("1.0.0"))]
    #[case("v", "/dob", json!(""))]
    #[case("v", "/dob", json!("1979"))]
    #[case("v", "/dob", json!("2004-02"))]
    #[case("t", "/t/0/sc", json!("2021-08-18T10:00:00+02:00"))]
    #[case("t", "/t/0/tc", json!("ö".repeat(80)))]
    fn other_values_are_accepted(#[case] group: &str, #[case] pointer: &str, #[case] value: Value) {
        let mut certificate = certificate(group);
        *certificate.pointer_mut(pointer).unwrap() = value;
        assert_eq!(check(&certificate), Ok(()));
    }

    #[rstest]
    #[case("v", "/ver", json!("2.0.0"), "ver")]
    #[case("v", "/ver", json!("1.3"), "ver")]
    #[case("v", "/dob", json!("1899-01-01"), "dob")]
    #[case("v", "/dob", json!("1979-02-30"), "dob")]
    #[case("v", "/nam", json!([]), "nam")]
    #[case("v", "/nam/fnt", json!("Cervenkova"), "nam.fnt")]
    #[case("v", "/nam/gnt", json!("A".repeat(81)), "nam.gnt")]
    #[case("v", "/nam/fn", json!("é".repeat(81)), "nam.fn")]
    #[case("v", "/v", json!([]), "v is not")]
    #[case("v", "/v/0/dn", json!(0), "v.dn")]
    #[case("v", "/v/0/sd", json!("2"), "v.sd")]
    #[case("v", "/v/0/dt", json!("2021-02-18T00:00:00Z"), "v.dt")]
    #[case("v", "/v/0/co", json!("cz"), "v.co")]
    #[case("v", "/v/0/mp", json!(null), "v.mp")]
    #[case("t", "/t/0/sc", json!("2021-08-18"), "t.sc")]
    #[case("t", "/t/0/is", json!("x".repeat(81)), "t.is")]
    #[case("r", "/r/0/du", json!("2021-13-01"), "r.du")]
    fn a_broken_rule_names_its_element(
        #[case] group: &str,
        #[case] pointer: &str,
        #[case] value: Value,
        #[case] element: &str,
    ) {
        let mut certificate = certificate(group);
        *certificate.pointer_mut(pointer).unwrap() = value;
        let reason = check(&certificate).unwrap_err();
        assert!(reason.starts_with(element), "{reason}");
    }

    #[test]
    fn what_is_required_must_be_there() {
        for (group, path, name) in [
            ("v", "", "ver"),
            ("v", "", "dob"),
            ("v", "", "nam"),
            ("v", "/nam", "fnt"),
            ("v", "/v/0", "ci"),
            ("v", "/v/0", "ma"),
            ("t", "/t/0", "tr"),
            ("t", "/t/0", "tc"),
            ("r", "/r/0", "fr"),
        ] {
            let mut certificate = certificate(group);
            let element = certificate.pointer_mut(path).unwrap();
            element.as_object_mut().unwrap().remove(name);
            let reason = check(&certificate).unwrap_err();
            assert!(reason.contains(name), "{reason}");
        }
    }

    #[test]
    fn a_rapid_test_needs_no_centre() {
        let mut certificate = certificate("t");
        let entry = certificate["t"][0].as_object_mut().unwrap();
        entry.remove("tc");
        entry.insert("tt".into(), json!("LP217198-3"));
        assert_eq!(check(&certificate), Ok(()));
    }

    #[test]
    fn a_certificate_is_about_one_thing() {
        let mut both = certificate("v");
        both["t"] = certificate("t")["t"].clone();
        assert!(check(&both).is_err());
        both.as_object_mut()
            .unwrap()
            .retain(|name, _| name.len() > 1);
        assert!(check(&both).is_err());
        assert!(check(&json!([])).is_err());
    }
}
