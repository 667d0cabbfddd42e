//! Vault is down, sealed, slow: a clear error, nothing signed, and recovery by itself.

use std::time::{Duration, Instant};

use mediator_ddcc::signing::vault::{VaultLogin, VaultTransit};
use mediator_ddcc::signing::{KeyStore as _, SigningError, StoredKey};
use real_servers::vault::RealVault;

use crate::support;

async fn persistent() -> Option<(RealVault, VaultTransit)> {
    let vault = RealVault::start_persistent().await?;
    vault.enable_transit("transit").await;
    vault.create_key("transit", "signer", "ecdsa-p256").await;
    support::allow(&vault, "signer").await;
    let token = vault.create_token(&["signer"], "1h").await;
    let login = VaultLogin::Token(support::secret(&token));
    let mut settings = support::settings(&vault, "signer", login);
    settings.wait = Duration::from_secs(5);
    settings.back_end.timeout = Duration::from_secs(5);
    let keys = VaultTransit::new(&settings).unwrap();
    Some((vault, keys))
}

async fn refusal(keys: &VaultTransit, key: &StoredKey) -> String {
    match keys.sign(key, b"message").await {
        Err(SigningError::Unavailable(text)) => text,
        other => panic!("{other:?}"),
    }
}

/// Signs as soon as it can again; the circuit breaker does not ask all the time.
async fn recovers(keys: &VaultTransit, key: &StoredKey) {
    let begun = Instant::now();
    loop {
        match keys.sign(key, b"message").await {
            Ok(signature) => {
                assert!(key.public_key.verify(b"message", &signature));
                return;
            }
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(120), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn sealed_killed_restarted_and_unsealed() {
    let Some((vault, keys)) = persistent().await else {
        return;
    };
    let key = keys.keys().await.unwrap().remove(0);
    keys.sign(&key, b"message").await.unwrap();

    vault.seal().await;
    let text = refusal(&keys, &key).await;
    assert!(text.contains("vault operator unseal"), "{text}");
    vault.unseal().await;
    recovers(&keys, &key).await;

    vault.kill().await;
    let text = refusal(&keys, &key).await;
    assert!(text.contains("Vault"), "{text}");
    vault.restart_sealed().await;
    refusal(&keys, &key).await;
    vault.unseal().await;
    recovers(&keys, &key).await;
}

#[tokio::test]
async fn a_vault_that_does_not_answer_is_not_waited_for_longer_than_is_set() {
    let Some((vault, keys)) = persistent().await else {
        return;
    };
    let key = keys.keys().await.unwrap().remove(0);
    vault.pause().await;
    let text = refusal(&keys, &key).await;
    assert!(
        text.contains("within 5 s") || text.contains("did not answer"),
        "{text}"
    );
    vault.resume().await;
    recovers(&keys, &key).await;
}

#[tokio::test]
async fn a_vault_that_is_down_at_the_start_is_used_once_it_is_up() {
    let Some((vault, keys)) = persistent().await else {
        return;
    };
    vault.kill().await;
    let error = keys.keys().await.unwrap_err();
    assert!(matches!(error, SigningError::Unavailable(_)), "{error}");
    let text = error.to_string();
    assert!(text.contains("cannot be reached"), "{text}");
    assert!(text.contains(&vault.url()), "{text}");
    vault.restart().await;
    let begun = Instant::now();
    let key = loop {
        match keys.keys().await {
            Ok(held) => break held[0].clone(),
            Err(error) => assert!(begun.elapsed() < Duration::from_secs(120), "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    keys.sign(&key, b"message").await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_refused() {
    let Some((vault, _)) = persistent().await else {
        return;
    };
    let login = VaultLogin::Token(support::secret(&vault.root_token()));
    let mut settings = support::settings(&vault, "signer", login);
    settings.back_end.trust = mediator_core::back_end::Trust::System;
    let keys = VaultTransit::new(&settings).unwrap();
    let text = keys.keys().await.unwrap_err().to_string();
    assert!(text.contains("no secure connection to Vault"), "{text}");
}
