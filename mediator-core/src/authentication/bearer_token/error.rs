use crate::back_end::BackEndSettingsError;

/// Why a token is not taken. Displays as a sentence for clients, which says nothing of what the
/// token claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is no signed JWT, or one that must not be read.
    #[error("the token is no signed JWT that can be read")]
    Malformed,
    /// Longer than is taken.
    #[error("the token is too long")]
    TooLong,
    /// Signed in a way that is not allowed.
    #[error("the token is signed with an algorithm that is not accepted here")]
    Algorithm,
    /// The issuer has no such key, or no longer.
    #[error("the token is signed with a key that its issuer does not have")]
    UnknownKey,
    /// Changed, or signed by somebody else.
    #[error("the token's signature is wrong")]
    Signature,
    /// Of another issuer.
    #[error("the token is of an issuer that is not accepted here")]
    Issuer,
    /// For another service.
    #[error("the token is for another audience")]
    Audience,
    /// Given to a client whose tokens are not taken.
    #[error("the token was given to a client that is not accepted here")]
    AuthorizedParty,
    /// Over.
    #[error("the token has expired")]
    Expired,
    /// Not valid yet.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// An ID token, a refresh token, or something else that is none for access.
    #[error("the token is no access token")]
    NotForAccess,
    /// Bound to a key that the client has not shown.
    #[error("the token is bound to a key that was not shown")]
    NotTheHolder,
    /// The issuer's keys are not known and cannot be had now.
    #[error("the token cannot be checked now: its issuer's keys cannot be had; repeat later")]
    KeysUnavailable,
}

/// Why tokens cannot be checked with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BearerTokenSettingsError {
    /// The issuer is no URL, but is where the keys are.
    #[error(
        "{0} is no http or https URL: write the issuer as its tokens name it, or say where its keys are"
    )]
    Issuer(String),
    /// Keys could be exchanged on their way.
    #[error(
        "keys from {0} can be exchanged on their way: use https, or allow plain HTTP if that network is trusted"
    )]
    PlainHttp(String),
    /// No token can be signed.
    #[error("no algorithm is allowed; allow one")]
    NoAlgorithm,
    /// Keys cannot be asked for.
    #[error(transparent)]
    BackEnd(#[from] BackEndSettingsError),
}

/// Why the issuer's keys could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the keys of tokens' issuer could not be had from {url}: {reason}")]
pub struct KeysError {
    /// Where they were asked for.
    pub url: String,
    /// What was answered, or happened instead.
    pub reason: String,
}
