//! Whose signatures are trusted: this service's own, and those that are configured.

use std::path::{Path, PathBuf};

use mediator_ddcc::signing::{CertificateError, SigningCertificate};
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

/// The keys that signatures of others are verified with.
///
/// # Errors
/// [`TrustError`] naming the file.
pub(crate) fn trusted_keys(
    verification: &Verification,
    own: &[SigningCertificate],
) -> Result<TrustedKeys, TrustError> {
    let mut keys: TrustedKeys = own.iter().cloned().collect();
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
