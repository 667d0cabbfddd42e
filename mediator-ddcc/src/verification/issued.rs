//! What the issuer checks of every code before it leaves: that a verifier will accept it.

use chrono::{DateTime, Utc};
use rxing::DecodeHints;
use rxing::common::BitMatrix;
use rxing::qrcode::decoder::qrcode_decoder::decode_bitmatrix_with_hints;

use super::{Format, Step, StepResult, TrustedKeys, decode};
use crate::codes::qr_code::{ErrorCorrection, QrCode};
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
/// signature verified, and key usage and schema checked; and the QR code is decoded to the same
/// text with the error correction that it states.
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
    check_qr_code(&code.qr_code, &code.text).map_err(|reason| CheckError::QrCode { form, reason })
}

/// Decodes the modules, with another library than the one that drew them. (rqrr takes 7 ms for a
/// large code, most of it for the syndromes of error correction.)
fn check_qr_code(code: &QrCode, text: &str) -> Result<(), &'static str> {
    const UNREADABLE: &str = "its modules cannot be decoded";
    let mut modules =
        BitMatrix::with_single_dimension(u32::try_from(code.size()).map_err(|_| UNREADABLE)?)
            .map_err(|_| UNREADABLE)?;
    for (y, row) in (0_u32..).zip(0..code.size()) {
        for (x, column) in (0_u32..).zip(0..code.size()) {
            modules.set_bool(x, y, code.is_dark(column, row));
        }
    }
    let hints = DecodeHints {
        CharacterSet: Some("UTF-8".to_owned()),
        ..DecodeHints::default()
    };
    let decoded = decode_bitmatrix_with_hints(&modules, &hints).map_err(|_| UNREADABLE)?;
    // The two bits as they stand in the code (ISO/IEC 18004 table 12).
    let level = match code.error_correction() {
        ErrorCorrection::Medium => "0",
        ErrorCorrection::Low => "1",
        ErrorCorrection::Quartile => "3",
    };
    if decoded.getECLevel() != level {
        return Err("its error correction is not the stated one");
    }
    if code.size() != 17 + 4 * usize::from(code.version()) {
        return Err("its version is not the stated one");
    }
    if decoded.getText() != text {
        return Err("it says something else than the text");
    }
    Ok(())
}
