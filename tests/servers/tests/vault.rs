//! The Vault of the tests starts, keeps its keys over a kill, seals, and logs what is asked of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use real_servers::vault::RealVault;
use serde_json::json;

#[tokio::test]
async fn a_persistent_vault_keeps_its_keys_over_a_kill() {
    let Some(vault) = RealVault::start_persistent().await else {
        return;
    };
    let health = vault.api("GET", "sys/health", None).await;
    assert_eq!(health.body["version"], RealVault::VERSION);
    vault.enable_transit("transit").await;
    vault.create_key("transit", "one", "ecdsa-p256").await;
    let before = vault.api("GET", "transit/keys/one", None).await;

    vault.kill().await;
    vault.restart_sealed().await;
    assert_eq!(vault.api("GET", "transit/keys/one", None).await.status, 503);
    vault.unseal().await;
    let after = vault.api("GET", "transit/keys/one", None).await;
    assert_eq!(before.body["data"], after.body["data"]);

    vault.seal().await;
    assert_eq!(vault.api("GET", "transit/keys/one", None).await.status, 503);
    vault.unseal().await;
    assert_eq!(vault.api("GET", "transit/keys/one", None).await.status, 200);
}

#[tokio::test]
async fn a_vault_issues_lets_log_on_and_logs() {
    let Some(vault) = RealVault::start().await else {
        return;
    };
    let audit = vault.enable_audit(&["X-Correlation-ID"]).await;
    let authority = vault.enable_pki("pki", "XX").await;
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"));
    let policy = json!({ "path": { "pki/roles/*": { "capabilities": ["read"] } } });
    vault.write_policy("reader", policy).await;

    let role = vault.enable_approle("approle", "reader", "1h", "2h").await;
    let secrets = json!({ "role_id": role.role_id, "secret_id": role.secret_id });
    let by_role = vault.done("POST", "auth/approle/login", secrets).await;
    let issuer = vault.enable_jwt("jwt", "reader", "1h").await;
    let login = |seconds| json!({ "role": "mediator", "jwt": issuer.token(seconds) });
    let by_jwt = vault.done("POST", "auth/jwt/login", login(60)).await;
    let ended = vault.api("POST", "auth/jwt/login", Some(login(-600))).await;
    assert_eq!(ended.status, 400, "{}", ended.body);

    for login in [by_role, by_jwt] {
        let token = login["auth"]["client_token"].as_str().unwrap();
        let read = vault
            .api_as(token, "GET", "pki/roles/document-signer", None)
            .await;
        assert_eq!(read.status, 200);
        let refused = vault.api_as(token, "GET", "sys/mounts", None).await;
        assert_eq!(refused.status, 403);
    }

    let token = vault.create_token(&["reader"], "1h").await;
    vault.revoke(&token).await;
    let refused = vault
        .api_as(&token, "GET", "pki/roles/document-signer", None)
        .await;
    assert_eq!(refused.status, 403);
    let log = std::fs::read_to_string(audit).unwrap();
    assert!(log.contains("pki/roles/document-signer"));
}
