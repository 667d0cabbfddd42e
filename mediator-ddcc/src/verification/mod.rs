//! Verification: is this code what a trusted key signed, and does it say what it may?
//!
//! The steps follow one another from the outside in. A layer that cannot be opened ends them;
//! signature, validity and schema are then checked each for itself, so that an answer names
//! everything that is wrong, and key usage once it is known whose key it was.

mod document;
mod eu_schema;
mod hcert;
pub mod image;
mod issued;
mod modules;
mod smart_health_card;
mod steps;
mod trusted_keys;
mod vds_nc;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

pub use issued::{CheckError, check_issued};
pub use steps::{Step, StepResult, Steps};
pub use trusted_keys::{TrustListError, TrustedKeys};

use crate::codes::{self, DecodeError, KeyUsage, Layer};
use crate::signing::{Algorithm, SigningCertificate};

/// What a text turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Format {
    /// HCERT: WHO DDCC and EU Digital COVID Certificate.
    #[serde(rename = "hcert")]
    Hcert,
    /// SMART Health Card.
    #[serde(rename = "shc")]
    SmartHealthCard,
    /// ICAO Visible Digital Seal.
    #[serde(rename = "vds-nc")]
    VdsNc,
    /// Signed DDCC document: a FHIR Bundle.
    #[serde(rename = "ddcc-document")]
    Document,
    /// Nothing that is known here, or no text at all.
    #[serde(rename = "unknown")]
    Unknown,
}

impl Format {
    /// Tells the format by what the text begins with.
    #[must_use]
    pub fn of(text: &str) -> Self {
        if text.starts_with(codes::hcert::PREFIX) {
            Self::Hcert
        } else if text.starts_with(codes::smart_health_card::PREFIX) {
            Self::SmartHealthCard
        } else if text.starts_with('{') && document::is_document(text) {
            Self::Document
        } else if text.starts_with('{') {
            Self::VdsNc
        } else {
            Self::Unknown
        }
    }

    /// The layers that are opened, from the outside in. Of an unknown text it is HCERT's prefix
    /// that is missed.
    fn layers(self) -> &'static [Layer] {
        match self {
            Self::Hcert | Self::Unknown => &[
                Layer::Prefix,
                Layer::Base45,
                Layer::Zlib,
                Layer::Cose,
                Layer::Cwt,
            ],
            Self::SmartHealthCard => &[
                Layer::Prefix,
                Layer::Numeric,
                Layer::Jws,
                Layer::Deflate,
                Layer::Claims,
            ],
            Self::VdsNc => &[Layer::Json, Layer::Seal],
            Self::Document => &[Layer::Json, Layer::Jws],
        }
    }
}

/// What was found out about a code.
///
/// Serialized it is `{"valid", "format", "steps", "payload"}`; the rest is for people.
#[derive(Clone, PartialEq, Serialize)]
pub struct Verification {
    /// Whether every step ended as it should.
    pub valid: bool,
    /// What it is.
    pub format: Format,
    /// What was checked.
    pub steps: Steps,
    /// What is certified, when it could be decoded, even if the signature does not verify: the
    /// sub-claim of an HCERT (EU certificate or core data set), the claims of a SMART Health Card,
    /// `data` of a VDS-NC seal, a document itself.
    pub payload: Option<Value>,
    /// Whose signature it is; `None` unless it verifies.
    #[serde(skip)]
    pub signed_by: Option<SignedBy>,
    /// What the code says, for people.
    #[serde(skip)]
    pub summary: Option<Summary>,
}

impl Verification {
    fn undecoded(format: Format, steps: Steps) -> Self {
        Self {
            valid: false,
            format,
            steps,
            payload: None,
            signed_by: None,
            summary: None,
        }
    }
}

// What is certified is about a person.
impl std::fmt::Debug for Verification {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Verification")
            .field("format", &self.format)
            .field("steps", &self.steps)
            .finish_non_exhaustive()
    }
}

/// Whose signature a code has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedBy {
    /// Distinguished name of the certificate's subject.
    pub subject: String,
    /// Its country, ISO 3166-1 alpha-2.
    pub country: Option<String>,
    /// HCERT key id of the certificate, base64.
    pub key_id: String,
}

/// What a code says, for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Who issued it, as the code states it.
    pub issuer: Option<String>,
    /// Name of the holder.
    pub holder: Option<String>,
    /// Date of birth of the holder.
    pub birth_date: Option<String>,
    /// What is certified.
    pub event: Option<String>,
    /// From when it counts.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when it counts; `None` when the code states no end.
    pub valid_until: Option<DateTime<Utc>>,
}

/// A decoded code, of whatever form, ready to be checked.
struct Decoded<'a> {
    /// The trusted certificates that the code may be signed with.
    candidates: &'a [Arc<SigningCertificate>],
    /// Why there are no candidates.
    no_candidate: &'static str,
    algorithm: Option<Algorithm>,
    to_be_signed: Vec<u8>,
    signature: Vec<u8>,
    /// What the key must be allowed to sign.
    key_usages: Vec<KeyUsage>,
    times: Times,
    schema: Result<(), String>,
    payload: Value,
    summary: Summary,
}

/// The times that a code states.
#[derive(Debug, Clone, Copy, Default)]
struct Times {
    issued_at: Option<DateTime<Utc>>,
    not_before: Option<DateTime<Utc>>,
    expires: Option<DateTime<Utc>>,
    /// What the form asks for and the code does not state.
    missing: Option<&'static str>,
}

