//! Documents kept in a real FHIR server, HAPI FHIR, instead of the embedded database.

use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};

use real_servers::fault_proxy::{Fault, FaultProxy};
use real_servers::hapi_fhir::RealHapiFhir;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::{Answer, GENERATE, Runner, command, reference_id, set, vaccination};

static SERVER: OnceCell<Option<RealHapiFhir>> = OnceCell::const_new();

async fn server() -> Option<&'static RealHapiFhir> {
    SERVER.get_or_init(RealHapiFhir::start).await.as_ref()
}

fn on(url: &str) -> Runner {
    Runner::configured(&[
        ("MEDIATOR_REPOSITORY__URL", url),
        ("MEDIATOR_REPOSITORY__TIMEOUT_SECONDS", "25"),
        ("MEDIATOR_REPOSITORY__ATTEMPTS", "1"),
    ])
}

/// An event of a holder whom no other test knows.
pub(super) fn event(hcid: &str, number: u32) -> Value {
    let mut event = vaccination(0);
    event["identifier"]["value"] = json!(format!("{hcid}/{number}"));
    set(&mut event, "hcid", json!({"valueString": hcid}));
    set(&mut event, "dose", json!({"valueInteger": number}));
    set(&mut event, "total_doses", json!({"valueInteger": 9}));
    event
}

pub(super) async fn folder(runner: &Runner, hcid: &str) -> Vec<Value> {
    let path = format!("/ddcc/List?code=folder&identifier={hcid}");
    let found = runner.get(&path).await.resource(200, "Bundle");
    let entries = found.pointer("/entry/0/resource/entry");
    entries
        .and_then(Value::as_array)
        .cloned()
        .unwrap_or_default()
}

