//! Keys in a real Vault that fails in all the ways it can, seen over HTTP: nothing is half-issued,
//! the client is told why, and what was accepted is issued by itself when Vault is back.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use real_servers::vault::RealVault;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fhir_server::{event, folder, until};
use super::{GENERATE, Runner};

struct Signing {
    vault: RealVault,
    files: TempDir,
}

impl Signing {
    async fn start() -> Option<Self> {
        let vault = RealVault::start_persistent().await?;
        vault.enable_transit("transit").await;
        vault
            .create_key("transit", "document-signer", "ecdsa-p256")
            .await;
        vault.enable_pki("pki", "CH").await;
        let may = |capability: &str| json!({"capabilities": [capability]});
        let policy = json!({ "path": {
            "transit/sign/document-signer": may("update"),
            "transit/keys/document-signer": may("read"),
            "transit/keys/document-signer/rotate": may("update"),
            "pki/sign/document-signer": may("update"),
        } });
        vault.write_policy("mediator", policy).await;
        let files = TempDir::new().unwrap();
        Some(Self { vault, files })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Logs on with a file of this name and content.
    fn serve(&self, login: &[(&str, &str)]) -> Runner {
        let url = self.vault.url();
        let authority = self.vault.certificate_authority();
        let mut variables = vec![
            ("MEDIATOR_ISSUER__COUNTRY", "CH"),
            ("MEDIATOR_SIGNING__VAULT__URL", url.as_str()),
            (
                "MEDIATOR_SIGNING__VAULT__CA_FILE",
                authority.to_str().unwrap(),
            ),
            ("MEDIATOR_SIGNING__VAULT__WAIT_SECONDS", "2"),
            ("MEDIATOR_SIGNING__VAULT__TIMEOUT_SECONDS", "2"),
            ("MEDIATOR_SIGNING__VAULT__PKI__ROLE", "document-signer"),
            ("MEDIATOR_JOBS__FINISH_INTERRUPTED", "* * * * * *"),
        ];
        variables.extend(login);
        Runner::configured(&variables)
    }

    async fn serve_with_role(&self) -> Runner {
        let role = self
            .vault
            .enable_approle("approle", "mediator", "1h", "24h")
            .await;
        let file = self.file("secret-id");
        fs::write(&file, role.secret_id).unwrap();
        self.serve(&[
            ("MEDIATOR_SIGNING__VAULT__ROLE_ID", &role.role_id),
            (
                "MEDIATOR_SIGNING__VAULT__SECRET_ID_FILE",
                file.to_str().unwrap(),
            ),
        ])
    }
}

/// 503 with a word of why and when to try again; and nothing is there of the certificate.
async fn is_refused(runner: &Runner, hcid: &str, why: &str) {
    let answer = runner.post(GENERATE, &event(hcid, 1)).await;
    let issue = answer.issue(503);
    assert_eq!(issue["code"], "transient");
    assert!(answer.headers.contains_key("retry-after"));
    let text = issue["diagnostics"].as_str().unwrap();
    assert!(text.contains(why), "{why}: {text}");
    assert!(!text.contains("Zürcher"), "{text}");
    assert_eq!(folder(runner, hcid).await.len(), 0, "half-issued");
}

/// Without anybody asking again, it is issued; and once.
async fn is_issued_by_itself(runner: &Runner, hcid: &str) {
    until("the certificate", async || {
        folder(runner, hcid).await.len() == 1
    })
    .await;
    let answer = runner.post(GENERATE, &event(hcid, 1)).await;
    answer.resource(200, "Bundle");
    assert_eq!(folder(runner, hcid).await.len(), 1);
}

async fn works(runner: &Runner, hcid: &str) -> Value {
    let answer = runner.post(GENERATE, &event(hcid, 1)).await;
    answer.resource(200, "Bundle")
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_killed_and_not_answering() {
    let Some(signing) = Signing::start().await else {
        return;
    };
    let runner = signing.serve_with_role().await;
    let vault = &signing.vault;
    works(&runner, "VAULT-BEFORE").await;

    vault.seal().await;
    is_refused(&runner, "VAULT-SEALED", "vault operator unseal").await;
    until("readiness to notice", async || {
        runner.get("/health/ready").await.status == 503
    })
    .await;
    vault.unseal().await;
    until("readiness to come back", async || {
        runner.get("/health/ready").await.status == 200
    })
    .await;
    is_issued_by_itself(&runner, "VAULT-SEALED").await;

    vault.kill().await;
    is_refused(&runner, "VAULT-KILLED", "Vault").await;
    vault.restart_sealed().await;
    is_refused(&runner, "VAULT-RESTARTED", "").await;
    vault.unseal().await;
    is_issued_by_itself(&runner, "VAULT-KILLED").await;
    is_issued_by_itself(&runner, "VAULT-RESTARTED").await;

    vault.pause().await;
    is_refused(&runner, "VAULT-PAUSED", "Vault").await;
    vault.resume().await;
    is_issued_by_itself(&runner, "VAULT-PAUSED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_that_are_not_good_any_more() {
    let Some(signing) = Signing::start().await else {
        return;
    };
    let vault = &signing.vault;
    // Somebody else gets the token and puts it into a file.
    let file = signing.file("token");
    let token = vault.create_token(&["mediator", "default"], "1h").await;
    fs::write(&file, &token).unwrap();
    let by_file = [(
        "MEDIATOR_SIGNING__VAULT__TOKEN_FILE",
        file.to_str().unwrap(),
    )];
    let runner = signing.serve(&by_file);
    works(&runner, "TOKEN-BEFORE").await;
    vault.revoke(&token).await;
    is_refused(&runner, "TOKEN-REVOKED", "token").await;
    let new = vault.create_token(&["mediator", "default"], "1h").await;
    fs::write(&file, &new).unwrap();
    is_issued_by_itself(&runner, "TOKEN-REVOKED").await;
    assert!(!runner.log().contains(&token) && !runner.log().contains(&new));

    // One that ends, and cannot be renewed.
    let body = json!({"policies": ["mediator", "default"], "ttl": "4s", "renewable": false});
    let answer = vault.done("POST", "auth/token/create", body).await;
    let short = answer.pointer("/auth/client_token").unwrap();
    fs::write(&file, short.as_str().unwrap()).unwrap();
    let runner = signing.serve(&by_file);
    works(&runner, "TOKEN-SHORT").await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    is_refused(&runner, "TOKEN-ENDED", "token").await;
    fs::write(&file, &new).unwrap();
    is_issued_by_itself(&runner, "TOKEN-ENDED").await;

    // A program that logs on does so again, and nobody notices.
    let runner = signing.serve_with_role().await;
    works(&runner, "ROLE-BEFORE").await;
    let accessors = vault.done("LIST", "auth/token/accessors", json!({})).await;
    for accessor in accessors.pointer("/data/keys").unwrap().as_array().unwrap() {
        let body = json!({ "accessor": accessor });
        let token = vault
            .done("POST", "auth/token/lookup-accessor", body.clone())
            .await;
        if token.pointer("/data/path").unwrap() == "auth/approle/login" {
            vault
                .api("POST", "auth/token/revoke-accessor", Some(body))
                .await;
        }
    }
    works(&runner, "ROLE-REVOKED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_version_that_is_disabled() {
    let Some(signing) = Signing::start().await else {
        return;
    };
    let runner = signing.serve_with_role().await;
    let vault = &signing.vault;
    works(&runner, "VERSION-BEFORE").await;
    let configure = async |least: u32| {
        let body = json!({ "min_encryption_version": least });
        let answer = vault
            .api("POST", "transit/keys/document-signer/config", Some(body))
            .await;
        assert!(answer.status < 300, "{:?}", answer.body);
    };
    // Somebody makes a version beside the mediator, and disables the one that it signs with.
    vault
        .api(
            "POST",
            "transit/keys/document-signer/rotate",
            Some(json!({})),
        )
        .await;
    configure(2).await;
    is_refused(&runner, "VERSION-DISABLED", "version").await;
    configure(1).await;
    is_issued_by_itself(&runner, "VERSION-DISABLED").await;
}