/// Verifies the text of a QR code or a signed document at a time, with the keys that are trusted.
///
/// A code needs bounded memory and some 100 microseconds, whatever its text is; a document needs
/// both in proportion to its length.
#[must_use]
pub fn verify(text: &str, keys: &TrustedKeys, at: DateTime<Utc>) -> Verification {
    let format = Format::of(text);
    match decode(format, text, keys, at) {
        Ok(decoded) => decoded.check(format, at),
        Err(error) => {
            let mut steps = Steps::new(format.layers());
            steps.set_failed_layer(error.layer, error.reason);
            Verification::undecoded(format, steps)
        }
    }
}

/// The health certificates in an image.
#[derive(Debug)]
pub struct VerifiedImage {
    /// At least one. QR codes that are nothing known are passed over if there are others.
    pub verifications: Vec<Verification>,
    /// How many more QR codes there seem to be that cannot be read.
    pub unreadable: usize,
}

/// Verifies every health certificate in a PNG or JPEG image or PDF document.
///
/// See [`image::read_codes`] for what it costs.
#[must_use]
pub fn verify_image(bytes: &[u8], keys: &TrustedKeys, at: DateTime<Utc>) -> VerifiedImage {
    let found = match image::read_codes(bytes) {
        Ok(found) => found,
        Err(error) => {
            let mut steps = Steps::new(Format::Unknown.layers());
            steps.set(Step::Image, StepResult::Failed(error.to_string()));
            return VerifiedImage {
                verifications: vec![Verification::undecoded(Format::Unknown, steps)],
                unreadable: 0,
            };
        }
    };
    let texts = found.texts.iter();
    let mut verifications: Vec<Verification> = texts.map(|text| verify(text, keys, at)).collect();
    if verifications
        .iter()
        .any(|one| one.format != Format::Unknown)
    {
        verifications.retain(|one| one.format != Format::Unknown);
    }
    for verification in &mut verifications {
        verification.steps.set(Step::Image, StepResult::Ok);
    }
    VerifiedImage {
        verifications,
        unreadable: found.unreadable,
    }
}

fn decode<'a>(
    format: Format,
    text: &str,
    keys: &'a TrustedKeys,
    at: DateTime<Utc>,
) -> Result<Decoded<'a>, DecodeError> {
    match format {
        Format::Hcert => hcert::decode(text, keys, at),
        Format::SmartHealthCard => smart_health_card::decode(text, keys),
        Format::VdsNc => vds_nc::decode(text, keys),
        Format::Document => document::decode(text, keys),
        Format::Unknown => Err(DecodeError {
            layer: Layer::Prefix,
            reason: "the text begins neither with HC1: nor with shc:/ nor with {",
        }),
    }
}

/// What a SNOMED CT code of a test result means.
fn result(code: Option<&str>) -> &'static str {
    match code {
        Some("260415000") => "not detected",
        Some("260373001") => "detected",
        _ => "unknown result",
    }
}

impl<'a> Decoded<'a> {
    fn check(self, format: Format, at: DateTime<Utc>) -> Verification {
        let mut steps = Steps::new(format.layers());
        steps.set_layers_ok();
        let signer = match self.signer() {
            Ok(signer) => {
                steps.set(Step::Signature, StepResult::Ok);
                let permitted = self
                    .key_usages
                    .iter()
                    .try_for_each(|usage| usage.check(signer));
                steps.set(Step::KeyUsage, permitted);
                Some(signer)
            }
            Err(reason) => {
                steps.set(Step::Signature, StepResult::Failed(reason.to_owned()));
                None
            }
        };
        let validity = self
            .times
            .check(at)
            .and_then(|()| signer.map_or(Ok(()), |signer| self.times.check_signer(signer, at)));
        steps.set(Step::Validity, validity.map_err(str::to_owned));
        steps.set(Step::Schema, self.schema);
        Verification {
            valid: steps.all_ok(),
            format,
            steps,
            payload: Some(self.payload),
            signed_by: signer.map(SignedBy::new),
            summary: Some(self.summary),
        }
    }

    /// The candidate whose signature it is.
    fn signer(&self) -> Result<&'a SigningCertificate, &'static str> {
        let algorithm = self
            .algorithm
            .ok_or("the algorithm is none that health certificates are signed with")?;
        if self.candidates.is_empty() {
            return Err(self.no_candidate);
        }
        self.candidates
            .iter()
            .map(Arc::as_ref)
            .find(|certificate| certificate.verify(algorithm, &self.to_be_signed, &self.signature))
            .ok_or("this is not the signature of the trusted key that the code names")
    }
}

impl Times {
    fn check(&self, at: DateTime<Utc>) -> Result<(), &'static str> {
        if let Some(missing) = self.missing {
            return Err(missing);
        }
        if self.issued_at.is_some_and(|issued| at < issued) {
            return Err("the time of issue is in the future");
        }
        if self.not_before.is_some_and(|start| at < start) {
            return Err("the certificate is not valid yet");
        }
        // RFC 8392 section 3.1.4: "on or after".
        if self.expires.is_some_and(|end| at >= end) {
            return Err("the certificate has expired");
        }
        Ok(())
    }

    fn check_signer(
        &self,
        signer: &SigningCertificate,
        at: DateTime<Utc>,
    ) -> Result<(), &'static str> {
        let within =
            |time: DateTime<Utc>| time >= signer.not_before() && time <= signer.not_after();
        if self.issued_at.is_some_and(|issued| !within(issued)) {
            return Err("it was issued when the document signing certificate was not valid");
        }
        if within(at) {
            Ok(())
        } else {
            Err("the document signing certificate is not valid at this time")
        }
    }
}

impl SignedBy {
    fn new(certificate: &SigningCertificate) -> Self {
        use base64::Engine as _;
        Self {
            subject: certificate.subject().to_owned(),
            country: certificate.country().map(str::to_owned),
            key_id: base64::engine::general_purpose::STANDARD.encode(certificate.kid()),
        }
    }
}

#[cfg(test)]
mod tests;
