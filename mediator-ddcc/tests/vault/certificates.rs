//! Document signing certificates of Vault's engine pki, and the change from one key to the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{TimeDelta, Utc};
use mediator_ddcc::signing::vault::{VaultPki, VaultPkiSettings, VaultTransit};
use mediator_ddcc::signing::{
    Algorithm, CertificateAuthority as _, CertificateRequest, CertificateStore, KeyManagement,
    KeyStore as _, KeyUse, RotatingSigner, Signer as _, SigningCertificate, Subject,
};
use real_servers::vault::RealVault;
use serde_json::json;
use tempfile::TempDir;

use crate::support;

fn pki(keys: &VaultTransit, role: &str) -> VaultPki {
    let settings = VaultPkiSettings {
        mount: "pki".to_owned(),
        role: role.to_owned(),
        verbatim: false,
        time_to_live: None,
        country: "CH".to_owned(),
    };
    VaultPki::new(keys.client().clone(), settings).unwrap()
}

fn subject() -> Subject {
    Subject {
        country: "CH".to_owned(),
        organization: "Ministry of Health".to_owned(),
        common_name: "Document signer".to_owned(),
    }
}

async fn authority(vault: &RealVault) -> SigningCertificate {
    let answer = vault.api("GET", "pki/cert/ca", None).await;
    let pem = answer.body["data"]["certificate"].as_str().unwrap();
    SigningCertificate::read_all(pem.as_bytes())
        .unwrap()
        .remove(0)
}

#[tokio::test]
async fn are_issued_for_both_algorithms_by_role_and_verbatim() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let authority = authority(vault).await;
    for (kind, algorithm) in [
        ("ecdsa-p256", Algorithm::Es256),
        ("rsa-2048", Algorithm::Ps256),
    ] {
        let name = support::key(vault, kind).await;
        let keys = support::transit(vault, &name).await;
        let key = keys.keys().await.unwrap().remove(0);
        let request = CertificateRequest::new(&keys, &key, &subject())
            .await
            .unwrap();
        let by_role = pki(&keys, "document-signer").issue(&request).await.unwrap();

        let verbatim = json!({ "path": {
            "pki/sign-verbatim/document-signer": { "capabilities": ["update"] },
        } });
        vault.write_policy(&name, verbatim).await;
        let settings = VaultPkiSettings {
            mount: "pki".to_owned(),
            role: "document-signer".to_owned(),
            verbatim: true,
            time_to_live: Some("48h".to_owned()),
            country: "CH".to_owned(),
        };
        let verbatim = VaultPki::new(keys.client().clone(), settings).unwrap();
        let verbatim = verbatim.issue(&request).await.unwrap();

        for issued in [&by_role, &verbatim] {
            let [certificate, issuer] = issued.as_slice() else {
                panic!("{issued:?}")
            };
            assert_eq!(*issuer, authority);
            assert!(certificate.is_issued_by(issuer));
            assert_eq!(certificate.public_key(), Some(&key.public_key));
            assert_eq!(certificate.key_algorithm(), Some(algorithm));
            assert_eq!(certificate.country(), Some("CH"));
            assert!(certificate.subject().contains("CN=Document signer"));
            for usage in ["1.3.6.1.4.1.1847.2021.1.1", "1.3.6.1.4.1.1847.2021.1.2"] {
                let usages = certificate.extended_key_usages();
                assert!(usages.iter().any(|found| found == usage), "{usages:?}");
            }
        }
        let days = (by_role[0].not_after() - Utc::now()).num_days();
        assert!((363..=365).contains(&days), "{days}");
        let hours = (verbatim[0].not_after() - Utc::now()).num_hours();
        assert!((46..=48).contains(&hours), "{hours}");
    }
}

