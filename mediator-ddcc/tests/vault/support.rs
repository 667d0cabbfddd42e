//! A Vault that the tests share, and keys of their own in it.

use std::time::Duration;

use mediator_core::back_end::{BackEndSettings, Trust};
use mediator_ddcc::signing::KeyStore as _;
use mediator_ddcc::signing::vault::{VaultLogin, VaultSecret, VaultSettings, VaultTransit};
use real_servers::vault::RealVault;
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;

static VAULT: OnceCell<Option<RealVault>> = OnceCell::const_new();

/// A Vault in development mode with transit at `transit` and an authority of CH at `pki`.
pub(crate) async fn shared() -> Option<&'static RealVault> {
    let started = VAULT.get_or_init(|| async {
        let vault = RealVault::start().await?;
        vault.enable_transit("transit").await;
        vault.enable_pki("pki", "CH").await;
        Some(vault)
    });
    started.await.as_ref()
}

/// A name that no other test uses.
pub(crate) fn name(of: &str) -> String {
    format!("{of}-{}", Uuid::new_v4().simple())
}

/// A key of this type in the engine at `transit`.
pub(crate) async fn key(vault: &RealVault, kind: &str) -> String {
    let name = name(kind);
    vault.create_key("transit", &name, kind).await;
    name
}

/// What may sign with the key, read it and make versions of it, and issue certificates: a policy
/// of that name is written.
pub(crate) async fn allow(vault: &RealVault, key: &str) {
    let policy = json!({ "path": {
        format!("transit/sign/{key}"): { "capabilities": ["update"] },
        format!("transit/keys/{key}"): { "capabilities": ["read", "create", "update"] },
        format!("transit/keys/{key}/rotate"): { "capabilities": ["update"] },
        "pki/sign/document-signer": { "capabilities": ["update"] },
    } });
    vault.write_policy(key, policy).await;
}

pub(crate) fn settings(vault: &RealVault, key: &str, login: VaultLogin) -> VaultSettings {
    let mut back_end = BackEndSettings::new("Vault", vault.url().parse().unwrap());
    if vault.url().starts_with("https:") {
        back_end.trust = Trust::CertificateAuthority(vault.certificate_authority());
    }
    let mut settings = VaultSettings::new(back_end, login, key);
    settings.wait = Duration::from_secs(60);
    settings
}

/// The key as a mediator uses it that may do what [`allow`] allows.
pub(crate) async fn transit(vault: &RealVault, key: &str) -> VaultTransit {
    allow(vault, key).await;
    let token = vault.create_token(&[key], "1h").await;
    let login = VaultLogin::Token(secret(&token));
    VaultTransit::new(&settings(vault, key, login)).unwrap()
}

pub(crate) fn secret(text: &str) -> VaultSecret {
    VaultSecret::Value(text.to_owned().into())
}

/// Signs with the newest version and sees that the signature is good.
pub(crate) async fn sign(keys: &VaultTransit) -> Result<(), String> {
    let held = keys.keys().await.map_err(|error| error.to_string())?;
    let key = held.last().ok_or("there is no key")?;
    let signature = keys.sign(key, b"message").await;
    let signature = signature.map_err(|error| error.to_string())?;
    assert!(key.public_key.verify(b"message", &signature));
    Ok(())
}

/// What Vault's audit log has of requests so far.
pub(crate) fn requests(audit: &std::path::Path) -> Vec<Value> {
    let log = std::fs::read_to_string(audit).unwrap();
    log.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|entry: &Value| entry["type"] == "request")
        .map(|mut entry: Value| entry["request"].take())
        .collect()
}
