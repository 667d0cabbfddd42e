//! Signatures by every version of a key, alone and in batches.

use std::sync::Arc;

use futures::future::join_all;
use mediator_ddcc::signing::vault::{VaultLogin, VaultTransit};
use mediator_ddcc::signing::{Algorithm, KeyStore as _, SigningError};
use serde_json::json;

use crate::support;

#[tokio::test(flavor = "multi_thread")]
async fn signs_with_both_algorithms_alone_and_together() {
    let Some(vault) = support::shared().await else {
        return;
    };
    for (kind, algorithm, length) in [
        ("ecdsa-p256", Algorithm::Es256, 64),
        ("rsa-2048", Algorithm::Ps256, 256),
        ("rsa-3072", Algorithm::Ps256, 384),
    ] {
        let name = support::key(vault, kind).await;
        let keys = support::transit(vault, &name).await;
        let held = keys.keys().await.unwrap();
        let [key] = held.as_slice() else {
            panic!("{held:?}")
        };
        assert_eq!(key.public_key.algorithm(), algorithm);
        assert_eq!(key.name, format!("transit/keys/{name}:v1"));
        assert!(key.created_at.is_some());
        assert_eq!(key.warning, None);
        assert!(keys.name().contains(&vault.url()));

        let signature = keys.sign(key, b"message").await.unwrap();
        assert_eq!(signature.len(), length);
        assert!(key.public_key.verify(b"message", &signature));

        let messages: Vec<Vec<u8>> = (0..40).map(|n: u32| n.to_be_bytes().to_vec()).collect();
        let signed = join_all(messages.iter().map(|message| keys.sign(key, message))).await;
        for (message, signature) in messages.iter().zip(signed) {
            assert!(key.public_key.verify(message, &signature.unwrap()));
        }
    }
}

#[tokio::test]
async fn each_version_signs_as_itself_whatever_was_made_meanwhile() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::key(vault, "ecdsa-p256").await;
    let keys = support::transit(vault, &name).await;
    let first = keys.keys().await.unwrap().remove(0);
    let second = keys.generate(Algorithm::Es256).await.unwrap();
    assert_eq!(second.name, format!("transit/keys/{name}:v2"));
    assert_ne!(first.public_key, second.public_key);
    assert_eq!(keys.keys().await.unwrap(), [first.clone(), second.clone()]);
    // The same, of one who was not asked for the second.
    let elsewhere = support::transit(vault, &name).await;
    for keys in [&keys, &elsewhere] {
        let signed = join_all(
            [&first, &second, &first, &second]
                .into_iter()
                .map(|key| async move { (key, keys.sign(key, b"message").await.unwrap()) }),
        );
        for (key, signature) in signed.await {
            assert!(key.public_key.verify(b"message", &signature));
        }
    }
}

#[tokio::test]
async fn a_version_that_is_disabled_says_so_and_the_others_sign_on() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::key(vault, "ecdsa-p256").await;
    let keys = support::transit(vault, &name).await;
    let first = keys.keys().await.unwrap().remove(0);
    let second = keys.generate(Algorithm::Es256).await.unwrap();
    let path = format!("transit/keys/{name}/config");
    vault
        .done("POST", &path, json!({ "min_encryption_version": 2 }))
        .await;

    let (alone, others) = (
        keys.sign(&first, b"message").await,
        join_all((0..3).map(|_| keys.sign(&first, b"message"))).await,
    );
    for refused in others.into_iter().chain([alone]) {
        let Err(SigningError::Refused(text)) = refused else {
            panic!("{refused:?}")
        };
        assert!(text.contains("version 1 of the key"), "{text}");
        assert!(text.contains("min_encryption_version=0"), "{text}");
    }
    let signature = keys.sign(&second, b"message").await.unwrap();
    assert!(second.public_key.verify(b"message", &signature));
    assert_eq!(keys.keys().await.unwrap(), std::slice::from_ref(&second));

    vault
        .done("POST", &path, json!({ "min_encryption_version": 0 }))
        .await;
    assert!(keys.sign(&first, b"message").await.is_ok());
}

