//! Every login, kept up over renewals, its end and revocation.

use std::time::{Duration, Instant};

use mediator_ddcc::signing::vault::{VaultLogin, VaultSecret, VaultTransit};
use mediator_ddcc::signing::{KeyStore as _, SigningError};
use real_servers::vault::RealVault;
use serde_json::json;

use crate::support;

async fn prepared(vault: &RealVault) -> String {
    let name = support::key(vault, "ecdsa-p256").await;
    support::allow(vault, &name).await;
    name
}

fn open(vault: &RealVault, key: &str, login: VaultLogin) -> VaultTransit {
    VaultTransit::new(&support::settings(vault, key, login)).unwrap()
}

#[tokio::test]
async fn by_approle_jwt_and_kubernetes() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let key = prepared(vault).await;
    let folder = tempfile::tempdir().unwrap();

    let mount = support::name("roles");
    let role = vault.enable_approle(&mount, &key, "1h", "2h").await;
    let secret_file = folder.path().join("secret-id");
    std::fs::write(&secret_file, format!("{}\n", role.secret_id)).unwrap();
    let approle = VaultLogin::AppRole {
        mount,
        role_id: role.role_id,
        secret_id: VaultSecret::File(secret_file),
    };
    support::sign(&open(vault, &key, approle)).await.unwrap();

    let mount = support::name("tokens");
    let issuer = vault.enable_jwt(&mount, &key, "1h").await;
    let jwt = VaultLogin::Jwt {
        mount: mount.clone(),
        role: "mediator".to_owned(),
        token: support::secret(&issuer.token(600)),
    };
    support::sign(&open(vault, &key, jwt)).await.unwrap();

    // The method `kubernetes` takes the same; what it does with Kubernetes is Vault's.
    let token_file = folder.path().join("token");
    let kubernetes = VaultLogin::Kubernetes {
        mount,
        role: "mediator".to_owned(),
        token_file: token_file.clone(),
    };
    let keys = open(vault, &key, kubernetes);
    let missing = support::sign(&keys).await.unwrap_err();
    assert!(
        missing.contains("log on to Vault by kubernetes"),
        "{missing}"
    );
    assert!(missing.contains("token"), "{missing}");
    std::fs::write(&token_file, issuer.token(-600)).unwrap();
    let ended = until(&keys, |signed| {
        signed
            .as_ref()
            .is_err_and(|error| error.contains("refuses it"))
    });
    assert!(!ended.await.unwrap_err().contains(&issuer.token(600)[..20]));
    std::fs::write(&token_file, issuer.token(600)).unwrap();
    until(&keys, Result::is_ok).await.unwrap();
}

#[tokio::test]
async fn a_token_from_a_file_is_replaced_by_the_next_one_there() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let key = prepared(vault).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("vault-token");
    let token = vault.create_token(&[&key], "1h").await;
    std::fs::write(&file, &token).unwrap();
    let login = VaultLogin::Token(VaultSecret::File(file.clone()));
    let keys = open(vault, &key, login);
    support::sign(&keys).await.unwrap();

    vault.revoke(&token).await;
    let refused = support::sign(&keys).await.unwrap_err();
    assert!(refused.contains("put a new one there"), "{refused}");
    assert!(refused.contains(&file.display().to_string()), "{refused}");
    assert!(!refused.contains(&token), "{refused}");
    let next = vault.create_token(&[&key], "1h").await;
    std::fs::write(&file, next).unwrap();
    until(&keys, Result::is_ok).await.unwrap();
}

#[tokio::test]
async fn a_token_that_is_revoked_in_use_is_replaced_by_a_login() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let key = prepared(vault).await;
    let mount = support::name("roles");
    let role = vault.enable_approle(&mount, &key, "1h", "2h").await;
    let login = VaultLogin::AppRole {
        mount: mount.clone(),
        role_id: role.role_id,
        secret_id: support::secret(&role.secret_id),
    };
    let keys = open(vault, &key, login);
    let held = keys.keys().await.unwrap();
    keys.sign(&held[0], b"message").await.unwrap();
    // Every token of that method.
    let prefix = format!("sys/leases/revoke-prefix/auth/{mount}/login");
    vault.done("PUT", &prefix, json!({})).await;
    keys.sign(&held[0], b"message").await.unwrap();
}

#[tokio::test]
async fn a_token_is_renewed_and_when_it_cannot_be_there_is_another_login() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let key = prepared(vault).await;
    let mount = support::name("roles");
    // Renewed after some two seconds; ends for good after six.
    let role = vault.enable_approle(&mount, &key, "3s", "6s").await;
    let login = VaultLogin::AppRole {
        mount,
        role_id: role.role_id,
        secret_id: support::secret(&role.secret_id),
    };
    let keys = open(vault, &key, login);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(8) {
        support::sign(&keys).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_policy_that_lacks_something_is_told_apart_from_a_bad_token() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let key = support::key(vault, "ecdsa-p256").await;
    let read_only = json!({ "path": {
        format!("transit/keys/{key}"): { "capabilities": ["read"] },
    } });
    vault.write_policy(&key, read_only).await;
    let token = vault.create_token(&[&key], "1h").await;
    let keys = open(vault, &key, VaultLogin::Token(support::secret(&token)));
    let held = keys.keys().await.unwrap();
    let Err(SigningError::Refused(text)) = keys.sign(&held[0], b"message").await else {
        panic!("signed without permission")
    };
    let missing = format!("path \"transit/sign/{key}\" {{ capabilities = [\"update\"] }}");
    assert!(text.contains(&missing), "{text}");
    support::allow(vault, &key).await;
    keys.sign(&held[0], b"message").await.unwrap();
}

#[test]
fn nothing_prints_a_secret() {
    let login = VaultLogin::AppRole {
        mount: "approle".to_owned(),
        role_id: "role".to_owned(),
        secret_id: support::secret("hunter2"),
    };
    let back_end = mediator_core::back_end::BackEndSettings::new(
        "Vault",
        "https://vault.example".parse().unwrap(),
    );
    let settings = mediator_ddcc::signing::vault::VaultSettings::new(back_end, login, "key");
    let shown = format!("{settings:?}");
    assert!(
        shown.contains("role") && !shown.contains("hunter2"),
        "{shown}"
    );
}

/// Signs again and again until it goes as expected: a login that failed is not tried again at once.
async fn until(
    keys: &VaultTransit,
    expected: impl Fn(&Result<(), String>) -> bool,
) -> Result<(), String> {
    let begun = Instant::now();
    loop {
        let signed = support::sign(keys).await;
        if expected(&signed) || begun.elapsed() > Duration::from_secs(60) {
            return signed;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
