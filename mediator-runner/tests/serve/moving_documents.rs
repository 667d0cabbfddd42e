//! An installation that issued into the embedded database gets a FHIR server, HAPI FHIR.

use std::process::Command;
use std::sync::Arc;

use real_servers::fault_proxy::FaultProxy;
use real_servers::hapi_fhir::RealHapiFhir;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fhir_server::{event, folder, until};
use super::{Answer, GENERATE, Runner};

const RUN: &str = "/jobs/move-documents/run";

fn on(data_directory: &Arc<TempDir>, url: &str) -> Runner {
    let variables = [
        ("MEDIATOR_REPOSITORY__URL", url),
        ("MEDIATOR_REPOSITORY__TIMEOUT_SECONDS", "25"),
    ];
    Runner::in_directory(Arc::clone(data_directory), &variables)
}

/// What `doctor` says of what is still to be moved.
fn left(data_directory: &TempDir, url: &str) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
        .args(["doctor", "--json"])
        .env("MEDIATOR_DATA_DIRECTORY", data_directory.path())
        .env("MEDIATOR_REPOSITORY__URL", url)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = found["checks"].as_array().unwrap().iter();
    let mut named = checks.filter(|check| check["name"] == "FHIR repository: documents to move");
    named.next().unwrap().clone()
}

async fn issue(runner: &Runner, hcid: &str, dose: u32) -> Answer {
    let answer = runner.post(GENERATE, &event(hcid, dose)).await;
    answer.resource(200, "Bundle");
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_issued_before_is_in_the_server_afterwards_and_nothing_is_lost() {
    let Some(server) = RealHapiFhir::start().await else {
        return;
    };
    let url = server.base_url();
    let data = Arc::new(TempDir::new().unwrap());
    let embedded = Runner::in_directory(Arc::clone(&data), &[]);
    let mut issued = Vec::new();
    for holder in 0..6 {
        for dose in 1..=2 {
            let hcid = format!("MOVED-{holder}");
            let answer = issue(&embedded, &hcid, dose).await;
            issued.push((hcid, dose, answer));
        }
    }
    // The reads that the audit has are moved, too.
    folder(&embedded, "MOVED-0").await;
    drop(embedded);

    // Another installation, with the same holder.
    let other = Runner::configured(&[("MEDIATOR_REPOSITORY__URL", &url)]);
    issue(&other, "MOVED-0", 3).await;
    assert_eq!(folder(&other, "MOVED-0").await.len(), 1);

    // While the server is away, what was issued before can be read.
    let address = url.strip_prefix("http://").unwrap();
    let address = address.split('/').next().unwrap().parse().unwrap();
    let proxy = FaultProxy::http(address).await;
    proxy.refuse().await;
    let through = format!("http://{}/fhir", proxy.address());
    let moving = on(&data, &through);
    for (_, _, answer) in &issued {
        let location = answer.header("content-location");
        let path = location.split_once("/ddcc").unwrap().1;
        let read = moving.get(&format!("/ddcc{path}")).await;
        assert_eq!(read.body, answer.body);
    }
    let found = left(&data, &through);
    assert_eq!(found["result"], "warning");
    let details = found["details"].as_str().unwrap();
    assert!(details.starts_with("12 documents"), "{details}");

    // A folder that gets a further dose does not wait for its turn.
    proxy.recover().await;
    until("the server", async || {
        moving.post(GENERATE, &event("MOVED-5", 3)).await.status == 200
    })
    .await;
    assert_eq!(folder(&moving, "MOVED-5").await.len(), 3);

    moving.post(RUN, &json!({})).await;
    until("the begin of the move", async || {
        left(&data, &url)["details"].as_str() != Some(details)
    })
    .await;
    drop(moving);

    let moving = on(&data, &url);
    until("the end of the move", async || {
        moving.post(RUN, &json!({})).await;
        left(&data, &url)["result"] == "ok"
    })
    .await;
    for (hcid, dose, answer) in &issued {
        let again = moving.post(GENERATE, &event(hcid, *dose)).await;
        assert_eq!(again.body, answer.body, "{hcid}/{dose}");
    }
    drop(moving);

    // Nothing is needed of the embedded database any more, and nothing is twice.
    let other = Runner::configured(&[("MEDIATOR_REPOSITORY__URL", &url)]);
    for holder in 0..6 {
        let hcid = format!("MOVED-{holder}");
        let expected = if matches!(holder, 0 | 5) { 3 } else { 2 };
        assert_eq!(folder(&other, &hcid).await.len(), expected, "{hcid}");
    }
    for (_, _, answer) in &issued {
        let location = answer.header("content-location");
        let path = location.split_once("/ddcc").unwrap().1;
        assert_eq!(other.get(&format!("/ddcc{path}")).await.body, answer.body);
    }
    assert_eq!(count(&url, "List?code=submissionset").await, 14);
    assert_eq!(count(&url, "List?code=folder").await, 6);
    assert_eq!(count(&url, "Patient?identifier=X4711082").await, 6);
    assert_eq!(count(&url, "AuditEvent?type=110107").await, 14);
    let path = "/ddcc/DocumentReference?patient.identifier=X4711082&type=who";
    let found = other.get(path).await.resource(200, "Bundle");
    assert_eq!(found["total"], 14);
}

/// How many resources of a search the server has, asked without the mediator.
async fn count(url: &str, search: &str) -> u64 {
    let request = reqwest::Client::new()
        .get(format!("{url}/{search}&_summary=count"))
        .header("cache-control", "no-cache");
    let text = request.send().await.unwrap().text().await.unwrap();
    let found: Value = serde_json::from_str(&text).unwrap();
    found["total"].as_u64().unwrap()
}
