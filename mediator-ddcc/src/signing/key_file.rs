//! A signing key in a file: PKCS#8 PEM, P-256 for ES256 or RSA for PS256.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PSS_SHA256, RsaKeyPair,
};
use zeroize::Zeroizing;

use super::{
    Algorithm, CertificateError, PublicKey, Signer, SignerIdentity, SigningCertificate,
    SigningError,
};

/// In the first line of every private key in PEM, also of kinds that are not signed with.
const KEY_LABEL: &[u8] = b"PRIVATE KEY-----";

/// Signs with a key read from a file once. The key stays in the cryptography library's memory.
pub struct KeyFileSigner {
    key: Arc<Key>,
    identity: Arc<SignerIdentity>,
}

/// A private key in memory.
pub(super) enum Key {
    P256(EcdsaKeyPair),
    Rsa(RsaKeyPair),
}

/// Why a key file and its certificate cannot be signed with.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// A file that cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others on this machine may read the key.
    #[error("others may read the private key {0}: run `chmod 600` on it")]
    TooOpen(PathBuf),
    /// A file without a private key.
    #[error("{0} holds no private key in PEM (`BEGIN PRIVATE KEY`, PKCS#8)")]
    NoKey(PathBuf),
    /// Not a key that health certificates are signed with.
    #[error(
        "{0} holds no private key for ES256 or PS256: give PKCS#8 PEM (`BEGIN PRIVATE KEY`) of a P-256 key, or of an RSA key of 2048 to 8192 bits"
    )]
    NotAKey(PathBuf),
    /// The certificate's file is unusable.
    #[error("{path}: {source}")]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// Key and certificate are not a pair.
    #[error("the private key {key} does not belong to the first certificate in {certificate}")]
    Mismatch {
        /// Path of the key.
        key: PathBuf,
        /// Path of the certificate.
        certificate: PathBuf,
    },
}

impl KeyFileSigner {
    /// Reads the key, and the document signing certificate with its issuers behind it.
    ///
    /// # Errors
    /// [`KeyFileError`], also when the key file may be read by others than its owner (Unix).
    pub fn read(key_path: &Path, certificate_path: &Path) -> Result<Self, KeyFileError> {
        let key = Key::read(key_path)?;
        let bytes = fs::read(certificate_path).map_err(unreadable(certificate_path))?;
        let mut certificates = SigningCertificate::read_all(&bytes)
            .map_err(|source| KeyFileError::Certificate {
                path: certificate_path.to_owned(),
                source,
            })?
            .into_iter();
        let certificate = certificates.next().ok_or(KeyFileError::Certificate {
            path: certificate_path.to_owned(),
            source: CertificateError::Empty,
        })?;
        let algorithm = key.algorithm();
        let probe = key.sign(b"key and certificate belong together");
        let is_pair = probe.is_ok_and(|signature| {
            certificate.verify(
                algorithm,
                b"key and certificate belong together",
                &signature,
            )
        });
        if !is_pair {
            return Err(KeyFileError::Mismatch {
                key: key_path.to_owned(),
                certificate: certificate_path.to_owned(),
            });
        }
        Ok(Self {
            key: Arc::new(key),
            identity: Arc::new(SignerIdentity {
                algorithm,
                certificate,
                issuers: certificates.collect(),
            }),
        })
    }
}

#[async_trait]
impl Signer for KeyFileSigner {
    fn identity(&self) -> Arc<SignerIdentity> {
        Arc::clone(&self.identity)
    }

    async fn sign(
        &self,
        identity: &SignerIdentity,
        message: &[u8],
    ) -> Result<Vec<u8>, SigningError> {
        if identity.certificate != self.identity.certificate {
            return Err(SigningError::UnknownKey);
        }
        sign_with(&self.key, message).await
    }
}

/// Signs `message` without holding up the async threads.
pub(super) async fn sign_with(key: &Arc<Key>, message: &[u8]) -> Result<Vec<u8>, SigningError> {
    match **key {
        // Some 20 microseconds: less than handing it to another thread.
        Key::P256(_) => key.sign(message),
        // A millisecond or more.
        Key::Rsa(_) => {
            let key = Arc::clone(key);
            let message = message.to_vec();
            tokio::task::spawn_blocking(move || key.sign(&message))
                .await
                .map_err(|error| SigningError::Unavailable(error.to_string()))?
        }
    }
}

impl fmt::Debug for KeyFileSigner {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("KeyFileSigner")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// Reads a key of a file that only its owner, and maybe its group, may read.
    pub(super) fn read(path: &Path) -> Result<Self, KeyFileError> {
        let pem = Zeroizing::new(fs::read(path).map_err(unreadable(path))?);
        if !pem.windows(KEY_LABEL.len()).any(|part| part == KEY_LABEL) {
            return Err(KeyFileError::NoKey(path.to_owned()));
        }
        check_mode(path)?;
        Self::from_pem(&pem).ok_or_else(|| KeyFileError::NotAKey(path.to_owned()))
    }

