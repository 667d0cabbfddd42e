//! What the logical models ask of a core data set beyond its shape.

use chrono::{DateTime, Duration, Utc};

use super::{CoreDataSet, Event, Test, Vaccination};
use crate::fhir_date;
use crate::operation_outcome::IssueType;

/// Longest HCID, in characters: it names a folder, and stands in a bar code.
pub const MAXIMUM_HCID: usize = 128;

/// A rule that the core data set breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenRule {
    /// Element of the logical model, such as `vaccination.dose`.
    pub element: &'static str,
    /// What kind of issue it is.
    pub code: IssueType,
    /// What is wrong and what is asked for; never quotes the value.
    pub diagnostics: &'static str,
}

/// Checks every rule and lists those that are broken. `now` tells which dates are in the future.
#[must_use]
pub fn broken_rules(core: &CoreDataSet, now: DateTime<Utc>) -> Vec<BrokenRule> {
    let mut rules = Rules {
        broken: Vec::new(),
        // A date without time zone may already be tomorrow somewhere.
        latest: now + Duration::days(1),
    };
    rules.text("name", &core.name);
    if let Some(identifier) = &core.identifier {
        rules.text("identifier", &identifier.value);
    }
    if let Some(sex) = &core.sex {
        rules.require(
            matches!(sex.as_str(), "male" | "female" | "other" | "unknown"),
            "sex",
            IssueType::CodeInvalid,
            "sex is male, female, other or unknown",
        );
    }
    let born = core
        .birth_date
        .as_deref()
        .and_then(|date| rules.past("birthDate", date));
    let event = match &core.event {
        Event::Vaccination(vaccination) => rules.vaccination(vaccination),
        Event::Test(test) => rules.test(test),
    };
    if let (Some(born), Some(event)) = (born, event) {
        rules.require(
            born.0 <= event.1,
            "birthDate",
            IssueType::Invariant,
            "the holder was born after the event",
        );
    }
    rules.certificate(core);
    rules.broken
}

/// Whether the text may be an HCID: letters, digits, `.`, `_`, `:` and `-`, no `.` at the
/// beginning or after another one.
#[must_use]
pub fn is_hcid(text: &str) -> bool {
    (1..=MAXIMUM_HCID).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
        && !text.starts_with('.')
        && !text.contains("..")
}

