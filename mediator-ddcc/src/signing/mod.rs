//! Signing: the one place that touches private keys.
//!
//! A [`Signer`] signs bytes and tells its algorithm, key id and certificate chain. What is signed
//! (COSE, JWS, VDS-NC) is built elsewhere, so a key in a file, in Vault or in an HSM serves all.

pub mod certificate;
pub mod development_pki;
pub mod key_file;

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

pub use self::certificate::{CertificateError, SigningCertificate};

/// Signature algorithms of the WHO trust network (HCERT: both MUST be implemented).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (COSE -7); the signature is `r || s`, 64 bytes (RFC 7518 3.4).
    Es256,
    /// RSASSA-PSS with SHA-256 and a 32-byte salt (COSE -37).
    Ps256,
}

/// The public side of one signing key: what a code or document states about who signed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignerIdentity {
    /// Algorithm of this key.
    pub algorithm: Algorithm,
    /// The document signing certificate (DSC).
    pub certificate: SigningCertificate,
    /// Its issuers, nearest first.
    pub issuers: Vec<SigningCertificate>,
}

impl SignerIdentity {
    /// HCERT key id of the document signing certificate, base64.
    #[must_use]
    pub fn kid_base64(&self) -> String {
        STANDARD.encode(self.certificate.kid())
    }
}

/// Signs bytes with a key that never leaves it.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The key that new certificates are signed with now.
    fn identity(&self) -> Arc<SignerIdentity>;

    /// Signs `message` (not its hash) with the key of `identity`, which an earlier
    /// [`Signer::identity`] returned: a rotation in between does not mix keys.
    ///
    /// # Errors
    /// [`SigningError`] when the key is unknown, unavailable or refuses.
    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError>;
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key of that identity is not held here (any more).
    #[error(
        "no private key for the document signing certificate; check that key and certificate belong together"
    )]
    UnknownKey,
    /// The key store answered with an error or not at all.
    #[error("the signing key is unavailable: {0}")]
    Unavailable(String),
}

impl From<SigningError> for OperationOutcome {
    fn from(error: SigningError) -> Self {
        let (status, code) = match &error {
            SigningError::UnknownKey => (500, IssueType::Exception),
            SigningError::Unavailable(_) => (503, IssueType::Transient),
        };
        Self::new(status, Issue::general(code, error.to_string()))
    }
}
