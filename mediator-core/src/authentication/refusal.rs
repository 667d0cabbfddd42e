use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};

use super::Authentication;
use super::bearer_token::TokenError;

/// Why somebody is not let in. Displays as a sentence for clients.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AccessRefusal {
    /// 401: it takes a permission, and who asks has shown nothing.
    #[error("this needs a permission: show who you are")]
    NothingShown,
    /// 400: what is shown cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// 401, or 503 when the issuer's keys cannot be had.
    #[error("{0}")]
    Token(#[from] TokenError),
    /// 401: bearer tokens are not taken.
    #[error("bearer tokens are not taken here")]
    NoTokensTaken,
    /// 401: wrong name or password.
    #[error("the name or the password is wrong")]
    WrongSecret,
    /// 429: too many from this address have shown what is not good.
    #[error("too much was shown from here that is not good; wait before you try again")]
    TooManyAttempts {
        /// How long.
        retry_after: Duration,
    },
    /// 403: known, but without the permission.
    #[error("this needs the permission {0}")]
    MissingPermission(Arc<str>),
}

impl AccessRefusal {
    /// The HTTP status it is answered with.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::NothingShown | Self::NoTokensTaken | Self::WrongSecret => {
                StatusCode::UNAUTHORIZED
            }
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Token(TokenError::KeysUnavailable) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::TooManyAttempts { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::MissingPermission(_) => StatusCode::FORBIDDEN,
        }
    }

    /// A word for metrics and audits.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NothingShown => "nothing_shown",
            Self::Malformed(_) => "malformed",
            Self::Token(TokenError::Expired) => "token_expired",
            Self::Token(TokenError::KeysUnavailable) => "keys_unavailable",
            Self::Token(_) => "token_invalid",
            Self::NoTokensTaken => "no_tokens_taken",
            Self::WrongSecret => "wrong_secret",
            Self::TooManyAttempts { .. } => "too_many_attempts",
            Self::MissingPermission(_) => "missing_permission",
        }
    }

    /// When to try again, where that helps.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            Self::Token(TokenError::KeysUnavailable) => Some(Duration::from_secs(10)),
            _ => None,
        }
    }

    /// Whether somebody has tried to be let in, and not with something that was good a while ago.
    pub(super) fn is_failed_attempt(&self) -> bool {
        match self {
            Self::Malformed(_) | Self::WrongSecret | Self::NoTokensTaken => true,
            Self::Token(error) => {
                !matches!(error, TokenError::Expired | TokenError::KeysUnavailable)
            }
            Self::NothingShown | Self::TooManyAttempts { .. } | Self::MissingPermission(_) => false,
        }
    }

    /// `WWW-Authenticate` (RFC 6750, section 3). A service that takes no tokens has nothing to ask
    /// for but TLS certificates, for which there is no scheme, and what OpenHIM's routes send.
    pub(super) fn challenge(&self, authentication: &Authentication) -> Option<HeaderValue> {
        let realm = &authentication.realm;
        let error = match self {
            Self::NothingShown | Self::NoTokensTaken | Self::WrongSecret => None,
            Self::Malformed(_) => Some("invalid_request"),
            Self::Token(TokenError::KeysUnavailable) | Self::TooManyAttempts { .. } => return None,
            Self::Token(_) => Some("invalid_token"),
            Self::MissingPermission(_) => Some("insufficient_scope"),
        };
        let scheme = match authentication.bearer_tokens {
            Some(_) => "Bearer",
            None => "Basic",
        };
        let challenge = match error.filter(|_| scheme == "Bearer") {
            Some(error) => {
                format!(r#"{scheme} realm="{realm}", error="{error}", error_description="{self}""#)
            }
            None => format!(r#"{scheme} realm="{realm}""#),
        };
        HeaderValue::try_from(challenge).ok()
    }
}
