//! Keys in Vault.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use mediator_core::back_end::BackEndSettings;
use mediator_ddcc::signing::vault::{
    VaultPki, VaultPkiSettings, VaultSettings, VaultSettingsError, VaultTransit,
};
use mediator_ddcc::signing::{
    CertificateAuthority, CertificateRenewal, CertificateStore, KeyManagement, RotatingSigner,
    SignerError, SigningError, Subject,
};
use tokio::time::{Instant, sleep};

use super::super::StartError;
use super::certificates_folder;
use crate::configuration::Configuration;

/// In messages, and the group of its calls in OpenHIM.
pub(crate) const NAME: &str = "Vault";
/// Between two attempts to start.
const PAUSE: Duration = Duration::from_secs(2);

/// Keys and certificates, and the Vault that they are in.
pub(crate) struct InVault {
    pub(crate) management: KeyManagement,
    pub(crate) transit: Arc<VaultTransit>,
}

/// Vault's keys with the certificates of this store. Nothing is sent yet.
///
/// # Errors
/// [`StartError::Vault`].
pub(crate) fn key_management(
    configuration: &Configuration,
    certificates: CertificateStore,
) -> Result<InVault, StartError> {
    let vault = &configuration.signing.vault;
    let incomplete = || VaultSettingsError::Name(String::new());
    let url = vault.url.as_ref().and_then(|url| url.parse().ok());
    let mut back_end = BackEndSettings::new(NAME, url.ok_or_else(incomplete)?);
    vault.connection.apply(&mut back_end);
    let login = vault.login.settings().ok_or_else(incomplete)?;
    let mut settings = VaultSettings::new(back_end, login, vault.key.as_str());
    settings.namespace.clone_from(&vault.namespace);
    settings.mount.clone_from(&vault.mount);
    settings.maximum_waiting = vault.maximum_waiting;
    settings.wait = Duration::from_secs(vault.wait_seconds);
    let transit = Arc::new(VaultTransit::new(&settings)?);
    let authority = match &vault.pki.role {
        None => None,
        Some(role) => {
            let settings = VaultPkiSettings {
                mount: vault.pki.mount.clone(),
                role: role.clone(),
                verbatim: vault.pki.sign_verbatim,
                time_to_live: vault.pki.ttl.clone(),
                country: configuration.issuer.country.clone(),
            };
            let pki = VaultPki::new(transit.client().clone(), settings)?;
            Some(Arc::new(pki) as Arc<dyn CertificateAuthority>)
        }
    };
    Ok(InVault {
        management: KeyManagement {
            keys: Arc::clone(&transit) as _,
            certificates,
            authority,
        },
        transit,
    })
}

/// A signer with Vault's keys, once Vault can be used. Its certificates are renewed where Vault is
/// their authority.
pub(super) async fn open(configuration: &Configuration) -> Result<Arc<RotatingSigner>, StartError> {
    let certificates = CertificateStore::new(certificates_folder(configuration));
    let InVault {
        management,
        transit,
    } = key_management(configuration, certificates)?;
    let pki = &configuration.signing.vault.pki;
    let renewal = Arc::new(CertificateRenewal {
        management: management.clone(),
        subject: Subject {
            country: configuration.issuer.country.clone(),
            organization: configuration.issuer.name.clone(),
            common_name: "Document signer".to_owned(),
        },
        before: TimeDelta::days(i64::from(pki.renew_before_days)),
    });
    let wait = Duration::from_secs(configuration.signing.vault.start_wait_seconds);
    let deadline = Instant::now() + wait;
    let signer = loop {
        match start(&management, &renewal).await {
            Ok(signer) => break signer,
            Err(error) if is_passing(&error) && Instant::now() < deadline => {
                tracing::warn!(
                    "waiting for Vault, {} s at most: {error}",
                    configuration.signing.vault.start_wait_seconds
                );
                sleep(PAUSE).await;
            }
            Err(error) => return Err(error.into()),
        }
    };
    tell_warnings(&transit, &management).await;
    renewal.follow();
    signer.follow();
    Ok(signer)
}

async fn start(
    management: &KeyManagement,
    renewal: &CertificateRenewal,
) -> Result<Arc<RotatingSigner>, SignerError> {
    // Also the first certificate is issued like this.
    if let Err(error) = renewal.when_due(chrono::Utc::now()).await {
        tracing::warn!("no new document signing certificate yet: {error}");
    }
    let keys = Arc::clone(&management.keys);
    RotatingSigner::open(keys, management.certificates.clone()).await
}

fn is_passing(error: &SignerError) -> bool {
    matches!(
        error,
        SignerError::Keys {
            source: SigningError::Unavailable(_),
            ..
        }
    )
}

/// What an operator should mend, and what does not keep from signing.
async fn tell_warnings(transit: &VaultTransit, management: &KeyManagement) {
    match transit.client().health().await {
        Ok(health) => {
            for warning in health.warnings {
                tracing::warn!("{warning}");
            }
        }
        Err(error) => tracing::warn!(%error, "Vault does not tell how it is"),
    }
    if let Ok(keys) = management.keys.keys().await {
        for key in keys {
            if let Some(warning) = key.warning {
                tracing::warn!(key = key.name, "{warning}");
            }
        }
    }
}
