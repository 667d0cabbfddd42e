//! What a template can show: the certificate's data as texts for people.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Card, bar_code};
use crate::core_data_set::{self, Coding, Event, Identifier};
use crate::terminology;

/// Longest text that is shown, in characters; more would fit no card.
const LONGEST: usize = 1000;

/// The values of a card. What the certificate does not state is null.
#[derive(Serialize)]
pub(super) struct Values {
    issuer: Issuer,
    issued_at: String,
    valid_from: Option<String>,
    valid_until: Option<String>,
    hcid: String,
    /// Modules of the HCID's bar code.
    bar_code: Option<usize>,
    holder: Holder,
    vaccination: Option<Vaccination>,
    test: Option<Test>,
    /// Forms of the codes, in the order in which they are given.
    codes: Vec<&'static str>,
}

#[derive(Serialize)]
struct Issuer {
    name: String,
    country: String,
}

#[derive(Serialize)]
struct Holder {
    name: String,
    birth_date: Option<String>,
    sex: Option<String>,
    identifier: Option<String>,
}

#[derive(Serialize)]
struct Vaccination {
    vaccine: String,
    brand: String,
    manufacturer: Option<String>,
    authorization_holder: Option<String>,
    lot: String,
    date: String,
    valid_from: Option<String>,
    dose: u32,
    total_doses: Option<u32>,
    country: String,
    centre: Option<String>,
    practitioner: Option<String>,
    disease: Option<String>,
    next_dose: Option<String>,
}

#[derive(Serialize)]
struct Test {
    pathogen: String,
    #[serde(rename = "type")]
    test_type: String,
    brand: Option<String>,
    manufacturer: Option<String>,
    origin: Option<String>,
    date: String,
    result: Option<String>,
    centre: Option<String>,
    country: String,
}

impl Values {
    pub(super) fn new(card: &Card<'_>) -> Self {
        let set = card.core_data_set;
        let (vaccination, test) = match &set.event {
            Event::Vaccination(vaccination) => (Some(Vaccination::new(vaccination)), None),
            Event::Test(test) => (None, Some(Test::new(test))),
        };
        let country = terminology::country_by_alpha2(&card.issuer.country);
        Self {
            issuer: Issuer {
                name: shown(&card.issuer.name),
                country: country.map_or_else(
                    || shown(&card.issuer.country_alpha3),
                    |country| country.name.to_owned(),
                ),
            },
            issued_at: day(card.issued_at),
            valid_from: card.valid_from.map(day),
            valid_until: card.valid_until.map(day),
            hcid: shown(set.hcid()),
            bar_code: bar_code::modules(set.hcid()).map(|modules| modules.len()),
            holder: Holder {
                name: shown(&set.name),
                birth_date: set.birth_date.as_deref().map(date_time),
                sex: set.sex.as_deref().map(|sex| {
                    terminology::display(terminology::GENDER, sex)
                        .map_or_else(|| shown(sex), str::to_owned)
                }),
                identifier: identifier(set.identifier.as_ref()),
            },
            vaccination,
            test,
            codes: card.codes.iter().map(|code| code.form.as_str()).collect(),
        }
    }
}

impl Vaccination {
    fn new(vaccination: &core_data_set::Vaccination) -> Self {
        Self {
            vaccine: coding(&vaccination.vaccine),
            brand: coding(&vaccination.brand),
            manufacturer: vaccination.manufacturer.as_ref().map(coding),
            authorization_holder: vaccination.maholder.as_ref().map(coding),
            lot: shown(&vaccination.lot),
            date: date_time(&vaccination.date),
            valid_from: vaccination.valid_from.as_deref().map(date_time),
            dose: vaccination.dose,
            total_doses: vaccination.total_doses,
            country: country(&vaccination.country),
            centre: vaccination.centre.as_deref().map(shown),
            practitioner: identifier(vaccination.practitioner.as_ref()),
            disease: vaccination.disease.as_ref().map(coding),
            next_dose: vaccination.next_dose.as_deref().map(date_time),
        }
    }
}

