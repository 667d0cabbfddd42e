//! Whose signatures are trusted: this service's own, and those that are configured.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use mediator_ddcc::signing::{CertificateError, Signer, SigningCertificate};
use mediator_ddcc::verification::{TrustListError, TrustedKeys};

use crate::configuration::Verification;

/// Why a configured file names nobody to trust.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TrustError {
    /// It cannot be read.
    #[error("verification: cannot read {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// No certificates.
    #[error("verification.certificate_file: {path}: {source}")]
    Certificates {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: CertificateError,
    },
    /// No trust list.
    #[error("verification.trust_list_file: {path}: {source}")]
    TrustList {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        source: TrustListError,
    },
}

/// The configured keys and the signer's own, of which there are more after a rotation.
pub(super) struct Trusted {
    configured: TrustedKeys,
    signer: Arc<dyn Signer>,
    latest: Mutex<Latest>,
}

/// The keys as they were last asked for.
struct Latest {
    own: Arc<[SigningCertificate]>,
    keys: Arc<TrustedKeys>,
}

impl Trusted {
    pub(super) fn new(configured: TrustedKeys, signer: Arc<dyn Signer>) -> Self {
        let keys = Arc::new(configured.clone());
        let own = Arc::from([]);
        Self {
            configured,
            signer,
            latest: Mutex::new(Latest { own, keys }),
        }
    }

    /// Whose signatures are trusted now.
    pub(super) fn keys(&self) -> Arc<TrustedKeys> {
        let own = self.signer.certificates();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&own, &latest.own) {
            if own != latest.own {
                let mut keys = self.configured.clone();
                own.iter()
                    .for_each(|certificate| keys.add(certificate.clone()));
                latest.keys = Arc::new(keys);
            }
            latest.own = own;
        }
        Arc::clone(&latest.keys)
    }
}

/// The keys that signatures of others are verified with.
///
/// # Errors
/// [`TrustError`] naming the file.
pub(crate) fn trusted_keys(verification: &Verification) -> Result<TrustedKeys, TrustError> {
    let mut keys = TrustedKeys::default();
    if let Some(path) = &verification.certificate_file {
        let bytes = read(path)?;
        keys.add_certificates(&bytes)
            .map_err(|source| TrustError::Certificates {
                path: path.clone(),
                source,
            })?;
    }
    if let Some(path) = &verification.trust_list_file {
        let bytes = read(path)?;
        keys.add_trust_list(&bytes)
            .map_err(|source| TrustError::TrustList {
                path: path.clone(),
                source,
            })?;
    }
    Ok(keys)
}

fn read(path: &Path) -> Result<Vec<u8>, TrustError> {
    std::fs::read(path).map_err(|source| TrustError::Unreadable {
        path: path.to_owned(),
        source,
    })
}
