//! What holds private keys: a folder of files, a PKCS#11 token, Vault.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Algorithm, PublicKey, SigningCertificate, SigningError};

/// A private key in a [`KeyStore`], told by its public side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredKey {
    /// What its store calls it: a path, a label, a version.
    pub name: String,
    /// Its public key, which certificates are found by.
    pub public_key: PublicKey,
    /// When it was made, where the store knows.
    pub created_at: Option<DateTime<Utc>>,
    /// What an operator should mend about it, such as a key that can be read out.
    pub warning: Option<String>,
}

/// Signs with private keys that never leave it, and makes new ones. It knows nothing of rotation:
/// which key signs is told by the [certificate store](super::CertificateStore), and
/// [`RotatingSigner`](super::RotatingSigner) is the [`Signer`](super::Signer) on the two.
#[async_trait]
pub trait KeyStore: Send + Sync {
    /// What and where it is, for people.
    fn name(&self) -> String;

    /// The keys that it can sign with now, the oldest first.
    ///
    /// # Errors
    /// [`SigningError`] when it cannot be asked.
    async fn keys(&self) -> Result<Vec<StoredKey>, SigningError>;

    /// Signs `message` (not its hash) with a key that an earlier [`KeyStore::keys`] told; the
    /// signature is as [`Algorithm`] says.
    ///
    /// # Errors
    /// [`SigningError`] when the key is not there any more, unavailable or refuses.
    async fn sign(&self, key: &StoredKey, message: &[u8]) -> Result<Vec<u8>, SigningError>;

    /// Makes a key of this algorithm. Nothing is signed with it before it has a certificate.
    ///
    /// # Errors
    /// [`SigningError`] when it cannot be made.
    async fn generate(&self, algorithm: Algorithm) -> Result<StoredKey, SigningError>;

    /// Certificates that lie beside the keys in the same store, as on a token: they are used where
    /// the certificate store has none for a key.
    ///
    /// # Errors
    /// [`SigningError`] when it cannot be asked.
    async fn certificates(&self) -> Result<Vec<SigningCertificate>, SigningError> {
        Ok(Vec::new())
    }
}
