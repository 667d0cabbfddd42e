//! The code forms: pure functions from the core data set to the bytes to be signed, and from
//! signed bytes to the text in a QR code; and back, for verification. No I/O.
//!
//! Issuing one code is [`prepare`], a signature over [`PreparedCode::to_be_signed`] (the caller's,
//! since the key may be far away), [`PreparedCode::finish`], and [`IssuedCode::new`] for the
//! images.

mod deflate;
pub mod hcert;
mod inflate;
mod json;
mod key_usage;
mod layer;
pub mod qr_code;
pub mod smart_health_card;
pub mod transliteration;
mod validity;
pub mod vds_nc;

use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::core_data_set::CoreDataSet;
use crate::signing::{Algorithm, SignerIdentity};
use crate::terminology;
pub use key_usage::KeyUsage;
pub use layer::{DecodeError, Layer};
use qr_code::{QrCode, QrCodeError};

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

impl CodeForm {
    /// Every form, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Who, Self::Dcc, Self::Shc, Self::Icao];

    /// The form's code in the value set of DDCC QR types: `who`, `dcc`, `shc` or `icao`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Who => "who",
            Self::Dcc => "dcc",
            Self::Shc => "shc",
            Self::Icao => "icao",
        }
    }
}

/// Not a code of the value set of DDCC QR types that this product writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a form of code is one of who, dcc, shc and icao")]
pub struct UnknownCodeForm;

impl FromStr for CodeForm {
    type Err = UnknownCodeForm;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|form| form.as_str() == text)
            .ok_or(UnknownCodeForm)
    }
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
    /// Whether a certificate whose validity (`certificate.period.end`) is over when it is issued
    /// gets its codes all the same: they then verify in everything but validity, which serves
    /// records of the past. Otherwise they are left out.
    pub issue_expired: bool,
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

impl<'a> CodeContext<'a> {
    /// The issuer's country by its two letters.
    fn issuer_country(&self) -> Result<&'a str, String> {
        let country = self.issuer.country.as_str();
        terminology::is_alpha2(country)
            .then_some(country)
            .ok_or_else(|| {
                "the issuer's country (configuration) is not an ISO 3166-1 alpha-2 code such as CH"
                    .into()
            })
    }
}

/// Why a certificate does not carry this form of code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no {} code: {reason}", .form.as_str())]
pub struct CodeOmission {
    /// Which form is left out.
    pub form: CodeForm,
    /// Why, for people; names elements, not personal data.
    pub reason: String,
}

impl CodeOmission {
    fn new(form: CodeForm, reason: impl Into<String>) -> Self {
        Self {
            form,
            reason: reason.into(),
        }
    }
}

/// A code that only lacks its signature.
#[derive(Clone)]
pub struct PreparedCode {
    form: CodeForm,
    algorithm: Algorithm,
    to_be_signed: Vec<u8>,
    unsigned: Unsigned,
}

// What is to be signed is about a person, so it is not printed.
impl std::fmt::Debug for PreparedCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("PreparedCode")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}

/// What a signature is put into.
#[derive(Clone)]
enum Unsigned {
    Hcert(Box<hcert::encode::UnsignedHcert>),
    SmartHealthCard,
    VdsNc(vds_nc::encode::UnsignedSeal),
}

/// The last second in which the codes of a certificate are valid; `None` when there is none.
#[must_use]
pub fn valid_until(context: &CodeContext<'_>) -> Option<DateTime<Utc>> {
    let validity = validity::Validity::of(context).ok()?;
    Some(validity.expires)
}

/// Makes a code up to its signature.
///
/// # Errors
/// [`CodeOmission`] when what is certified cannot be stated in this form, or the key cannot sign
/// it; the reason names the element.
pub fn prepare(form: CodeForm, context: &CodeContext<'_>) -> Result<PreparedCode, CodeOmission> {
    KeyUsage::of(&context.core_data_set.event)
        .check(&context.signer.certificate)
        .map_err(|reason| CodeOmission::new(form, reason))?;
    let (to_be_signed, unsigned) = match form {
        CodeForm::Who => hcert::ddcc_claim::sub_claim(context)
            .and_then(|claim| hcert::encode::prepare(context, claim)),
        CodeForm::Dcc => hcert::eu_dcc::sub_claim(context)
            .and_then(|claim| hcert::encode::prepare(context, claim)),
        CodeForm::Shc => smart_health_card::encode::prepare(context)
            .map(|signing_input| (signing_input, Unsigned::SmartHealthCard)),
        CodeForm::Icao => vds_nc::encode::prepare(context),
    }
    .map_err(|reason| CodeOmission::new(form, reason))?;
    Ok(PreparedCode {
        form,
        algorithm: context.signer.algorithm,
        to_be_signed,
        unsigned,
    })
}

impl PreparedCode {
    /// The form of code.
    #[must_use]
    pub fn form(&self) -> CodeForm {
        self.form
    }