#[tokio::test]
async fn that_verifiers_would_not_accept_are_refused_with_what_to_do() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::key(vault, "ecdsa-p256").await;
    let keys = support::transit(vault, &name).await;
    let key = keys.keys().await.unwrap().remove(0);
    let request = CertificateRequest::new(&keys, &key, &subject())
        .await
        .unwrap();
    let good = json!({
        "country": "CH",
        "allow_any_name": true,
        "enforce_hostnames": false,
        "server_flag": false,
        "client_flag": false,
        "key_type": "any",
        "key_usage": ["DigitalSignature"],
        "ttl": "24h",
    });
    for (change, expected) in [
        (json!({ "country": "DE" }), "country=CH"),
        (
            json!({ "server_flag": true }),
            "ext_key_usage_oids=1.3.6.1.4.1.1847.2021.1.1,",
        ),
        (
            json!({ "key_usage": ["KeyEncipherment"] }),
            "key_usage=DigitalSignature",
        ),
        (json!({ "key_type": "rsa" }), "pki/sign/"),
    ] {
        let mut role = good.clone();
        for (setting, value) in change.as_object().unwrap() {
            role[setting] = value.clone();
        }
        let role_name = support::name("role");
        vault
            .done("POST", &format!("pki/roles/{role_name}"), role)
            .await;
        let policy = json!({ "path": {
            format!("pki/sign/{role_name}"): { "capabilities": ["update"] },
        } });
        vault.write_policy(&name, policy).await;
        let refused = pki(&keys, &role_name).issue(&request).await.unwrap_err();
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    let denied = pki(&keys, "document-signer").issue(&request).await;
    let denied = denied.unwrap_err().to_string();
    let missing = "path \"pki/sign/document-signer\" { capabilities = [\"update\"] }";
    assert!(denied.contains(missing), "{denied}");
}

#[tokio::test(flavor = "multi_thread")]
async fn change_with_their_keys_while_signing_and_nothing_is_lost() {
    let Some(vault) = support::shared().await else {
        return;
    };
    let name = support::name("rotated");
    let keys = support::transit(vault, &name).await;
    let folder = TempDir::new().unwrap();
    let management = KeyManagement {
        authority: Some(Arc::new(pki(&keys, "document-signer"))),
        certificates: CertificateStore::new(folder.path()),
        keys: Arc::new(keys),
    };
    let subject = subject();
    let rotate = || management.rotate(Algorithm::Es256, &subject, Utc::now());
    let first = rotate().await.unwrap().certificate.unwrap();
    // Another login, as another process has.
    let serving = Arc::new(support::transit(vault, &name).await);
    let signer = RotatingSigner::open(serving, management.certificates.clone());
    let signer = signer.await.unwrap();
    assert_eq!(signer.identity().certificate, first.certificate);
    let held_back = signer.identity();

    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let (signer, done) = (Arc::clone(&signer), Arc::clone(&done));
            tokio::spawn(async move {
                let mut kids = Vec::new();
                while !done.load(Ordering::Relaxed) {
                    let identity = signer.identity();
                    let signature = signer.sign(&identity, b"message").await.unwrap();
                    let certificate = &identity.certificate;
                    assert!(certificate.verify(identity.algorithm, b"message", &signature));
                    kids.push(certificate.kid());
                }
                kids
            })
        })
        .collect();
    let second = rotate().await.unwrap().certificate.unwrap();
    assert_eq!(signer.look_again().await.unwrap(), None);
    assert_eq!(signer.identity().certificate, second.certificate);
    for _ in 0..20 {
        let identity = signer.identity();
        signer.sign(&identity, b"message").await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    let mut kids = Vec::new();
    for client in clients {
        kids.extend(client.await.unwrap());
    }
    assert!(kids.contains(&first.certificate.kid()));
    assert_ne!(first.certificate.kid(), second.certificate.kid());

    // What began before the change ends with the key that it began with.
    let signature = signer.sign(&held_back, b"message").await.unwrap();
    let algorithm = held_back.algorithm;
    assert!(first.certificate.verify(algorithm, b"message", &signature));
    assert!(!second.certificate.verify(algorithm, b"message", &signature));
    let known = signer.certificates();
    assert_eq!(*known, [second.certificate, first.certificate]);
    let uses: Vec<KeyUse> = management
        .list(Utc::now() + TimeDelta::seconds(60))
        .await
        .unwrap()
        .iter()
        .map(|listed| listed.key_use)
        .collect();
    assert_eq!(uses, [KeyUse::Signed, KeyUse::Signs]);
}
