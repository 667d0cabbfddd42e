//! Whether an HCID's folder is the holder's own.

use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization as _;

use crate::core_data_set::CoreDataSet;
use crate::fhir_date;
use crate::resource::property;

/// Whether the core data set is about the person whose Patient is stored under its HCID. In this
/// order:
///
/// 1. Birth dates that have no day in common are two people's; `2003` and `2003-03-03` have.
/// 2. An identifier that both have, in the same system, is one person's, by whatever name.
/// 3. Identifiers in the same system without a common one are two people's.
/// 4. Else the names decide, compared without regard to case, compatibility forms (NFKC) and
///    spacing.
#[must_use]
pub fn is_same(patient: &Value, core_data_set: &CoreDataSet) -> bool {
    let identifier = core_data_set.identifier.as_ref();
    Claim {
        birth_date: core_data_set.birth_date.as_deref(),
        identifiers: identifier
            .map(|claimed| (claimed.system.as_deref(), claimed.value.as_str()))
            .into_iter()
            .collect(),
        names: vec![folded(&core_data_set.name)],
    }
    .is_of(patient)
}

/// Whether two Patients are the same person, by the same rules.
#[must_use]
pub fn are_same(patient: &Value, other: &Value) -> bool {
    Claim::of(other).is_of(patient)
}

/// The Patient with the core data set's identifier; `None` when it has it. Who searches by an
/// identifier (`patient.identifier`) finds what refers to a Patient that has it.
#[must_use]
pub fn with_identifier(patient: &Value, core_data_set: &CoreDataSet) -> Option<Value> {
    let claimed = core_data_set.identifier.as_ref()?;
    let is_claimed = |known: &Value| {
        property(known, "system") == claimed.system.as_deref()
            && property(known, "value") == Some(&claimed.value)
    };
    if array(patient, "identifier").any(is_claimed) {
        return None;
    }
    let mut patient = patient.clone();
    let identifiers = patient.as_object_mut()?.entry("identifier");
    let identifiers = identifiers.or_insert_with(|| json!([]));
    identifiers.as_array_mut()?.push(json!(claimed));
    Some(patient)
}

/// What is said of a person.
struct Claim<'a> {
    birth_date: Option<&'a str>,
    /// System and value.
    identifiers: Vec<(Option<&'a str>, &'a str)>,
    /// Folded.
    names: Vec<String>,
}

impl<'a> Claim<'a> {
    fn of(patient: &'a Value) -> Self {
        Self {
            birth_date: property(patient, "birthDate"),
            identifiers: array(patient, "identifier")
                .filter_map(|known| Some((property(known, "system"), property(known, "value")?)))
                .collect(),
            names: array(patient, "name")
                .map(|name| folded(&full_name(name)))
                .collect(),
        }
    }

