//! What the issuer checks of every code before it leaves: that a verifier will accept it.

use chrono::{DateTime, Utc};

use super::modules::Square;
use super::{Format, Step, StepResult, TrustedKeys, decode};
use crate::codes::{CodeForm, IssuedCode};
use crate::signing::SignerIdentity;

/// Why a code must not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// A verifier would refuse the text.
    #[error("the {} code would not verify ({step}: {reason}); do not hand it out", .form.as_str())]
    Refused {
        /// Which form.
        form: CodeForm,
        /// The step that failed.
        step: &'static str,
        /// Why.
        reason: String,
    },
    /// The text is one of another form.
    #[error("the text is not one of a {} code; do not hand it out", .form.as_str())]
    OtherForm {
        /// Which form it should be.
        form: CodeForm,
    },
    /// The QR code does not say what the text says, or is of another error correction.
    #[error("the QR code of the {} code cannot be read: {reason}; do not hand it out", .form.as_str())]
    QrCode {
        /// Which form.
        form: CodeForm,
        /// Why.
        reason: &'static str,
    },
}

/// Checks a code as a verifier would who trusts this signer: every layer is decoded strictly, the
/// signature verified, and key usage and schema checked; and the image of the QR code is read to
/// the same text with the error correction that it states.
///
/// A code may count only later (`nbf`), or be over already where the issuer issues such codes.
///
/// # Errors
/// [`CheckError`]: the code must not leave.
pub fn check_issued(
    code: &IssuedCode,
    identity: &SignerIdentity,
    at: DateTime<Utc>,
) -> Result<(), CheckError> {
    let form = code.form;
    let format = Format::of(&code.text);
    let expected = match form {
        CodeForm::Who | CodeForm::Dcc => Format::Hcert,
        CodeForm::Shc => Format::SmartHealthCard,
        CodeForm::Icao => Format::VdsNc,
    };
    if format != expected {
        return Err(CheckError::OtherForm { form });
    }
    let keys: TrustedKeys = [identity.certificate.clone()].into_iter().collect();
    let refused = |step: Step, reason: String| CheckError::Refused {
        form,
        step: step.as_str(),
        reason,
    };
    let mut decoded = decode(format, &code.text, &keys, at)
        .map_err(|error| refused(Step::Layer(error.layer), error.reason.to_owned()))?;
    // Whether it counts now is no question here, only whether it counts ever.
    decoded.times.not_before = None;
    decoded.times.expires = None;
    let verification = decoded.check(format, at);
    for (step, result) in verification.steps.iter() {
        if let StepResult::Failed(reason) = result {
            return Err(refused(step, reason.clone()));
        }
    }
    check_qr_code(code).map_err(|reason| CheckError::QrCode { form, reason })
}

/// Reads the image, and checks that the code says the text and has the modules, the version and
/// the error correction that it states.
fn check_qr_code(code: &IssuedCode) -> Result<(), &'static str> {
    let IssuedCode {
        text, qr_code, png, ..
    } = code;
    let square = Square::of_png(png)?;
    if !square.is(qr_code.size(), qr_code.rows()) {
        return Err("its image shows other modules than it has");
    }
    if qr_code.size() != 17 + 4 * usize::from(qr_code.version()) {
        return Err("its version is not the stated one");
    }
    let reading = square.read()?;
    if reading.error_correction != qr_code.error_correction() {
        return Err("its error correction is not the stated one");
    }
    if reading.text != text.as_bytes() {
        return Err("it says something else than the text");
    }
    Ok(())
}
