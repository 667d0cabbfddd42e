use std::sync::Arc;

use chrono::Utc;
use mediator_ddcc::signing::key_file::KeyFileSigner;
use mediator_ddcc::signing::pkcs11::Pkcs11Token;
use mediator_ddcc::signing::{
    CertificateStore, KeyFolder, KeyManagement, KeyStore, KeyUse, ListedKey, Signer as _,
};

use super::certificates::valid;
use super::check::Check;
use super::finding::Finding;
use super::vault;
use crate::configuration::Configuration;
use crate::service::signer::{KEYS, certificates_folder};

const NAME: &str = "signing keys";
const CERTIFICATE: &str = "signing certificate";

/// Whether there are keys, and a certificate that is good for a while.
pub(super) fn check(configuration: &Configuration) -> Check {
    let configuration = configuration.clone();
    Check::new(NAME, async move { look(&configuration).await })
}

async fn look(configuration: &Configuration) -> Vec<Finding> {
    let signing = &configuration.signing;
    if signing.vault.url.is_some() {
        return vault::look(configuration).await;
    }
    let keys_folder = signing
        .keys_folder
        .clone()
        .unwrap_or_else(|| configuration.data_directory.join(KEYS));
    let keys: Arc<dyn KeyStore> = if let Some(settings) = signing.pkcs11.settings() {
        let opened = tokio::task::spawn_blocking(move || Pkcs11Token::open(settings)).await;
        match opened {
            Ok(Ok(token)) => Arc::new(token),
            Ok(Err(error)) => return vec![Finding::error(NAME, &error)],
            Err(error) => return vec![Finding::error(NAME, &error)],
        }
    } else if let (Some(key), Some(certificate)) = (&signing.key_file, &signing.certificate_file) {
        let signer = match KeyFileSigner::read(key, certificate) {
            Ok(signer) => signer,
            Err(error) => return vec![Finding::error(NAME, &error)],
        };
        let store = CertificateStore::new(certificates_folder(configuration));
        let is_first = store.read().is_ok_and(|stored| stored.is_empty());
        if is_first {
            // It signs from the first start on.
            let identity = signer.identity();
            let certificate = &identity.certificate;
            return vec![
                Finding::ok(
                    NAME,
                    format!("{} is a key of its certificate", key.display()),
                ),
                valid(
                    CERTIFICATE,
                    certificate.not_before(),
                    certificate.not_after(),
                ),
            ];
        }
        Arc::new(KeyFolder::new(vec![key.clone()], keys_folder))
    } else if signing.keys_folder.is_some() {
        Arc::new(KeyFolder::new(Vec::new(), keys_folder))
    } else {
        return vec![Finding::warning(
            NAME,
            "none are configured: keys for trying out are used, which nobody else trusts",
            "set signing.vault, signing.pkcs11 or signing.key_file",
        )];
    };
    listed(configuration, keys).await
}

/// What is said about keys and their certificates, by whatever holds them.
pub(super) async fn listed(configuration: &Configuration, keys: Arc<dyn KeyStore>) -> Vec<Finding> {
    let name = keys.name();
    let management = KeyManagement {
        keys,
        certificates: CertificateStore::new(certificates_folder(configuration)),
        authority: None,
    };
    match management.list(Utc::now()).await {
        Ok(listed) => findings(&name, &listed),
        Err(error) => vec![Finding::error(NAME, &error)],
    }
}

fn findings(store: &str, listed: &[ListedKey]) -> Vec<Finding> {
    let held = listed.iter().filter_map(|listed| listed.key.as_ref());
    let mut names: Vec<&str> = held.clone().map(|key| &*key.name).collect();
    names.dedup();
    let mut findings = vec![match names.as_slice() {
        [] => Finding::failed(
            NAME,
            format!("there are none in {store}"),
            "make one with `mediator-runner keys csr`, or set the right place for them",
        ),
        [one] => Finding::ok(NAME, format!("{one} in {store}")),
        several => Finding::ok(NAME, format!("{} in {store}", several.len())),
    }];
    let mut warned = Vec::new();
    for key in held {
        if let Some(warning) = key
            .warning
            .as_ref()
            .filter(|_| !warned.contains(&&key.name))
        {
            warned.push(&key.name);
            let advice = "make a new key, and rotate to it with `mediator-runner keys rotate`";
            findings.push(Finding::warning(NAME, warning, advice));
        }
    }
    findings.push(certificate(listed));
    findings
}

fn certificate(listed: &[ListedKey]) -> Finding {
    let now = Utc::now();
    let current = listed
        .iter()
        .find(|listed| matches!(listed.key_use, KeyUse::Signs | KeyUse::KeyMissing));
    let next = listed
        .iter()
        .find(|listed| matches!(listed.key_use, KeyUse::SignsFrom(_)));
    match current.map(|listed| (listed.key_use, &listed.certificate)) {
        Some((KeyUse::KeyMissing, _)) => Finding::failed(
            CERTIFICATE,
            "the certificate that is to sign now is of a key that is not held here",
            "name the place of its key again, or change to another with `mediator-runner keys`",
        ),
        Some((_, Some(stored))) => {
            let certificate = &stored.certificate;
            let finding = valid(
                CERTIFICATE,
                certificate.not_before(),
                certificate.not_after(),
            );
            // A successor that begins in time is what the warning asks for.
            match next.map(|next| next.key_use) {
                Some(KeyUse::SignsFrom(from)) if from < certificate.not_after() && from > now => {
                    let details = format!("{}; the next signs from {from}", finding.details);
                    Finding::ok(CERTIFICATE, details)
                }
                _ => finding,
            }
        }
        _ => Finding::failed(
            CERTIFICATE,
            "there is none to sign with",
            "request one with `mediator-runner keys csr`, and import it with `mediator-runner keys import`",
        ),
    }
}
