//! The DDCC core data set: the one thing every code, card and document is made from.
//!
//! Logical models `DDCCCoreDataSetVS` (vaccination) and `DDCCCoreDataSetTR` (test result) of
//! `http://smart.who.int/ddcc`. Element names, and so the JSON, are the logical models' own.

pub mod rules;

use serde::{Deserialize, Serialize};

/// One health event of one holder, and the certificate that is made about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CoreDataSet {
    /// Full name as the health authority knows it, in its own script.
    pub name: String,
    /// FHIR `date`: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub birth_date: Option<String>,
    /// A number of the holder, such as a passport's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// FHIR administrative gender: `male`, `female`, `other` or `unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    /// What happened. In JSON it is the element `vaccination` or `test`.
    #[serde(flatten)]
    pub event: Event,
    /// What is certified, by whom and for how long.
    pub certificate: Certificate,
}

/// The health event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(
    clippy::large_enum_variant,
    reason = "one event is held at a time; boxing would cost more than it saves"
)]
pub enum Event {
    /// DDCC:VS.
    Vaccination(Vaccination),
    /// DDCC:TR.
    Test(Test),
}

/// One dose of a vaccine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Vaccination {
    /// Vaccine or prophylaxis, ICD-11 MMS.
    pub vaccine: Coding,
    /// Brand, ICD-11 MMS.
    pub brand: Coding,
    /// Manufacturer; this or `maholder` is present (invariant who-ddcc-data-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<Coding>,
    /// Marketing authorization holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maholder: Option<Coding>,
    /// Batch or lot number.
    pub lot: String,
    /// FHIR `dateTime` of the vaccination.
    pub date: String,
    /// FHIR `date` from which the vaccination counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Number of this dose, from 1.
    pub dose: u32,
    /// Doses in the series, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total_doses: Option<u32>,
    /// Country of vaccination, ISO 3166-1 alpha-3.
    pub country: Coding,
    /// Administering centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centre: Option<String>,
    /// Health worker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub practitioner: Option<Identifier>,
    /// Disease targeted, ICD-11 MMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disease: Option<Coding>,
    /// FHIR `date` on which the next dose is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_dose: Option<String>,
}

/// One laboratory test.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Test {
    /// Pathogen targeted, ICD-11 MMS.
    pub pathogen: Coding,
    /// Type of test, ICD-11 MMS.
    #[serde(rename = "type")]
    pub test_type: Coding,
    /// Brand of the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Coding>,
    /// Manufacturer of the test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manufacturer: Option<Coding>,
    /// Where on the body the sample was taken, ICD-11 MMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Coding>,
    /// FHIR `dateTime` of sample collection.
    pub date: String,
    /// Result, ICD-11 MMS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Coding>,
    /// Testing centre.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub centre: Option<Coding>,
    /// Country of the test, ISO 3166-1 alpha-3.
    pub country: Coding,
}

/// The certificate's own data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Certificate {
    /// Public health authority: `issuer.identifier.value`.
    pub issuer: Reference,
    /// Key id of the document signing certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// Health certificate identifier: names the holder's folder.
    pub hcid: Identifier,
    /// Identifier of this DDCC document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ddccid: Option<Identifier>,
    /// Version of the core data set's schema.
    pub version: String,
    /// Validity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<Period>,
}

/// FHIR `Coding`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Coding {
    /// Code system's URI.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// Code in that system.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What the code means, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// FHIR `Identifier`, as far as the core data set uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identifier {
    /// Namespace of the value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<String>,
    /// The identifier itself.
    pub value: String,
}

/// FHIR `Reference` by identifier.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reference {
    /// Who is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
    /// Name of who is meant, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display: Option<String>,
}

/// FHIR `Period` of dates.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Period {
    /// First day, FHIR `dateTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// Last day, FHIR `dateTime`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

impl CoreDataSet {
    /// The health certificate identifier's value.
    #[must_use]
    pub fn hcid(&self) -> &str {
        &self.certificate.hcid.value
    }
}
