//! Whether an HCID's folder is the holder's own.

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use crate::core_data_set::CoreDataSet;
use crate::fhir_date;

/// Whether the core data set is about the person whose Patient is stored under its HCID. In this
/// order:
///
/// 1. Birth dates that contradict (neither day, month nor year is shared) are two people's.
/// 2. An identifier that both have, in the same system, is one person's, by whatever name.
/// 3. Identifiers in the same system without a common one are two people's.
/// 4. Else the names decide, compared without regard to case, compatibility forms (NFKC) and
///    spacing.
#[must_use]
pub fn is_same(patient: &Value, core_data_set: &CoreDataSet) -> bool {
    let birth_date = patient.get("birthDate").and_then(Value::as_str);
    if let (Some(known), Some(claimed)) = (birth_date, core_data_set.birth_date.as_deref())
        && contradict(known, claimed)
    {
        return false;
    }
    if let Some(claimed) = &core_data_set.identifier {
        let mut known = array(patient, "identifier")
            .filter(|known| text(known, "system") == claimed.system.as_deref())
            .filter_map(|known| text(known, "value"))
            .peekable();
        if known.peek().is_some() {
            return known.any(|known| known == claimed.value);
        }
    }
    let claimed = folded(&core_data_set.name);
    array(patient, "name").any(|name| folded(&full_name(name)) == claimed)
}

/// Whether no day is in both FHIR dates.
fn contradict(known: &str, claimed: &str) -> bool {
    match (
        fhir_date::days_of_date(known),
        fhir_date::days_of_date(claimed),
    ) {
        (Some(known), Some(claimed)) => known.1 < claimed.0 || claimed.1 < known.0,
        _ => known != claimed,
    }
}

fn full_name(name: &Value) -> String {
    if let Some(text) = text(name, "text") {
        return text.to_owned();
    }
    array(name, "given")
        .filter_map(Value::as_str)
        .chain(text(name, "family"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// Upper case first, so that letters with several lower-case forms become one.
fn folded(name: &str) -> String {
    let folded: String = name
        .nfkc()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc()
        .collect();
    folded.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn array<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name)?.as_str()
}