/// Whether a text holds a character that has no business in a name or number: control characters,
/// and those that reorder what follows them on a screen.
#[must_use]
pub fn has_control_character(text: &str) -> bool {
    text.chars().any(|character| {
        character.is_control()
            || matches!(character, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    })
}

type Instants = (DateTime<Utc>, DateTime<Utc>);

struct Rules {
    broken: Vec<BrokenRule>,
    latest: DateTime<Utc>,
}

impl Rules {
    fn require(
        &mut self,
        holds: bool,
        element: &'static str,
        code: IssueType,
        diagnostics: &'static str,
    ) {
        if !holds {
            self.broken.push(BrokenRule {
                element,
                code,
                diagnostics,
            });
        }
    }

    fn text(&mut self, element: &'static str, text: &str) {
        self.require(
            !text.trim().is_empty(),
            element,
            IssueType::Required,
            "a text without content",
        );
        self.require(
            !has_control_character(text),
            element,
            IssueType::Value,
            "control characters are not allowed",
        );
    }

    fn coding(&mut self, element: &'static str, coding: Option<&super::Coding>) {
        let Some(coding) = coding else { return };
        let filled = coding
            .code
            .as_deref()
            .is_some_and(|code| !code.trim().is_empty() && !has_control_character(code));
        self.require(
            filled,
            element,
            IssueType::Required,
            "the coding has no code",
        );
    }

    fn date(&mut self, element: &'static str, text: &str) -> Option<Instants> {
        let instants = fhir_date::instants(text);
        self.require(
            instants.is_some(),
            element,
            IssueType::Value,
            "this is no date; dates are YYYY-MM-DD",
        );
        instants
    }

    fn past(&mut self, element: &'static str, text: &str) -> Option<Instants> {
        let instants = self.date(element, text)?;
        let is_past = instants.0 <= self.latest;
        self.require(
            is_past,
            element,
            IssueType::Value,
            "this date is in the future",
        );
        is_past.then_some(instants)
    }

    fn country(&mut self, element: &'static str, coding: &super::Coding) {
        let is_alpha_3 = coding
            .code
            .as_deref()
            .is_some_and(|code| code.len() == 3 && code.bytes().all(|b| b.is_ascii_uppercase()));
        self.require(
            is_alpha_3,
            element,
            IssueType::CodeInvalid,
            "a country is an ISO 3166-1 alpha-3 code, such as CHE",
        );
    }

    fn vaccination(&mut self, vaccination: &Vaccination) -> Option<Instants> {
        self.coding("vaccination.vaccine", Some(&vaccination.vaccine));
        self.coding("vaccination.brand", Some(&vaccination.brand));
        self.coding(
            "vaccination.manufacturer",
            vaccination.manufacturer.as_ref(),
        );
        self.coding("vaccination.maholder", vaccination.maholder.as_ref());
        self.coding("vaccination.disease", vaccination.disease.as_ref());
        self.require(
            vaccination.manufacturer.is_some() || vaccination.maholder.is_some(),
            "vaccination.manufacturer",
            IssueType::Invariant,
            "manufacturer or market authorization holder is needed (who-ddcc-data-1)",
        );
        self.text("vaccination.lot", &vaccination.lot);
        if let Some(centre) = &vaccination.centre {
            self.text("vaccination.centre", centre);
        }
        if let Some(practitioner) = &vaccination.practitioner {
            self.text("vaccination.practitioner", &practitioner.value);
        }
        self.require(
            vaccination.dose >= 1,
            "vaccination.dose",
            IssueType::Value,
            "doses are counted from 1",
        );
        self.require(
            vaccination.total_doses != Some(0),
            "vaccination.totalDoses",
            IssueType::Value,
            "a series has at least 1 dose",
        );
        self.country("vaccination.country", &vaccination.country);
        let date = self.past("vaccination.date", &vaccination.date);
        if let Some(valid_from) = &vaccination.valid_from {
            self.date("vaccination.validFrom", valid_from);
        }
        if let Some(next) = &vaccination.next_dose {
            let next = self.date("vaccination.nextDose", next);
            if let (Some(date), Some(next)) = (date, next) {
                self.require(
                    date.0 <= next.1,
                    "vaccination.nextDose",
                    IssueType::Invariant,
                    "the next dose is due before this one was given",
                );
            }
        }
        date
    }

    fn test(&mut self, test: &Test) -> Option<Instants> {
        self.coding("test.pathogen", Some(&test.pathogen));
        self.coding("test.type", Some(&test.test_type));
        self.coding("test.brand", test.brand.as_ref());
        self.coding("test.manufacturer", test.manufacturer.as_ref());
        self.coding("test.origin", test.origin.as_ref());
        self.coding("test.result", test.result.as_ref());
        self.country("test.country", &test.country);
        self.past("test.date", &test.date)
    }

    fn certificate(&mut self, core: &CoreDataSet) {
        let certificate = &core.certificate;
        self.require(
            is_hcid(&certificate.hcid.value),
            "certificate.hcid",
            IssueType::Value,
            "an HCID has 1 to 128 letters, digits, `.`, `_`, `:` or `-`, and no `..`",
        );
        match &certificate.issuer.identifier {
            Some(identifier) => self.text("certificate.issuer", &identifier.value),
            None => self.require(
                false,
                "certificate.issuer",
                IssueType::Required,
                "the public health authority is needed",
            ),
        }
        let Some(period) = &certificate.period else {
            return;
        };
        let start = period
            .start
            .as_deref()
            .and_then(|start| self.date("certificate.period.start", start));
        let end = period
            .end
            .as_deref()
            .and_then(|end| self.date("certificate.period.end", end));
        if let (Some(start), Some(end)) = (start, end) {
            self.require(
                start.0 <= end.1,
                "certificate.period.end",
                IssueType::Invariant,
                "the validity ends before it starts",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;

    fn vaccination() -> Value {
        json!({
            "name": "Aroha Ngata", "birthDate": "1990-05", "sex": "female",
            "vaccination": {
                "vaccine": {"code": "XM0GQ8"}, "brand": {"code": "XM8NQ0"}, "manufacturer": {"code": "X"},
                "lot": "AB1", "date": "2026-01-02", "dose": 1, "country": {"code": "NZL"},
                "nextDose": "2026-03-01"
            },
            "certificate": {"issuer": {"identifier": {"value": "MOH"}}, "hcid": {"value": "NZ-1"}, "version": "RC2",
                "period": {"start": "2026-01-02", "end": "2027-01-02"}}
        })
    }

    fn test_result() -> Value {
        let mut core = vaccination();
        core.as_object_mut().unwrap().remove("vaccination");
        core["test"] = json!({"pathogen": {"code": "XN109"}, "type": {"code": "1334426561"},
            "date": "2026-01-02T10:00:00Z", "country": {"code": "NZL"}});
        core
    }

    fn broken(core: Value) -> Vec<&'static str> {
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        broken_rules(&serde_json::from_value(core).unwrap(), now)
            .iter()
            .map(|rule| rule.element)
            .collect()
    }

    #[test]
    fn a_good_one_breaks_no_rule() {
        assert_eq!(broken(vaccination()), [""; 0]);
        assert_eq!(broken(test_result()), [""; 0]);
    }

    #[rstest]
    #[case("/name", json!(" "), "name")]
    #[case("/name", json!("a\u{0}b"), "name")]
    #[case("/name", json!("a\u{202e}b"), "name")]
    #[case("/sex", json!("m"), "sex")]
    #[case("/birthDate", json!("1990-02-30"), "birthDate")]
    #[case("/birthDate", json!("2027"), "birthDate")]
    #[case("/birthDate", json!("2026-02"), "birthDate")]
    #[case("/vaccination/lot", json!(""), "vaccination.lot")]
    #[case("/vaccination/vaccine", json!({"system": "x"}), "vaccination.vaccine")]
    #[case("/vaccination/manufacturer", json!(null), "vaccination.manufacturer")]
    #[case("/vaccination/date", json!("2026-02-30"), "vaccination.date")]
    #[case("/vaccination/date", json!("2026-06-03"), "vaccination.date")]
    #[case("/vaccination/dose", json!(0), "vaccination.dose")]
    #[case("/vaccination/country", json!({"code": "NZ"}), "vaccination.country")]
    #[case("/vaccination/nextDose", json!("2025-12-31"), "vaccination.nextDose")]
    #[case("/certificate/issuer", json!({}), "certificate.issuer")]
    #[case("/certificate/period/end", json!("2025-12-31"), "certificate.period.end")]
    #[case("/certificate/hcid/value", json!("../../etc"), "certificate.hcid")]
    #[case("/certificate/hcid/value", json!("a".repeat(10_000)), "certificate.hcid")]
    #[case("/certificate/hcid/value", json!(""), "certificate.hcid")]
    fn a_broken_rule_names_its_element(
        #[case] pointer: &str,
        #[case] value: Value,
        #[case] element: &str,
    ) {
        let mut core = vaccination();
        *core.pointer_mut(pointer).unwrap() = value;
        assert_eq!(broken(core), [element]);
    }

    #[test]
    fn rules_of_a_test_result() {
        let mut core = test_result();
        core["test"]["type"] = json!({});
        core["test"]["date"] = json!("soon");
        assert_eq!(broken(core), ["test.type", "test.date"]);
    }
}