#[tokio::test]
async fn a_key_that_was_replaced_behind_its_back_signs_nothing() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::key(vault, "ecdsa-p256").await;
    let keys = support::transit(vault, &name).await;
    let key = keys.keys().await.unwrap().remove(0);
    let path = format!("transit/keys/{name}");
    let allowed = json!({ "deletion_allowed": true });
    vault.done("POST", &format!("{path}/config"), allowed).await;
    vault.done("DELETE", &path, json!({})).await;
    vault.create_key("transit", &name, "ecdsa-p256").await;

    let Err(SigningError::Refused(text)) = keys.sign(&key, b"message").await else {
        panic!("signed with another key")
    };
    assert!(text.contains("public key does not verify"), "{text}");
    // From now on it knows better.
    let refused = keys.sign(&key, b"message").await;
    assert!(matches!(refused, Err(SigningError::UnknownKey)));
    support::sign(&keys).await.unwrap();
}

#[tokio::test]
async fn makes_the_key_where_there_is_none() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::name("new");
    let keys = support::transit(vault, &name).await;
    let missing = keys.keys().await.unwrap_err().to_string();
    let make = format!("vault write -f transit/keys/{name} type=ecdsa-p256");
    assert!(missing.contains(&make), "{missing}");
    let key = keys.generate(Algorithm::Es256).await.unwrap();
    assert_eq!(key.name, format!("transit/keys/{name}:v1"));
    assert_eq!(key.warning, None);
    support::sign(&keys).await.unwrap();
    let refused = keys.generate(Algorithm::Ps256).await.unwrap_err();
    assert!(refused.to_string().contains("PS256"), "{refused}");
    assert_eq!(keys.keys().await.unwrap(), [key]);
}

#[tokio::test]
async fn says_what_is_wrong_with_a_key() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let edwards = support::key(vault, "ed25519").await;
    let keys = support::transit(vault, &edwards).await;
    let refused = keys.keys().await.unwrap_err().to_string();
    assert!(refused.contains("of the type ed25519"), "{refused}");
    assert!(refused.contains("ecdsa-p256"), "{refused}");

    for property in ["exportable", "allow_plaintext_backup"] {
        let name = support::name("open");
        let path = format!("transit/keys/{name}");
        let open = json!({ "type": "ecdsa-p256", property: true });
        vault.done("POST", &path, open).await;
        let keys = support::transit(vault, &name).await;
        let key = keys.keys().await.unwrap().remove(0);
        let warning = key.warning.unwrap();
        assert!(warning.contains(property), "{warning}");
    }

    let mut settings = support::settings(
        vault,
        "any",
        VaultLogin::Token(support::secret(&vault.root_token())),
    );
    settings.mount = "nowhere".to_owned();
    let keys = VaultTransit::new(&settings).unwrap();
    let refused = keys.keys().await.unwrap_err().to_string();
    assert!(refused.contains("nowhere/keys/any"), "{refused}");
    for wrong in ["", "a b", "../x", "a?b", "a//b"] {
        settings.key = wrong.to_owned();
        assert!(VaultTransit::new(&settings).is_err(), "{wrong:?}");
    }
}

#[tokio::test]
async fn refuses_what_exceeds_the_queue() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::key(vault, "ecdsa-p256").await;
    support::allow(vault, &name).await;
    let token = vault.create_token(&[&name], "1h").await;
    let mut settings = support::settings(vault, &name, VaultLogin::Token(support::secret(&token)));
    settings.maximum_waiting = 2;
    let keys = Arc::new(VaultTransit::new(&settings).unwrap());
    let key = keys.keys().await.unwrap().remove(0);
    // All of them come before this thread works on any.
    let signed = join_all((0..10).map(|_| keys.sign(&key, b"message"))).await;
    let refused: Vec<_> = signed.iter().filter_map(|one| one.as_ref().err()).collect();
    assert_eq!(refused.len(), 8);
    for error in refused {
        assert!(matches!(error, SigningError::Unavailable(_)), "{error}");
        assert!(error.to_string().contains("2 signatures are waiting"));
    }
}
