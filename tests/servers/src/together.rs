//! All the servers that a mediator is run with in production, prepared for it.

use std::time::Duration;

use serde_json::json;

use crate::hapi_fhir::{RealHapiFhir, RequiredCredentials};
use crate::keycloak::RealKeycloak;
use crate::mapping_engine::RealMappingEngine;
use crate::openhim_core::RealOpenHimCore;
use crate::postgresql::RealPostgreSql;
use crate::vault::RealVault;

const REPOSITORY_USER: &str = "mediator";
const REPOSITORY_PASSWORD: &str = "repository-password";

/// Servers that run together, each on ports of its own. Those that are not wanted are not there.
#[derive(Debug, Default)]
pub struct Servers {
    /// Transactions and their log.
    pub openhim: Option<RealOpenHimCore>,
    /// Runs the maps.
    pub matchbox: Option<RealMappingEngine>,
    /// Keeps and registers documents.
    pub hapi_fhir: Option<RealHapiFhir>,
    /// Signs, and issues the certificates of the keys.
    pub vault: Option<RealVault>,
    /// Issues tokens to clients.
    pub keycloak: Option<RealKeycloak>,
    /// Keeps the ledger.
    pub postgresql: Option<RealPostgreSql>,
    /// The token for Vault.
    vault_token: Option<String>,
}

impl Servers {
    /// What they are called.
    pub const NAMES: [&str; 6] = [
        "openhim",
        "matchbox",
        "hapi-fhir",
        "vault",
        "keycloak",
        "postgresql",
    ];

    /// Starts those whose names are wanted, all at the same time. One that is not installed is not
    /// there, which it has said on standard error.
    ///
    /// # Panics
    ///
    /// When one does not start; the message has its log.
    pub async fn start(is_wanted: impl Fn(&str) -> bool) -> Self {
        async fn when<T>(wanted: bool, start: impl Future<Output = Option<T>>) -> Option<T> {
            if wanted { start.await } else { None }
        }
        let credentials = RequiredCredentials::Basic {
            username: REPOSITORY_USER.to_owned(),
            password: REPOSITORY_PASSWORD.to_owned(),
        };
        let (openhim, matchbox, hapi_fhir, vault, keycloak, postgresql) = tokio::join!(
            when(is_wanted("openhim"), RealOpenHimCore::start()),
            when(is_wanted("matchbox"), RealMappingEngine::start()),
            when(
                is_wanted("hapi-fhir"),
                RealHapiFhir::start_with(&credentials)
            ),
            when(is_wanted("vault"), RealVault::start()),
            when(is_wanted("keycloak"), RealKeycloak::start()),
            when(is_wanted("postgresql"), RealPostgreSql::start()),
        );
        let vault_token = match &vault {
            Some(vault) => Some(prepare(vault).await),
            None => None,
        };
        Self {
            openhim,
            matchbox,
            hapi_fhir,
            vault,
            keycloak,
            postgresql,
            vault_token,
        }
    }

    /// Whether all of them run.
    pub fn are_complete(&self) -> bool {
        Self::NAMES.iter().all(|name| self.has(name))
    }

    /// Whether the one of this name runs.
    pub fn has(&self, name: &str) -> bool {
        match name {
            "openhim" => self.openhim.is_some(),
            "matchbox" => self.matchbox.is_some(),
            "hapi-fhir" => self.hapi_fhir.is_some(),
            "vault" => self.vault.is_some(),
            "keycloak" => self.keycloak.is_some(),
            "postgresql" => self.postgresql.is_some(),
            _ => false,
        }
    }

    /// The settings with which `mediator-runner` uses them, as variables of its environment.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        let mut settings = Vec::new();
        if let Some(core) = &self.openhim {
            settings.extend([
                ("MEDIATOR_OPENHIM__API_URL", core.api_url()),
                (
                    "MEDIATOR_OPENHIM__USERNAME",
                    RealOpenHimCore::USERNAME.to_owned(),
                ),
                (
                    "MEDIATOR_OPENHIM__PASSWORD",
                    RealOpenHimCore::PASSWORD.to_owned(),
                ),
                (
                    "MEDIATOR_OPENHIM__CA_FILE",
                    core.certificate_authority().display().to_string(),
                ),
            ]);
        }
        if let Some(engine) = &self.matchbox {
            settings.push(("MEDIATOR_TRANSFORMER__URL", engine.base_url()));
        }
        if let Some(server) = &self.hapi_fhir {
            settings.extend([
                ("MEDIATOR_REPOSITORY__URL", server.base_url()),
                ("MEDIATOR_REPOSITORY__USERNAME", REPOSITORY_USER.to_owned()),
                (
                    "MEDIATOR_REPOSITORY__PASSWORD",
                    REPOSITORY_PASSWORD.to_owned(),
                ),
            ]);
        }
        if let (Some(vault), Some(token)) = (&self.vault, &self.vault_token) {
            settings.extend([
                ("MEDIATOR_SIGNING__VAULT__URL", vault.url()),
                ("MEDIATOR_SIGNING__VAULT__TOKEN", token.clone()),
                (
                    "MEDIATOR_SIGNING__VAULT__PKI__ROLE",
                    "document-signer".to_owned(),
                ),
            ]);
        }
        if let Some(keycloak) = &self.keycloak {
            settings.push(("MEDIATOR_ACCESS__TOKENS__ISSUER", keycloak.issuer()));
        }
        if let Some(server) = &self.postgresql {
            settings.extend([
                ("MEDIATOR_LEDGER__URL", server.url("ledger")),
                (
                    "MEDIATOR_LEDGER__PASSWORD",
                    RealPostgreSql::PASSWORD.to_owned(),
                ),
            ]);
        }
        settings
    }
}

/// A key, the authority for its certificates, and a token that may use them and nothing else.
async fn prepare(vault: &RealVault) -> String {
    vault.enable_transit("transit").await;
    vault
        .create_key("transit", "document-signer", "ecdsa-p256")
        .await;
    vault.enable_pki("pki", "XX").await;
    let may = |capability: &str| json!({"capabilities": [capability]});
    let policy = json!({"path": {
        "transit/keys/document-signer": may("read"),
        "transit/sign/document-signer/*": may("update"),
        "transit/sign/document-signer": may("update"),
        "pki/sign/document-signer": may("update"),
    }});
    vault.write_policy("mediator", policy).await;
    let day = Duration::from_secs(24 * 60 * 60);
    vault
        .create_token(&["mediator"], &format!("{}s", day.as_secs()))
        .await
}