impl Test {
    fn new(test: &core_data_set::Test) -> Self {
        Self {
            pathogen: coding(&test.pathogen),
            test_type: coding(&test.test_type),
            brand: test.brand.as_ref().map(coding),
            manufacturer: test.manufacturer.as_ref().map(coding),
            origin: test.origin.as_ref().map(coding),
            date: date_time(&test.date),
            result: test.result.as_ref().map(coding),
            centre: test.centre.as_ref().map(coding),
            country: country(&test.country),
        }
    }
}

fn day(instant: DateTime<Utc>) -> String {
    instant.format("%Y-%m-%d").to_string()
}

/// A FHIR `date` as it is; of a `dateTime` the seconds are left out: `2021-04-05 10:30 +02:00`.
fn date_time(text: &str) -> String {
    let shorter = DateTime::parse_from_rfc3339(text).ok().map(|instant| {
        let offset = if instant.offset().local_minus_utc() == 0 {
            "UTC".to_owned()
        } else {
            instant.offset().to_string()
        };
        format!("{} {offset}", instant.format("%Y-%m-%d %H:%M"))
    });
    shorter.unwrap_or_else(|| shown(text))
}

/// What a code means: as the code system says, else as the request says, else the code itself.
fn coding(coding: &Coding) -> String {
    let system = coding.system.as_deref().unwrap_or_default();
    let code = coding.code.as_deref().unwrap_or_default();
    let display = coding
        .display
        .as_deref()
        .filter(|display| !display.trim().is_empty());
    shown(
        terminology::display(system, code)
            .or(display)
            .unwrap_or(code),
    )
}

fn country(country: &Coding) -> String {
    let mut text = coding(country);
    if let Some(known) = terminology::country_of(country) {
        known.name.clone_into(&mut text);
        let _ = write!(text, " ({})", known.alpha3);
    }
    text
}

fn identifier(identifier: Option<&Identifier>) -> Option<String> {
    identifier.map(|identifier| shown(&identifier.value))
}

/// A text as it can be shown: no line breaks, nor characters that XML or PDF cannot hold.
fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(LONGEST)
        .map(|character| match character {
            _ if character.is_whitespace() => ' ',
            '\u{feff}' | '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
            _ if character.is_control() => char::REPLACEMENT_CHARACTER,
            _ => character,
        })
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_shown_as_iso_8601_has_them() {
        assert_eq!(date_time("2021"), "2021");
        assert_eq!(date_time("2021-04-05"), "2021-04-05");
        assert_eq!(date_time("2021-04-05T10:30:15Z"), "2021-04-05 10:30 UTC");
        assert_eq!(
            date_time("2021-04-05T10:30:15.5-03:30"),
            "2021-04-05 10:30 -03:30"
        );
    }

    #[test]
    fn codes_are_shown_as_their_code_system_names_them() {
        let coding_of = |system: &str, code: &str, display: Option<&str>| Coding {
            system: Some(system.to_owned()),
            code: Some(code.to_owned()),
            display: display.map(str::to_owned),
        };
        let brand = coding_of(terminology::ICD11, "XM8NQ0", Some("something else"));
        assert_eq!(coding(&brand), "Comirnaty®");
        let own = coding_of("http://example.org", "1", Some("Kit"));
        assert_eq!(coding(&own), "Kit");
        let blank = coding_of("http://example.org", "1", Some(" "));
        assert_eq!(coding(&blank), "1");
        let chile = coding_of(terminology::COUNTRIES, "CHL", None);
        assert_eq!(country(&chile), "Chile (CHL)");
        let unknown = coding_of(terminology::COUNTRIES, "XXX", None);
        assert_eq!(country(&unknown), "XXX");
    }

    #[test]
    fn no_text_is_endless_or_has_characters_that_cannot_be_printed() {
        assert_eq!(shown("a\tb\u{0}c"), "a b\u{fffd}c");
        assert_eq!(shown(&"é".repeat(1000)), "é".repeat(1000));
        assert_eq!(shown(&"é".repeat(1001)).chars().count(), 1001);
        assert!(shown(&"é".repeat(1_000_000)).ends_with('…'));
    }
}
