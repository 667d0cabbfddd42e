//! The code forms: pure functions from the core data set to the bytes to be signed, and from
//! signed bytes to the text in a QR code; and back, for verification. No I/O.

use chrono::{DateTime, Utc};

use crate::core_data_set::CoreDataSet;
use crate::signing::SignerIdentity;

/// A form that a certificate's code takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CodeForm {
    /// WHO DDCC: HCERT with sub-claim 3 (DDCC:VS) or 4 (DDCC:TR).
    Who,
    /// EU Digital COVID Certificate: HCERT with sub-claim 1.
    Dcc,
    /// SMART Health Card.
    Shc,
    /// ICAO VDS-NC.
    Icao,
}

/// Who issues: what the codes state about the health authority, from configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Name for people, for example `Ministry of Health`.
    pub name: String,
    /// ISO 3166-1 alpha-2 country, for example `CH`: HCERT `iss`, EU `co` of the issuer.
    pub country: String,
    /// ISO 3166-1 alpha-3 country (or ICAO code such as `UTO`): VDS-NC `is`.
    pub country_alpha3: String,
    /// https URL under which SMART Health Card verifiers find `/.well-known/jwks.json`.
    pub smart_health_card_issuer: String,
    /// Validity in days of a certificate whose request names no end.
    pub default_validity_days: u32,
}

/// Everything a code states apart from the core data set.
#[derive(Debug, Clone, Copy)]
pub struct CodeContext<'a> {
    /// Who issues.
    pub issuer: &'a IssuerSettings,
    /// Who signs.
    pub signer: &'a SignerIdentity,
    /// Time of issue.
    pub issued_at: DateTime<Utc>,
    /// The document's UUID, from which code identifiers (UVCI) are made.
    pub document_id: uuid::Uuid,
    /// What is certified.
    pub core_data_set: &'a CoreDataSet,
}

/// Why a certificate does not carry this form of code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {form:?} code: {reason}")]
pub struct CodeOmission {
    /// Which form is left out.
    pub form: CodeForm,
    /// Why, for people; names elements, not personal data.
    pub reason: String,
}
