use chrono::Utc;
use mediator_ddcc::signing::CertificateStore;

use super::clock::compare;
use super::finding::Finding;
use super::signing::listed;
use crate::configuration::Configuration;
use crate::service::signer::certificates_folder;
use crate::service::signer::vault::{InVault, NAME, key_management};

/// Whether Vault answers, is unsealed and lets us in; and its keys with their certificates.
pub(super) async fn look(configuration: &Configuration) -> Vec<Finding> {
    let certificates = CertificateStore::new(certificates_folder(configuration));
    let transit = match key_management(configuration, certificates) {
        Ok(InVault { transit, .. }) => transit,
        Err(error) => return vec![Finding::error(NAME, &error)],
    };
    let asked = Utc::now();
    let health = match transit.client().health().await {
        Ok(health) => health,
        Err(error) => return vec![Finding::error(NAME, &error)],
    };
    let mut findings = vec![Finding::ok(
        NAME,
        format!("version {}, unsealed, logged on", health.version),
    )];
    if let Some(time) = health.time {
        findings.push(compare(NAME, time, asked, Utc::now()));
    }
    for warning in health.warnings {
        let (details, advice) = warning.split_once(": ").unwrap_or((&warning, ""));
        findings.push(Finding::warning(format!("{NAME}: audit"), details, advice));
    }
    findings.extend(listed(configuration, transit).await);
    findings
}
