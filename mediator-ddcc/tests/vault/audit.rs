//! What Vault's audit log shows of signatures.

use std::collections::HashSet;
use std::convert::Infallible;
use std::sync::Arc;

use axum::body::Body;
use futures::future::join_all;
use http::{Request, Response};
use mediator_core::transaction::{TransactionLayer, TransactionSettings};
use mediator_ddcc::signing::KeyStore as _;
use mediator_ddcc::signing::vault::{VaultLogin, VaultTransit};
use real_servers::vault::RealVault;
use serde_json::Value;

use crate::support;

const HEADER: &str = "x-correlation-id";

/// The correlation ids of each call that signs.
fn correlation_ids(audit: &std::path::Path) -> Vec<Vec<String>> {
    let ids = |request: &Value| {
        let values = request["headers"][HEADER].as_array().cloned();
        values
            .unwrap_or_default()
            .iter()
            .flat_map(|value| value.as_str().unwrap().split(','))
            .map(ToOwned::to_owned)
            .collect()
    };
    support::requests(audit)
        .iter()
        .filter(|request| {
            request["path"]
                .as_str()
                .unwrap()
                .starts_with("transit/sign/")
        })
        .map(ids)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signature_has_a_correlation_id_of_its_transaction() {
    let Some(vault) = RealVault::start().await else {
        return;
    };
    vault.enable_transit("transit").await;
    let audit = vault.enable_audit(&["X-Correlation-ID"]).await;
    let name = support::key(&vault, "ecdsa-p256").await;
    let keys = support::transit(&vault, &name).await;
    let key = keys.keys().await.unwrap().remove(0);

    // Outside of any transaction each has an id of its own.
    keys.sign(&key, b"message").await.unwrap();
    keys.sign(&key, b"message").await.unwrap();
    let ids = correlation_ids(&audit);
    assert_eq!(ids.len(), 2);
    assert_ne!(ids[0], ids[1]);
    assert!(ids.iter().all(|ids| ids.len() == 1 && !ids[0].is_empty()));

    // Three transactions of OpenHIM at once, of four signatures each; and one that has only a trace.
    let transactions = [
        (
            "x-openhim-transactionid",
            "65a1b2c3d4e5f60718293a4b",
            "65a1b2c3d4e5f60718293a4b",
        ),
        (
            "x-openhim-transactionid",
            "75a1b2c3d4e5f60718293a4b",
            "75a1b2c3d4e5f60718293a4b",
        ),
        (
            "x-openhim-transactionid",
            "85a1b2c3d4e5f60718293a4b",
            "85a1b2c3d4e5f60718293a4b",
        ),
        (
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "0af7651916cd43dd8448eb211c80319c",
        ),
    ];
    let signer = Arc::new((keys, key));
    let bodies = join_all(transactions.map(|(header, value, _)| {
        let signer = Arc::clone(&signer);
        let handler = tower::service_fn(move |_: Request<Body>| {
            let signer = Arc::clone(&signer);
            async move {
                let (keys, key) = &*signer;
                for signature in join_all((0..4).map(|_| keys.sign(key, b"message"))).await {
                    assert!(key.public_key.verify(b"message", &signature.unwrap()));
                }
                Ok::<_, Infallible>(Response::new(Body::empty()))
            }
        });
        let settings = TransactionSettings::new("urn:mediator:test");
        let service = tower::Layer::layer(&TransactionLayer::new(settings), handler);
        let request = Request::post("/").header(header, value);
        let request = request.body(Body::empty()).unwrap();
        async move {
            let answer = tower::ServiceExt::oneshot(service, request).await.unwrap();
            let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await;
            body.unwrap()
        }
    }))
    .await;
    let calls = correlation_ids(&audit).split_off(2);
    let logged: HashSet<String> = calls.iter().flatten().cloned().collect();
    let expected = transactions.map(|(_, _, id)| id.to_owned());
    assert_eq!(logged, expected.into());
    assert!(calls.len() <= 16, "{calls:?}");

    // OpenHIM sees each signature where it belongs, and nothing of the others.
    for (body, (_, _, id)) in bodies.iter().zip(&transactions[..3]) {
        let envelope: Value = serde_json::from_slice(body).unwrap();
        let recorded = envelope["orchestrations"].as_array().unwrap();
        assert_eq!(recorded.len(), 4, "{envelope}");
        for one in recorded {
            assert_eq!(one["group"], "Vault");
            assert_eq!(one["request"]["path"], format!("/v1/transit/sign/{name}"));
            assert_eq!(one["response"]["status"], 200);
        }
        let text = envelope.to_string();
        for (_, _, other) in transactions.iter().filter(|(_, _, other)| other != id) {
            assert!(!text.contains(other));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wanted_at_the_same_time_is_one_call() {
    let Some(vault) = RealVault::start().await else {
        return;
    };
    vault.enable_transit("transit").await;
    let audit = vault.enable_audit(&["X-Correlation-ID"]).await;
    let name = support::key(&vault, "ecdsa-p256").await;
    let keys = support::transit(&vault, &name).await;
    let key = keys.keys().await.unwrap().remove(0);
    let signed = join_all((0..200).map(|_| keys.sign(&key, b"message"))).await;
    assert!(signed.into_iter().all(|signed| signed.is_ok()));
    let calls = correlation_ids(&audit);
    let ids: HashSet<&String> = calls.iter().flatten().collect();
    assert_eq!(ids.len(), 200);
    assert!(calls.len() < 100, "{} calls", calls.len());
}

#[tokio::test]
async fn vault_tells_how_it_is_and_whether_it_logs_correlation_ids() {
    let Some(vault) = RealVault::start_persistent().await else {
        return;
    };
    vault.enable_transit("transit").await;
    let open = |token: &str| {
        let login = VaultLogin::Token(support::secret(token));
        VaultTransit::new(&support::settings(&vault, "key", login)).unwrap()
    };
    let limited = vault.create_token(&["default"], "1h").await;
    let (root, limited) = (open(&vault.root_token()), open(&limited));

    // It does without being told, since 1.17.
    let path = "sys/config/auditing/request-headers/X-Correlation-ID";
    vault.done("DELETE", path, serde_json::json!({})).await;
    let health = root.client().health().await.unwrap();
    assert_eq!(health.version, RealVault::VERSION);
    let skew = chrono::Utc::now() - health.time.unwrap();
    assert!(skew.num_seconds().abs() < 120, "{skew}");
    let [warning] = health.warnings.as_slice() else {
        panic!("{health:?}")
    };
    assert!(
        warning.contains(&format!("vault write {path} hmac=false")),
        "{warning}"
    );
    let health = limited.client().health().await.unwrap();
    assert!(health.warnings[0].contains("it is not known"), "{health:?}");

    vault.enable_audit(&["X-Correlation-ID"]).await;
    let health = root.client().health().await.unwrap();
    assert_eq!(health.warnings, Vec::<String>::new());
    vault.seal().await;
    let sealed = root.client().health().await.unwrap_err();
    assert!(sealed.to_string().contains("unseal"), "{sealed}");
}

#[tokio::test]
async fn every_call_names_the_namespace() {
    let Some(vault) = RealVault::start().await else {
        return;
    };
    vault.enable_transit("transit").await;
    let name = support::key(&vault, "ecdsa-p256").await;
    support::allow(&vault, &name).await;
    let role = vault.enable_approle("approle", &name, "1h", "2h").await;
    let login = VaultLogin::AppRole {
        mount: "approle".to_owned(),
        role_id: role.role_id,
        secret_id: support::secret(&role.secret_id),
    };
    let audit = vault.enable_audit(&["X-Vault-Namespace"]).await;
    let before = support::requests(&audit).len();
    let mut settings = support::settings(&vault, &name, login);
    settings.namespace = Some("ministry/health".to_owned());
    // This Vault has none and passes over the name; it logs it, though.
    let keys = VaultTransit::new(&settings).unwrap();
    support::sign(&keys).await.unwrap();
    let requests = support::requests(&audit).split_off(before);
    assert_eq!(requests.len(), 3, "a login, the key, a signature");
    for request in requests {
        let namespace = &request["headers"]["x-vault-namespace"];
        assert_eq!(*namespace, serde_json::json!(["ministry/health"]));
    }
}
