//! AuditEvents of what is read and stored.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::access::{BASIC, OPENHIM, audit};
use super::{FHIR_JSON, GENERATE, Runner, reference_id, vaccination};

const CLINIC: [(&str, &str); 2] = [("x-openhim-clientid", "clinic"), ("authorization", BASIC)];

fn code(event: &Value) -> &str {
    event["subtype"][0]["code"].as_str().unwrap()
}

fn references(event: &Value) -> Vec<&str> {
    let entities = event["entity"].as_array().unwrap();
    let reference = |entity: &'_ Value| entity.pointer("/what/reference").is_some();
    entities
        .iter()
        .filter(|entity| reference(entity))
        .map(|entity| entity["what"]["reference"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn what_is_read_is_in_the_audit_and_by_whom() {
    let mut runner = Runner::configured(&OPENHIM);
    let headers = [CLINIC[0], CLINIC[1], ("content-type", FHIR_JSON)];
    let body = vaccination(1).to_string();
    let issued = runner.request(Method::POST, GENERATE, &headers, body).await;
    let document = issued.resource(200, "Bundle");
    let url = issued.header("content-location");
    let bundle = url.rsplit('/').next().unwrap().to_owned();
    let get = async |path: &str| {
        let answer = runner.request(Method::GET, path, &CLINIC, "").await;
        assert_eq!(answer.status, 200, "{path}: {:?}", answer.body);
        answer
    };
    get(&format!("/ddcc/Bundle/{bundle}")).await;
    let found = get("/ddcc/List?code=folder&identifier=CH-TEST-1")
        .await
        .json();
    let folder = found.pointer("/entry/0/resource/id").unwrap();
    let folder = folder.as_str().unwrap();
    get(&format!("/ddcc/List/{folder}")).await;
    let code_id = reference_id(&document, "who");
    get(&format!("/ddcc/DocumentReference/{code_id}/$getQRCode")).await;
    let found = get(&format!("/ddcc/DocumentReference?_id={code_id}")).await;
    let found = found.json();
    let found: Vec<String> = found["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| {
            format!(
                "DocumentReference/{}",
                entry["resource"]["id"].as_str().unwrap()
            )
        })
        .collect();
    let composition = document.pointer("/entry/0/resource/id").unwrap();
    let composition = composition.as_str().unwrap();
    get(&format!("/ddcc/Composition/{composition}/$document")).await;
    // What is not there was not read, and who may not has read nothing.
    let missing = runner.request(Method::GET, "/ddcc/Bundle/none", &CLINIC, "");
    assert_eq!(missing.await.status, 404);
    assert_eq!(
        runner.get(&format!("/ddcc/Bundle/{bundle}")).await.status,
        401
    );

    let data = Arc::clone(&runner.data_directory);
    runner.terminate();
    assert!(runner.wait().success(), "{}", runner.log());
    let events = audit(data.path(), &[]).await;
    let reads: Vec<&Value> = events
        .iter()
        .filter(|event| event["outcome"] == "0" && code(event) != "ITI-65")
        .collect();
    let mut codes: Vec<&str> = reads.iter().map(|event| code(event)).collect();
    codes.sort_unstable();
    assert_eq!(
        codes,
        [
            "ITI-66",
            "ITI-67",
            "ITI-68",
            "document",
            "getQRCode",
            "read"
        ]
    );
    let event = |wanted: &str| {
        let found = reads.iter().find(|event| code(event) == wanted);
        *found.unwrap()
    };
    assert_eq!(references(event("ITI-68")), [format!("Bundle/{bundle}")]);
    assert_eq!(references(event("ITI-66")), [format!("List/{folder}")]);
    assert_eq!(references(event("read")), [format!("List/{folder}")]);
    let qr_code = format!("DocumentReference/{code_id}");
    assert_eq!(references(event("getQRCode")), [qr_code.as_str()]);
    assert_eq!(references(event("ITI-67")), found);
    let names = &event("ITI-66")["entity"][1]["detail"];
    assert_eq!(
        *names,
        json!([
            {"type": "parameter", "valueString": "code"},
            {"type": "parameter", "valueString": "identifier"},
        ])
    );
    for read in reads {
        let agent = &read["agent"][0];
        assert_eq!(agent["who"]["identifier"]["value"], "clinic");
        assert_eq!(agent["requestor"], true);
        assert_eq!(agent["network"]["address"], "127.0.0.1");
        let text = read.to_string();
        assert!(
            !text.contains("CH-TEST") && !text.contains("Zürcher"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn whose_document_was_stored_is_in_the_audit_once() {
    let elsewhere = Runner::start();
    let issued = elsewhere.post(GENERATE, &vaccination(1)).await;
    let document = issued.resource(200, "Bundle");
    let mut runner = Runner::configured(&OPENHIM);
    let headers = [CLINIC[0], CLINIC[1], ("content-type", FHIR_JSON)];
    for status in [201, 200] {
        let body = document.to_string();
        let stored = runner.request(Method::POST, "/ddcc/Bundle", &headers, body);
        assert_eq!(stored.await.status, status);
    }
    let data = Arc::clone(&runner.data_directory);
    runner.terminate();
    assert!(runner.wait().success(), "{}", runner.log());
    let events = audit(data.path(), &[]).await;
    assert_eq!(events.len(), 1, "{events:?}");
    assert_eq!(code(&events[0]), "create");
    assert_eq!(events[0]["action"], "C");
    let url = issued.header("content-location");
    let bundle = url.rsplit('/').next().unwrap();
    assert_eq!(references(&events[0]), [format!("Bundle/{bundle}")]);
    let who = events[0].pointer("/agent/0/who/identifier/value").unwrap();
    assert_eq!(who, "clinic");
}