/// Asks until it is answered so; a server that was down is tried again after some seconds only.
pub(super) async fn until(what: &str, mut ask: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !ask().await {
        assert!(
            start.elapsed() < Duration::from_secs(120),
            "waiting for {what}"
        );
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

#[tokio::test]
async fn certificates_are_issued_and_found_again() {
    let Some(server) = server().await else { return };
    let runner = on(&server.base_url());
    let test_result: Value =
        serde_json::from_str(include_str!("../../../examples/requests/test-result.json")).unwrap();
    let mut test_result = test_result;
    set(
        &mut test_result,
        "hcid",
        json!({"valueString": "SERVED-TEST"}),
    );
    for (event, hcid) in [
        (event("SERVED-DOSE", 1), "SERVED-DOSE"),
        (test_result, "SERVED-TEST"),
    ] {
        let answer = runner.post(GENERATE, &event).await;
        let document = answer.resource(200, "Bundle");
        let stored = runner.get(answer.header("content-location")).await;
        assert_eq!(stored.body, answer.body, "byte for byte");
        let again = runner.post(GENERATE, &event).await;
        assert_eq!(again.body, answer.body);

        let entries = folder(&runner, hcid).await;
        assert_eq!(entries.len(), 1);
        let reference = entries[0]["item"]["reference"].as_str().unwrap();
        let reference = runner.get(&format!("/ddcc/{reference}")).await;
        let reference = reference.resource(200, "DocumentReference");
        let url = reference["content"][0]["attachment"]["url"]
            .as_str()
            .unwrap();
        assert_eq!(runner.get(&format!("/ddcc/{url}")).await.body, answer.body);

        let code = reference_id(&document, "who");
        let path = format!("/ddcc/DocumentReference/{code}/$getQRCode");
        let picture = runner.accept(&path, "image/png").await;
        assert_eq!(
            (picture.status.as_u16(), picture.header("content-type")),
            (200, "image/png")
        );

        // It is there already, wherever it is sent to.
        let copied = runner.post("/ddcc/Bundle", &document).await;
        assert_eq!(copied.status, 200);

        let composition = document["entry"][0]["resource"]["id"].as_str().unwrap();
        let path = format!("/ddcc/Composition/{composition}/$document");
        let unsigned = runner.get(&path).await.resource(200, "Bundle");
        assert_eq!(unsigned["type"], "document");
        assert!(unsigned.get("signature").is_none());
    }
    runner
        .get("/ddcc/Composition/none/$document")
        .await
        .issue(404);
    assert!(
        runner.log().contains("HAPI FHIR Server"),
        "{}",
        runner.log()
    );
}

#[tokio::test]
async fn doses_at_two_services_at_once_both_end_in_the_folder() {
    let Some(server) = server().await else { return };
    let services = [
        Arc::new(on(&server.base_url())),
        Arc::new(on(&server.base_url())),
    ];
    let requests: Vec<_> = (1..=4)
        .map(|dose| {
            let service = Arc::clone(&services[dose as usize % 2]);
            tokio::spawn(async move { service.post(GENERATE, &event("AT-ONCE", dose)).await })
        })
        .collect();
    for request in requests {
        request.await.unwrap().resource(200, "Bundle");
    }
    for service in &services {
        assert_eq!(folder(service, "AT-ONCE").await.len(), 4);
    }
}

/// Nothing is issued, the client is told why, and what was accepted is issued later by itself.
async fn is_issued_later(runner: &Runner, proxy: &FaultProxy, hcid: &str, answer: &Answer) {
    assert!(
        matches!(answer.status.as_u16(), 502..=504),
        "{:?}",
        answer.body
    );
    let outcome = answer.json();
    let text = outcome["issue"][0]["diagnostics"].as_str().unwrap();
    assert!(text.contains("repository"), "{text}");
    assert!(!text.contains("Zürcher"), "{text}");
    proxy.recover().await;
    until("the job", async || {
        let _ = runner
            .post("/jobs/finish-interrupted/run", &json!({}))
            .await;
        let path = format!("/ddcc/List?code=folder&identifier={hcid}");
        let found = runner.get(&path).await;
        found.status == 200 && found.json()["total"] == 1
    })
    .await;
    assert_eq!(folder(runner, hcid).await.len(), 1);
    let replayed = runner.post(GENERATE, &event(hcid, 1)).await;
    replayed.resource(200, "Bundle");
    assert_eq!(folder(runner, hcid).await.len(), 1);
}

#[tokio::test]
async fn whatever_the_server_does_nothing_is_half_issued() {
    let Some(server) = server().await else { return };
    let address = server.base_url();
    let address = address
        .strip_prefix("http://")
        .and_then(|rest| rest.split('/').next());
    let proxy = FaultProxy::http(address.unwrap().parse().unwrap()).await;

    // Down at the start.
    proxy.refuse().await;
    let runner = on(&format!("http://{}/fhir", proxy.address()));
    let answer = runner.post(GENERATE, &event("FAULT-DOWN", 1)).await;
    answer.issue(503);
    assert_eq!(runner.get("/health/ready").await.status, 503);
    is_issued_later(&runner, &proxy, "FAULT-DOWN", &answer).await;
    until("readiness", async || {
        runner.get("/health/ready").await.status == 200
    })
    .await;

    let full = json!({"resourceType": "OperationOutcome", "issue": [
        {"severity": "fatal", "code": "no-store", "diagnostics": "the disk is full"}]});
    for (hcid, fault) in [
        ("FAULT-500", Fault::answer(500, "no")),
        ("FAULT-FULL", Fault::answer(507, &full.to_string())),
        ("FAULT-RUBBISH", Fault::rubbish()),
        ("FAULT-PAGE", Fault::answer(200, "<html>Welcome!</html>")),
        ("FAULT-LOST", Fault::LoseAnswer),
        ("FAULT-BROKEN", Fault::BreakOff(200)),
        ("FAULT-CLOSED", Fault::Close),
    ] {
        proxy.fail(fault);
        let answer = runner.post(GENERATE, &event(hcid, 1)).await;
        if hcid == "FAULT-FULL" {
            let issue = answer.issue(503);
            let text = issue["diagnostics"].as_str().unwrap();
            assert!(text.contains("the disk is full"), "{text}");
        }
        is_issued_later(&runner, &proxy, hcid, &answer).await;
    }
}

#[tokio::test]
async fn a_server_that_lacks_what_is_needed_is_not_served_on() {
    let statement = json!({"resourceType": "CapabilityStatement", "fhirVersion": "5.0.0",
        "format": ["json"], "rest": [{"mode": "server", "interaction": [{"code": "batch"}]}]});
    let proxy = FaultProxy::http("127.0.0.1:9".parse().unwrap()).await;
    proxy.fail(Fault::answer(200, &statement.to_string()));
    let folder = TempDir::new().unwrap();
    let output = command()
        .env("MEDIATOR_DATA_DIRECTORY", folder.path())
        .env("MEDIATOR_SERVER__LISTEN", "127.0.0.1:0")
        .env(
            "MEDIATOR_REPOSITORY__URL",
            format!("http://{}/fhir", proxy.address()),
        )
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = tokio::task::spawn_blocking(|| output.wait_with_output().unwrap());
    let output = output.await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "repository",
        "FHIR 4.0.1 (it speaks 5.0.0)",
        "transaction",
        "DocumentReference",
    ] {
        assert!(log.contains(expected), "{expected}: {log}");
    }
}