    fn is_of(&self, patient: &Value) -> bool {
        let known = Claim::of(patient);
        if let (Some(known), Some(claimed)) = (known.birth_date, self.birth_date)
            && contradict(known, claimed)
        {
            return false;
        }
        let is_in_same_system = |(system, _): &(Option<&str>, &str)| {
            self.identifiers
                .iter()
                .any(|(claimed, _)| claimed == system)
        };
        if known.identifiers.iter().any(is_in_same_system) {
            return known
                .identifiers
                .iter()
                .any(|known| self.identifiers.contains(known));
        }
        known.names.iter().any(|name| self.names.contains(name))
    }
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
    if let Some(text) = property(name, "text") {
        return text.to_owned();
    }
    array(name, "given")
        .filter_map(Value::as_str)
        .chain(property(name, "family"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// By way of upper case, so that letters with several lower-case forms become one (ς and σ).
fn folded(name: &str) -> String {
    let folded: String = name
        .nfkc()
        .flat_map(char::to_lowercase)
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;
    use crate::codes::testing::vaccination;

    /// Whether a person with a name, birth date and identifier is the one of the core data set.
    fn same(known: [&str; 3], claimed: [&str; 3]) -> bool {
        let [name, birth_date, identifier] = known;
        let mut patient = json!({"resourceType": "Patient", "name": [{"text": name}]});
        if !birth_date.is_empty() {
            patient["birthDate"] = json!(birth_date);
        }
        if let Some((system, value)) = identifier.split_once('|') {
            patient["identifier"] = json!([
                {"system": "urn:other", "value": "7"},
                {"system": system, "value": value},
            ]);
        }
        let [name, birth_date, identifier] = claimed;
        let mut core: CoreDataSet = serde_json::from_value(vaccination()).unwrap();
        core.name = name.into();
        core.birth_date = (!birth_date.is_empty()).then(|| birth_date.into());
        core.identifier = identifier.split_once('|').map(|(system, value)| {
            serde_json::from_value(json!({"system": system, "value": value})).unwrap()
        });
        is_same(&patient, &core)
    }

    #[rstest]
    #[case::equal(["Ada", "1815-12-10", "urn:p|1"], ["Ada", "1815-12-10", "urn:p|1"], true)]
    #[case::other_birth_date(["Ada", "1815-12-10", "urn:p|1"], ["Ada", "1815-12-11", "urn:p|1"], false)]
    #[case::other_year(["Ada", "1815", ""], ["Ada", "1816-01-01", ""], false)]
    #[case::less_exact_birth_date(["Ada", "1815", ""], ["Ada", "1815-12-10", ""], true)]
    #[case::more_exact_birth_date(["Ada", "1815-12-10", ""], ["Ada", "1815-12", ""], true)]
    #[case::no_birth_date(["Ada", "", ""], ["Ada", "1815-12-10", ""], true)]
    #[case::other_identifier(["Ada", "1815-12-10", "urn:p|1"], ["Ada", "1815-12-10", "urn:p|2"], false)]
    #[case::identifier_of_another_system(["Ada", "1815-12-10", "urn:p|1"], ["Ada", "1815-12-10", "urn:q|2"], true)]
    #[case::no_identifier(["Ada", "1815-12-10", ""], ["Ada", "1815-12-10", "urn:p|2"], true)]
    #[case::new_name_same_identifier(["Ada Byron", "1815-12-10", "urn:p|1"], ["Ada Lovelace", "1815-12-10", "urn:p|1"], true)]
    #[case::new_name(["Ada Byron", "1815-12-10", ""], ["Ada Lovelace", "1815-12-10", ""], false)]
    #[case::case_and_space(["Ada  BYRON ", "", ""], ["\u{a0}ada byron", "", ""], true)]
    #[case::sharp_s(["STRAẞE", "", ""], ["strasse", "", ""], true)]
    #[case::final_sigma(["ΟΔΥΣΣΕΥΣ", "", ""], ["Οδυσσευς", "", ""], true)]
    #[case::compatibility_forms(["Ａｄａ", "", ""], ["Ada", "", ""], true)]
    #[case::composed(["Jir\u{30c}ina", "", ""], ["Jiřina", "", ""], true)]
    #[case::accents_count(["Jirina", "", ""], ["Jiřina", "", ""], false)]
    #[case::arabic(["أولوس أجيريوس", "2003-03-03", ""], ["أولوس  أجيريوس", "2003", ""], true)]
    fn rule(#[case] known: [&str; 3], #[case] claimed: [&str; 3], #[case] expected: bool) {
        assert_eq!(same(known, claimed), expected);
    }

    #[rstest]
    #[case::equal(json!({}), true)]
    #[case::born_on_another_day(json!({"birthDate": "1815-12-11"}), false)]
    #[case::other_name_same_identifier(json!({"name": [{"text": "Ada Lovelace"}]}), true)]
    #[case::one_identifier_in_common(
        json!({"identifier": [{"system": "urn:p", "value": "2"}, {"system": "urn:p", "value": "1"}]}),
        true
    )]
    #[case::no_identifier_in_common(json!({"identifier": [{"system": "urn:p", "value": "2"}]}), false)]
    #[case::identifier_of_another_system(
        json!({"identifier": [{"system": "urn:q", "value": "2"}]}),
        true
    )]
    #[case::without_anything_in_common(json!({"identifier": [], "name": [{"text": "Bob"}]}), false)]
    fn two_patients_are_compared_likewise(#[case] changes: Value, #[case] expected: bool) {
        let patient = json!({"birthDate": "1815-12-10", "name": [{"text": "Ada"}],
            "identifier": [{"system": "urn:p", "value": "1"}]});
        let mut other = patient.clone();
        for (name, value) in changes.as_object().unwrap() {
            other[name] = value.clone();
        }
        assert_eq!(are_same(&patient, &other), expected);
        assert_eq!(are_same(&other, &patient), expected);
    }

    #[test]
    fn identifiers_without_a_system_are_of_the_same_one() {
        let mut core: CoreDataSet = serde_json::from_value(vaccination()).unwrap();
        let patient = |value: &str| json!({"name": [{"text": "Aulus Agerius"}], "identifier": [{"value": value}]});
        assert!(is_same(&patient("1234567890"), &core));
        assert!(!is_same(&patient("1"), &core));
        core.identifier = None;
        assert!(is_same(&patient("1"), &core));
    }

    #[test]
    fn an_identifier_that_is_new_is_added_once() {
        let mut core: CoreDataSet = serde_json::from_value(vaccination()).unwrap();
        let with = |system: &str, value: &str| json!({"system": system, "value": value});
        core.identifier = Some(serde_json::from_value(with("urn:p", "1")).unwrap());
        let added = with_identifier(&json!({"resourceType": "Patient"}), &core).unwrap();
        assert_eq!(added["identifier"], json!([with("urn:p", "1")]));
        assert_eq!(with_identifier(&added, &core), None);
        core.identifier = Some(serde_json::from_value(with("urn:q", "1")).unwrap());
        let added = with_identifier(&added, &core).unwrap();
        assert_eq!(added["identifier"].as_array().unwrap().len(), 2);
        core.identifier = None;
        assert_eq!(with_identifier(&added, &core), None);
    }

    #[test]
    fn any_of_the_patient_s_names_will_do() {
        let core: CoreDataSet = serde_json::from_value(vaccination()).unwrap();
        let names = json!([{"text": "Other"}, {"given": ["Aulus"], "family": "Agerius"}]);
        assert!(is_same(&json!({"name": names}), &core));
        assert!(!is_same(&json!({"name": [{"text": "Other"}]}), &core));
        assert!(!is_same(&json!({}), &core));
    }
}
