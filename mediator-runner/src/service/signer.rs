//! What signs certificates.

pub(crate) mod vault;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use mediator_ddcc::recorded::{self, Told};
use mediator_ddcc::signing::development_pki::{DevelopmentAuthority, DevelopmentPki};
use mediator_ddcc::signing::key_file::KeyFileSigner;
use mediator_ddcc::signing::pkcs11::{Pkcs11Settings, Pkcs11Token};
use mediator_ddcc::signing::{
    CertificateAuthority, CertificateStore, KeyFolder, KeyManagement, KeyStore, RotatingSigner,
    Signer, SigningError, StoredCertificate,
};

use super::StartError;
use crate::configuration::Configuration;

/// Folders in the data directory, unless others are configured.
const DEVELOPMENT_PKI: &str = "development-pki";
pub(crate) const KEYS: &str = "signing-keys";
pub(crate) const CERTIFICATES: &str = "signing-certificates";

/// The configured signer, which changes its key when a rotation tells it to.
pub(super) async fn open(configuration: &Configuration) -> Result<Arc<dyn Signer>, StartError> {
    if configuration.signing.vault.url.is_some() {
        let signer = vault::open(configuration).await?;
        return Ok(recorded::signer(signer, Told::ByThePart));
    }
    let KeyManagement {
        keys, certificates, ..
    } = key_management(configuration).await?;
    let signer = RotatingSigner::open(keys, certificates).await?;
    signer.follow();
    let told = if configuration.signing.pkcs11.module.is_some() {
        Told::AsCallsTo {
            host: "pkcs11".to_owned(),
            port: None,
        }
    } else {
        Told::as_embedded()
    };
    Ok(recorded::signer(signer, told))
}

/// The configured keys and certificates. Certificates that the configuration names, those beside
/// keys on a token, and those for trying out, are put into the store.
///
/// # Errors
/// [`StartError`].
pub(crate) async fn key_management(
    configuration: &Configuration,
) -> Result<KeyManagement, StartError> {
    let signing = &configuration.signing;
    let certificates = CertificateStore::new(certificates_folder(configuration));
    if signing.vault.url.is_some() {
        return vault::key_management(configuration, certificates).map(|vault| vault.management);
    }
    let keys_folder = || {
        let configured = signing.keys_folder.clone();
        configured.unwrap_or_else(|| configuration.data_directory.join(KEYS))
    };
    let (keys, authority): (Arc<dyn KeyStore>, _) = if let Some(settings) =
        signing.pkcs11.settings()
    {
        (Arc::new(open_token(settings).await?), None)
    } else if let (Some(key), Some(certificate)) = (&signing.key_file, &signing.certificate_file) {
        introduce(&certificates, key, certificate)?;
        let keys = KeyFolder::new(vec![key.clone()], keys_folder());
        (Arc::new(keys), None)
    } else if signing.keys_folder.is_some() {
        (Arc::new(KeyFolder::new(Vec::new(), keys_folder())), None)
    } else {
        let (files, authority) = development(configuration, &certificates)?;
        (
            Arc::new(KeyFolder::new(files, keys_folder())),
            Some(authority),
        )
    };
    let management = KeyManagement {
        keys,
        certificates,
        authority,
    };
    management.adopt(Utc::now()).await?;
    Ok(management)
}

/// Loads the token's module, which may take as long as its maker likes.
async fn open_token(settings: Pkcs11Settings) -> Result<Pkcs11Token, StartError> {
    let opened = tokio::task::spawn_blocking(move || Pkcs11Token::open(settings)).await;
    opened
        .map_err(|error| SigningError::Unavailable(error.to_string()))
        .flatten()
        .map_err(StartError::KeyStore)
}

/// Where the document signing certificates are.
pub(crate) fn certificates_folder(configuration: &Configuration) -> PathBuf {
    let configured = configuration.signing.certificates_folder.clone();
    configured.unwrap_or_else(|| configuration.data_directory.join(CERTIFICATES))
}

/// Signs under a certificate file from now on if it is a new one. One that the store has is as
/// `mediator-runner keys` left it: a rotation is not undone by a restart.
fn introduce(
    certificates: &CertificateStore,
    key: &Path,
    certificate: &Path,
) -> Result<(), StartError> {
    let identity = KeyFileSigner::read(key, certificate)?.identity();
    let is_new = certificates.add(&StoredCertificate {
        certificate: identity.certificate.clone(),
        issuers: identity.issuers.clone(),
        signs_from: Some(Utc::now()),
    })?;
    if is_new {
        tracing::info!(
            kid = identity.kid_base64(),
            file = %certificate.display(),
            "a new document signing certificate: it signs from now on"
        );
    }
    Ok(())
}

/// Files of keys for trying out, and who certifies others.
fn development(
    configuration: &Configuration,
    certificates: &CertificateStore,
) -> Result<(Vec<PathBuf>, Arc<dyn CertificateAuthority>), StartError> {
    let folder = configuration.data_directory.join(DEVELOPMENT_PKI);
    let country = &configuration.issuer.country;
    let now = Utc::now();
    let pki = DevelopmentPki::open_or_create(&folder, country, now)?;
    if pki.created {
        tracing::warn!(
            "made a development country signing authority and document signer in {}: they are for trying out, nobody else trusts them; configure signing for real certificates",
            folder.display()
        );
    }
    for (age, certificate) in (0..).zip(pki.document_signers) {
        certificates.add(&StoredCertificate {
            certificate,
            issuers: vec![pki.country_authority.clone()],
            signs_from: Some(now - TimeDelta::seconds(age)),
        })?;
    }
    let authority = DevelopmentAuthority::new(folder, country.as_str());
    Ok((pki.key_files, Arc::new(authority)))
}
