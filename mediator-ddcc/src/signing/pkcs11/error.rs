//! Which failures a new connection may mend, and which an operator must.

use cryptoki::error::{Error, RvError};

use super::super::SigningError;

/// Why a call to the token came to nothing.
#[derive(Debug, Clone)]
pub(super) enum Failure {
    /// Sessions, handles or the token are gone, or the token has a problem that may pass.
    Gone(String),
    /// The same for every repetition.
    Refused(String),
    /// The token has no such key.
    NoKey,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let Error::Pkcs11(value, function) = &error else {
            return Self::Refused(error.to_string());
        };
        let reason = format!("C_{function:?} gives {value:?}");
        match value {
            RvError::KeyFunctionNotPermitted => {
                Self::Refused(format!("{reason}: the key has no CKA_SIGN"))
            }
            RvError::MechanismInvalid
            | RvError::MechanismParamInvalid
            | RvError::FunctionNotSupported
            | RvError::CurveNotSupported
            | RvError::KeySizeRange
            | RvError::KeyTypeInconsistent
            | RvError::AttributeTypeInvalid
            | RvError::AttributeValueInvalid
            | RvError::TemplateIncomplete
            | RvError::TemplateInconsistent
            | RvError::ArgumentsBad
            | RvError::TokenWriteProtected
            | RvError::DeviceMemory => Self::Refused(reason),
            _ => Self::Gone(reason),
        }
    }
}

impl From<Failure> for SigningError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Gone(reason) => Self::Unavailable(reason),
            Failure::Refused(reason) => Self::Refused(reason),
            Failure::NoKey => Self::UnknownKey,
        }
    }
}

/// What to do when a login was refused; `None` when it may be tried again.
pub(super) fn refused_login(error: &Error) -> Option<&'static str> {
    let Error::Pkcs11(value, _) = error else {
        return None;
    };
    Some(match value {
        RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange => {
            "the PIN is wrong; it is not tried again until it is another one, since tokens lock themselves"
        }
        RvError::PinExpired => "the PIN has expired; set a new one with the token's own tool",
        RvError::PinLocked => {
            "the PIN is locked; unlock it with the token's own tool and the security officer's PIN"
        }
        RvError::UserPinNotInitialized => {
            "the token has no user PIN yet; set one with the token's own tool"
        }
        _ => return None,
    })
}
