//! A document signing key is rotated while the server is busy.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::Value;

use super::{FHIR_JSON, GENERATE, Runner, vaccination};

const CLIENTS: usize = 3;

/// The key id that a document's signature names.
fn kid(document: &Value) -> String {
    let data = document["signature"]["data"].as_str().unwrap();
    let signature = String::from_utf8(STANDARD.decode(data).unwrap()).unwrap();
    let header = URL_SAFE_NO_PAD.decode(signature.split('.').next().unwrap());
    let header: Value = serde_json::from_slice(&header.unwrap()).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

/// Documents and codes of a certificate all verify.
async fn verifies(runner: &Runner, document: &Value) -> bool {
    let headers = [("content-type", FHIR_JSON)];
    let answer = runner
        .request(
            Method::POST,
            "/ddcc/$verify",
            &headers,
            document.to_string(),
        )
        .await;
    answer.json()["valid"] == true
}

/// Thumbprints in the key set.
async fn key_set(runner: &Runner) -> BTreeSet<String> {
    let keys = runner.get("/ddcc/shc_issuer/.well-known/jwks.json").await;
    keys.json()["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

fn signing(runner: &Runner) -> Value {
    let output = runner.operate(&["keys", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed["keys"]
        .as_array()
        .unwrap()
        .iter()
        .find(|key| key["use"] == "signs")
        .unwrap()
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_and_both_keys_verify() {
    let runner = Runner::start();
    let old = signing(&runner);
    let done = AtomicBool::new(false);
    let number = AtomicUsize::new(0);
    let client = || async {
        let mut documents = Vec::new();
        while !done.load(Ordering::Relaxed) {
            let number = number.fetch_add(1, Ordering::Relaxed);
            let answer = runner.post(GENERATE, &vaccination(number)).await;
            documents.push(answer.resource(200, "Bundle"));
        }
        documents
    };
    let rotate = async {
        // Some are issued before, and some after.
        let reach = async |wanted| {
            while number.load(Ordering::Relaxed) < wanted {
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        };
        reach(20).await;
        let output =
            tokio::task::block_in_place(|| runner.operate(&["keys", "rotate", "--json"]).stdout);
        let new: Value = serde_json::from_slice(&output).unwrap();
        let log = || runner.log().contains("signed with another key from now on");
        while !log() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        reach(number.load(Ordering::Relaxed) + 20).await;
        done.store(true, Ordering::Relaxed);
        new
    };
    let clients = futures::future::join_all((0..CLIENTS).map(|_| client()));
    let (documents, new) = futures::future::join(clients, rotate).await;
    let documents: Vec<Value> = documents.into_iter().flatten().collect();
    assert_ne!(old["kid"], new["kid"]);

    let mut kids = BTreeSet::new();
    for document in &documents {
        assert!(verifies(&runner, document).await);
        kids.insert(kid(document));
    }
    let both = [&old, &new].map(|key| key["kid"].as_str().unwrap().to_owned());
    assert_eq!(kids, BTreeSet::from(both));
    let now = signing(&runner);
    assert_eq!(now["kid"], new["kid"]);
    let both = [&old, &now].map(|key| key["thumbprint"].as_str().unwrap().to_owned());
    assert_eq!(key_set(&runner).await, BTreeSet::from(both));
}

#[tokio::test]
async fn a_restart_goes_on_with_the_newest_key() {
    let mut runner = Runner::start();
    let before = runner.post(GENERATE, &vaccination(1)).await;
    let before = before.resource(200, "Bundle");
    runner.operate(&["keys", "rotate"]);
    runner.terminate();
    runner.wait();
    let runner = Runner::in_directory(std::sync::Arc::clone(&runner.data_directory), &[]);
    let after = runner.post(GENERATE, &vaccination(2)).await;
    let after = after.resource(200, "Bundle");
    assert_ne!(kid(&before), kid(&after));
    for document in [&before, &after] {
        assert!(verifies(&runner, document).await);
    }
}