    /// The bytes that the signer signs (not their hash): COSE `Sig_structure`, JWS signing input
    /// or canonical JSON.
    #[must_use]
    pub fn to_be_signed(&self) -> &[u8] {
        &self.to_be_signed
    }

    /// Puts the signature in and gives the text of the QR code.
    ///
    /// # Errors
    /// [`CodeOmission`] when the signature cannot be one of the signer's algorithm.
    pub fn finish(self, signature: &[u8]) -> Result<String, CodeOmission> {
        let possible = match self.algorithm {
            Algorithm::Es256 => signature.len() == 64,
            // 2048 to 8192 bits
            Algorithm::Ps256 => (256..=1024).contains(&signature.len()),
        };
        if !possible {
            return Err(CodeOmission::new(
                self.form,
                format!(
                    "the signer gave a signature of {} bytes, which {:?} signatures are not; ES256 signatures are r and s, 64 bytes, not DER",
                    signature.len(),
                    self.algorithm
                ),
            ));
        }
        match self.unsigned {
            Unsigned::Hcert(hcert) => hcert.finish(signature),
            Unsigned::SmartHealthCard => {
                smart_health_card::encode::finish(self.to_be_signed, signature)
            }
            Unsigned::VdsNc(seal) => seal.finish(&self.to_be_signed, signature),
        }
        .map_err(|reason| CodeOmission::new(self.form, reason))
    }
}

/// A signed code with its images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCode {
    /// The form of code.
    pub form: CodeForm,
    /// The text in the QR code.
    pub text: String,
    /// The QR code.
    pub qr_code: QrCode,
    /// The QR code as a PNG image.
    pub png: Vec<u8>,
}

impl IssuedCode {
    /// Draws a code's text.
    ///
    /// # Errors
    /// [`QrCodeError`] when the text is too long for a QR code of this form.
    pub fn new(form: CodeForm, text: String) -> Result<Self, QrCodeError> {
        let qr_code = QrCode::encode(form, &text)?;
        let png = qr_code.png();
        Ok(Self {
            form,
            text,
            qr_code,
            png,
        })
    }
}

impl From<QrCodeError> for CodeOmission {
    fn from(error: QrCodeError) -> Self {
        let (QrCodeError::TooLong { form, .. } | QrCodeError::NotOfTheForm { form, .. }) = error;
        Self::new(form, error.to_string())
    }
}

/// Cuts a text to a number of characters that the form allows; never inside a character.
fn cut(text: &str, characters: usize) -> &str {
    text.char_indices()
        .nth(characters)
        .and_then(|(end, _)| text.get(..end))
        .unwrap_or(text)
}

#[cfg(test)]
pub(crate) mod testing;

#[cfg(test)]
mod tests {
    use super::testing::{EXAMPLES, Issue, example, test_result, vaccination};
    use super::*;

    #[test]
    fn forms_are_named_as_in_the_value_set() {
        for form in CodeForm::ALL {
            assert_eq!(form.as_str().parse(), Ok(form));
        }
        assert_eq!("divoc".parse::<CodeForm>(), Err(UnknownCodeForm));
    }

    #[test]
    fn the_four_examples_get_every_form_and_its_images() {
        for row in EXAMPLES {
            let issue = Issue::new(example(row));
            for form in CodeForm::ALL {
                let code = IssuedCode::new(form, issue.text(form)).unwrap();
                assert_eq!(code.form, form);
                assert!(code.png.starts_with(b"\x89PNG"));
                let prefix = match form {
                    CodeForm::Who | CodeForm::Dcc => hcert::PREFIX,
                    CodeForm::Shc => smart_health_card::PREFIX,
                    CodeForm::Icao => "{\"data\":{",
                };
                assert!(code.text.starts_with(prefix));
            }
        }
    }

    #[test]
    fn a_signature_of_another_kind_is_refused() {
        let issue = Issue::new(vaccination());
        for form in CodeForm::ALL {
            let prepared = issue.prepare(form).unwrap();
            assert_eq!(prepared.form(), form);
            // DER is 70 to 72 bytes long
            let omission = prepared.finish(&[0; 71]).unwrap_err();
            assert!(omission.reason.contains("71 bytes"), "{omission}");
        }
    }

    #[test]
    fn nothing_printed_tells_about_the_holder() {
        let issue = Issue::new(test_result());
        let printed = format!("{:?}", issue.prepare(CodeForm::Who).unwrap());
        assert!(
            !printed.contains("1951") && !printed.contains('['),
            "{printed}"
        );
        let code = IssuedCode::new(CodeForm::Who, issue.text(CodeForm::Who)).unwrap();
        assert!(!format!("{:?}", code.qr_code).contains("true"));
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("موقع", 2), "مو");
        assert_eq!(cut("abc", 3), "abc");
        assert_eq!(cut("", 3), "");
    }
}
