//! Signing: the one place that touches private keys.
//!
//! A [`Signer`] signs bytes and tells its algorithm, key id and certificate chain. What is signed
//! (COSE, JWS, VDS-NC) is built elsewhere, so a key in a file, in Vault or in an HSM serves all.
//!
//! The signer that serves is a [`RotatingSigner`]: a [`KeyStore`] holds private keys, the
//! [`CertificateStore`] their certificates and when each signs. [`KeyManagement`] changes the two.

pub mod certificate;
mod certificate_renewal;
mod certificate_request;
mod certificate_store;
mod der;
pub mod development_pki;
pub mod key_file;
mod key_folder;
mod key_management;
mod key_store;
pub mod pkcs11;
mod public_key;
mod rotating_signer;
pub mod vault;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};

pub use self::certificate::{CertificateError, SigningCertificate};
pub use self::certificate_renewal::CertificateRenewal;
pub use self::certificate_request::{CertificateRequest, Subject};
pub use self::certificate_store::{CertificateStore, CertificateStoreError, StoredCertificate};
pub use self::key_folder::KeyFolder;
pub use self::key_management::{
    CertificateAuthority, KeyManagement, KeyManagementError, KeyUse, ListedKey, Rotation,
};
pub use self::key_store::{KeyStore, StoredKey};
pub use self::public_key::PublicKey;
pub use self::rotating_signer::{RotatingSigner, SignerError};

/// Signature algorithms of the WHO trust network (HCERT: both MUST be implemented).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (COSE -7); the signature is `r || s`, 64 bytes (RFC 7518 3.4).
    Es256,
    /// RSASSA-PSS with SHA-256 and a 32-byte salt (COSE -37).
    Ps256,
}

impl Algorithm {
    /// Name in JOSE (RFC 7518 3.1).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Ps256 => "PS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "ES256" => Ok(Self::Es256),
            "PS256" => Ok(Self::Ps256),
            _ => Err("ES256 or PS256"),
        }
    }
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
        self.certificate.kid_base64()
    }
}

/// Signs bytes with a key that never leaves it.
#[async_trait]
pub trait Signer: Send + Sync {
    /// The key that new certificates are signed with now.
    fn identity(&self) -> Arc<SignerIdentity>;

    /// The key for a certificate that states this time of issue: an event that was accepted before
    /// a rotation and interrupted needs a document signing certificate that was valid then.
    fn identity_at(&self, issued_at: DateTime<Utc>) -> Arc<SignerIdentity> {
        let _ = issued_at;
        self.identity()
    }

    /// Every document signing certificate of this service, the newest first: what it signs with,
    /// signed with or will sign with. Verifiers are to know them all.
    fn certificates(&self) -> Arc<[SigningCertificate]> {
        Arc::from([self.identity().certificate.clone()])
    }

    /// Signs `message` (not its hash) with the key of `identity`, which an earlier
    /// [`Signer::identity`] or [`Signer::identity_at`] returned: a rotation in between does not mix keys.
    ///
    /// # Errors
    /// [`SigningError`] when the key is unknown, unavailable or refuses.
    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError>;
}

#[async_trait]
impl<S: Signer + ?Sized> Signer for Arc<S> {
    fn identity(&self) -> Arc<SignerIdentity> {
        (**self).identity()
    }

    fn identity_at(&self, issued_at: DateTime<Utc>) -> Arc<SignerIdentity> {
        (**self).identity_at(issued_at)
    }

    fn certificates(&self) -> Arc<[SigningCertificate]> {
        (**self).certificates()
    }

    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        (**self).sign(identity, message).await
    }
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
    /// The key store does not let this program do it; an operator must act, repeating is of no use.
    #[error("the key store refuses: {0}")]
    Refused(String),
    /// The key store gave something that is no signature of the key.
    #[error(
        "the key store gave no signature that its own public key verifies; ES256 signatures are r and s (64 bytes), PS256 ones have a salt of 32 bytes"
    )]
    NotASignature,
    /// A certification request cannot be written.
    #[error("the certification request cannot be made: {0}; check the names of its subject")]
    Request(String),
}

impl From<SigningError> for OperationOutcome {
    fn from(error: SigningError) -> Self {
        let (status, code) = match &error {
            SigningError::UnknownKey | SigningError::NotASignature | SigningError::Request(_) => {
                (500, IssueType::Exception)
            }
            SigningError::Unavailable(_) | SigningError::Refused(_) => (503, IssueType::Transient),
        };
        Self::new(status, Issue::general(code, error.to_string()))
    }
}