    pub(super) fn from_pem(pem: &[u8]) -> Option<Self> {
        let block = x509_parser::pem::Pem::iter_from_buffer(pem)
            .filter_map(Result::ok)
            .find(|block| block.label == "PRIVATE KEY")?;
        let der = Zeroizing::new(block.contents);
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der) {
            return Some(Self::P256(key));
        }
        let key = RsaKeyPair::from_pkcs8(&der).ok()?;
        (256..=1024)
            .contains(&key.public_modulus_len())
            .then_some(Self::Rsa(key))
    }

    fn algorithm(&self) -> Algorithm {
        match self {
            Self::P256(_) => Algorithm::Es256,
            Self::Rsa(_) => Algorithm::Ps256,
        }
    }

    pub(super) fn public_key(&self) -> PublicKey {
        let bits = match self {
            Self::P256(key) => key.public_key().as_ref(),
            Self::Rsa(key) => key.public_key().as_ref(),
        };
        PublicKey::new(self.algorithm(), bits.to_vec())
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        let failed = |_| SigningError::Unavailable("the cryptography library refused".to_owned());
        match self {
            Self::P256(key) => Ok(key
                .sign(&random, message)
                .map_err(failed)?
                .as_ref()
                .to_vec()),
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PSS_SHA256, &random, message, &mut signature)
                    .map_err(failed)?;
                Ok(signature)
            }
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::P256(key) => write!(formatter, "P-256 {:?}", key.public_key()),
            Self::Rsa(key) => write!(formatter, "RSA {:?}", key.public_key()),
        }
    }
}

fn unreadable(path: &Path) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Unreadable { path, source }
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), KeyFileError> {
    use std::os::unix::fs::PermissionsExt as _;
    let metadata = fs::metadata(path).map_err(unreadable(path))?;
    // A key mounted from a Kubernetes secret is often readable by the pod's own group.
    if metadata.permissions().mode() & 0o007 != 0 {
        return Err(KeyFileError::TooOpen(path.to_owned()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), KeyFileError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rcgen::{
        CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ED25519, PKCS_RSA_SHA256,
    };
    use tempfile::TempDir;

    use super::*;

    fn write(folder: &TempDir, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn pair(folder: &TempDir, algorithm: &'static rcgen::SignatureAlgorithm) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::default().self_signed(&key).unwrap();
        (
            write(folder, "key.pem", &key.serialize_pem()),
            write(folder, "certificate.pem", &certificate.pem()),
        )
    }

    #[tokio::test]
    async fn signs_with_both_algorithms() {
        for (algorithm, expected, length) in [
            (&PKCS_ECDSA_P256_SHA256, Algorithm::Es256, 64),
            (&PKCS_RSA_SHA256, Algorithm::Ps256, 256),
        ] {
            let folder = TempDir::new().unwrap();
            let (key, certificate) = pair(&folder, algorithm);
            let signer = KeyFileSigner::read(&key, &certificate).unwrap();
            let identity = signer.identity();
            let signature = signer.sign(&identity, b"message").await.unwrap();
            assert_eq!(identity.algorithm, expected);
            assert_eq!(signature.len(), length);
            assert!(
                identity
                    .certificate
                    .verify(expected, b"message", &signature)
            );
        }
    }

    #[tokio::test]
    async fn does_not_sign_for_another_identity() {
        let (one, two) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let read = |folder| {
            let (key, certificate) = pair(folder, &PKCS_ECDSA_P256_SHA256);
            KeyFileSigner::read(&key, &certificate).unwrap()
        };
        let (one, two) = (read(&one), read(&two));
        let refused = one.sign(&two.identity(), b"message").await;
        assert!(matches!(refused, Err(SigningError::UnknownKey)));
    }

    #[test]
    fn says_what_is_wrong_with_the_files() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = TempDir::new().unwrap();
        let (key, certificate) = pair(&folder, &PKCS_ECDSA_P256_SHA256);
        let other = TempDir::new().unwrap();
        let (_, foreign) = pair(&other, &PKCS_ECDSA_P256_SHA256);
        let (edwards, _) = pair(&other, &PKCS_ED25519);
        let missing = folder.path().join("missing.pem");
        let error =
            |key: &Path, certificate: &Path| KeyFileSigner::read(key, certificate).unwrap_err();
        assert!(matches!(
            error(&missing, &certificate),
            KeyFileError::Unreadable { .. }
        ));
        assert!(matches!(
            error(&certificate, &certificate),
            KeyFileError::NoKey(_)
        ));
        assert!(matches!(
            error(&edwards, &certificate),
            KeyFileError::NotAKey(_)
        ));
        assert!(matches!(
            error(&key, &key),
            KeyFileError::Certificate { .. }
        ));
        assert!(matches!(
            error(&key, &foreign),
            KeyFileError::Mismatch { .. }
        ));
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            error(&key, &certificate),
            KeyFileError::TooOpen(_)
        ));
    }

    #[test]
    fn never_prints_the_key() {
        let folder = TempDir::new().unwrap();
        let (key, certificate) = pair(&folder, &PKCS_ECDSA_P256_SHA256);
        let pem = fs::read_to_string(&key).unwrap();
        let secret = pem.lines().nth(1).unwrap();
        let signer = KeyFileSigner::read(&key, &certificate).unwrap();
        assert!(!format!("{signer:?}").contains(secret));
    }
}
