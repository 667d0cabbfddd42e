use std::path::PathBuf;

use http::StatusCode;

use crate::back_end::{certificate_fault, innermost};

/// Why something could not be had from core's API. Every variant says what to do about it; none
/// holds a password, a token, or anything that was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenHimError {
    /// The settings do not make a client.
    #[error("OpenHIM's API cannot be used with these settings: {0}")]
    Settings(String),
    /// The file of certificate authorities is of no use.
    #[error(
        "{path} has no certificate authority for OpenHIM's API ({reason}): \
         name a readable PEM file with at least one CERTIFICATE"
    )]
    CertificateAuthority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No connection, or one that broke.
    #[error(
        "OpenHIM core at {address} cannot be reached ({reason}): \
         is it running, is the address of its API right, and does the network let us through?"
    )]
    Unreachable {
        /// Scheme, host and port.
        address: String,
        /// The innermost cause.
        reason: String,
    },
    /// Core's certificate was not issued by anyone trusted, or for another name.
    #[error(
        "the certificate of OpenHIM core at {address} is not trusted ({reason}): \
         name the authority that issued it in a CA file, or, for a test only, trust any certificate"
    )]
    CertificateNotTrusted {
        /// Scheme, host and port.
        address: String,
        /// What is wrong with the certificate.
        reason: String,
    },
    /// No answer in time.
    #[error(
        "OpenHIM core at {address} did not answer in time: \
         is it overloaded, or the timeout too short?"
    )]
    Timeout {
        /// Scheme, host and port.
        address: String,
    },
    /// 401, whatever way of authentication was tried.
    #[error(
        "OpenHIM core refuses the user name or the password: check both, \
         and that core's authenticationTypes allow the way of authentication that is set"
    )]
    WrongCredentials,
    /// 403: the user is known but may not do this.
    #[error(
        "OpenHIM's user is not allowed to {operation} ({text}): \
         give one of its roles the permission (OpenHIM 4: the group admin)"
    )]
    NotAllowed {
        /// What was tried.
        operation: &'static str,
        /// What core said.
        text: String,
    },
    /// 404 for something of a mediator: core does not know its urn.
    #[error("OpenHIM core knows no mediator {urn}: register it")]
    UnknownMediator {
        /// The mediator's urn.
        urn: String,
    },
    /// 404 for anything else.
    #[error("OpenHIM core has nothing to {operation}: check the identifier, and the API's address")]
    NotFound {
        /// What was tried.
        operation: &'static str,
    },
    /// 400 and other refusals: sending the same again will not help.
    #[error("OpenHIM core refuses to {operation} with {status}: {text}")]
    Refused {
        /// What was tried.
        operation: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// What core said.
        text: String,
    },
    /// 5xx: core itself, its database, or a proxy in front of it failed.
    #[error("OpenHIM core failed to {operation} with {status}: {text}; see core's log")]
    CoreFailed {
        /// What was tried.
        operation: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// What core said.
        text: String,
    },
    /// The answer is longer than allowed.
    #[error(
        "OpenHIM core's answer when asked to {operation} is longer than {maximum} bytes: \
         ask for less at once, or allow longer answers"
    )]
    AnswerTooLong {
        /// What was tried.
        operation: &'static str,
        /// The limit that was passed.
        maximum: usize,
    },
    /// The answer is not what core answers.
    #[error(
        "the answer when OpenHIM was asked to {operation} is not understood ({reason}): \
         is this the address of core's API, and not of its console or router?"
    )]
    AnswerNotUnderstood {
        /// What was tried.
        operation: &'static str,
        /// What is wrong with it, without its content.
        reason: String,
    },
}

impl OpenHimError {
    /// Whether the same request may succeed later although nobody changed it, the settings, or
    /// core's users: core was down, overloaded, or failed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::CoreFailed { .. }
        )
    }
}

/// A request that did not get an answer.
pub(super) struct Unanswered {
    pub(super) error: OpenHimError,
    /// Core has certainly not seen the request.
    pub(super) unsent: bool,
}

impl Unanswered {
    /// Core did answer, or nothing will be sent.
    pub(super) fn of(error: OpenHimError) -> Self {
        Self {
            error,
            unsent: false,
        }
    }
}

/// What a failed exchange means. The URL stays out of the message: it can name users.
pub(super) fn unanswered(address: &str, error: &reqwest::Error) -> Unanswered {
    let unsent = error.is_connect();
    let address = address.to_owned();
    let error = match certificate_fault(error) {
        Some(reason) => OpenHimError::CertificateNotTrusted { address, reason },
        None if error.is_timeout() => OpenHimError::Timeout { address },
        None => OpenHimError::Unreachable {
            address,
            reason: innermost(error).to_string(),
        },
    };
    Unanswered { error, unsent }
}
