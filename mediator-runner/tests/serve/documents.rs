//! Documents are stored as they are, and found through their holder's folder.

use http::Method;
use serde_json::{Value, json};

use super::{GENERATE, Runner, set, vaccination};

async fn document(runner: &Runner) -> Value {
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    answer.resource(200, "Bundle")
}

#[tokio::test]
async fn a_document_is_copied_from_server_to_server() {
    let document = document(&Runner::start()).await;
    let other = Runner::start();
    let answer = other.post("/ddcc/Bundle", &document).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let location = answer.header("location").to_owned();
    assert!(
        location.starts_with(&other.url("/ddcc/Bundle/")),
        "{location}"
    );
    let stored = other.get(&location).await;
    assert_eq!(stored.resource(200, "Bundle"), document);

    // Again: it is there, under other metadata too.
    let mut again = document.clone();
    again["id"] = json!("other");
    again["meta"] = json!({"versionId": "7"});
    let answer = other.post("/ddcc/Bundle", &again).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("location"), location);

    let mut changed = document;
    changed["timestamp"] = json!("2030-01-01T00:00:00Z");
    let issue = other.post("/ddcc/Bundle", &changed).await.issue(409);
    assert_eq!(issue["expression"], json!(["Bundle.identifier"]));
}

#[tokio::test]
async fn nobody_forges_a_document_of_this_service() {
    let runner = Runner::start();
    let document = document(&runner).await;
    let mut forged = document.clone();
    forged["identifier"]["value"] = json!("urn:uuid:7f1a7a52-9d3c-4f5f-8f0e-0b8a6a1f9f10");
    let issue = runner.post("/ddcc/Bundle", &forged).await.issue(422);
    assert_eq!(issue["expression"], json!(["Bundle.signature"]));
    forged["signature"]["who"] = json!({"reference": "Organization/other"});
    runner.post("/ddcc/Bundle", &forged).await.issue(422);

    // A signature that others made in their own way is for verifiers to judge.
    forged["signature"] = json!({
        "type": [{"system": "urn:iso-astm:E1762-95:2013", "code": "1.2.840.10065.1.12.1.5"}],
        "when": "2026-01-01T00:00:00Z",
        "who": {"reference": "Organization/other"},
        "data": "dGhpcyBibG9iIGlzIHNuaXBwZWQ=",
    });
    let answer = runner.post("/ddcc/Bundle", &forged).await;
    assert_eq!(answer.status, 201, "{:?}", answer.body);
    let path = "/ddcc/Bundle/7f1a7a52-9d3c-4f5f-8f0e-0b8a6a1f9f10";
    assert_eq!(answer.header("location"), runner.url(path));
}

#[tokio::test]
async fn what_is_no_document_is_not_stored() {
    let runner = Runner::start();
    let document = document(&runner).await;
    let with = |pointer: &str, value: Value| {
        let mut changed = document.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        changed
    };
    let mut unsigned = document.clone();
    unsigned.as_object_mut().unwrap().remove("signature");
    for (bundle, status, element) in [
        (json!({"resourceType": "Patient"}), 400, "resourceType"),
        (json!({"resourceType": "Bundle"}), 400, "Bundle.type"),
        (with("/type", json!("folder")), 400, "Bundle.type"),
        (with("/type", json!("collection")), 422, "Bundle.type"),
        (with("/identifier", json!(null)), 400, "Bundle.identifier"),
        (with("/timestamp", json!(null)), 400, "Bundle.timestamp"),
        (with("/entry", json!([])), 400, "Bundle.entry[0].resource"),
        (unsigned, 422, "Bundle.signature"),
    ] {
        let issue = runner.post("/ddcc/Bundle", &bundle).await.issue(status);
        assert_eq!(issue["expression"], json!([element]));
    }
}

#[tokio::test]
async fn the_folder_of_a_holder() {
    let runner = Runner::start();
    document(&runner).await;
    let mut second = vaccination(2);
    set(&mut second, "hcid", json!({"valueString": "CH-TEST-1"}));
    set(&mut second, "dose", json!({"valueInteger": 2}));
    runner.post(GENERATE, &second).await.resource(200, "Bundle");

    let found = runner
        .get("/ddcc/List?code=folder&identifier=CH-TEST-1")
        .await;
    let found = found.resource(200, "Bundle");
    assert_eq!(
        (&found["type"], &found["total"]),
        (&json!("searchset"), &json!(1))
    );
    let entry = &found["entry"][0];
    assert_eq!(entry["search"]["mode"], "match");
    let folder = &entry["resource"];
    assert_eq!(folder["entry"].as_array().unwrap().len(), 2);
    let read = runner.get(entry["fullUrl"].as_str().unwrap()).await;
    assert_eq!(read.resource(200, "List"), *folder);

    let reference = folder["entry"][0]["item"]["reference"].as_str().unwrap();
    let reference = runner.get(&format!("/ddcc/{reference}")).await;
    let reference = reference.resource(200, "DocumentReference");
    let patient = reference["subject"]["reference"].as_str().unwrap();
    let path = format!("/ddcc/DocumentReference?patient={patient}&status=current");
    let found = runner.get(&path).await.resource(200, "Bundle");
    assert!(found["total"].as_u64().unwrap() >= 2, "{found}");
}

#[tokio::test]
async fn nobody_searches_for_everyone() {
    let runner = Runner::start();
    for query in [
        "",
        "?code=folder",
        "?identifier=",
        "?identifier=urn:example%7C",
        "?identifier=urn:example%7C1,urn:example%7C",
        "?_format=json",
    ] {
        let answer = runner.get(&format!("/ddcc/List{query}")).await;
        answer.issue(400);
    }
    let issue = runner
        .get("/ddcc/List?identifier=x&colour=red")
        .await
        .issue(400);
    assert!(issue["diagnostics"].as_str().unwrap().contains("colour"));
    let nothing = runner
        .get("/ddcc/List?identifier=x")
        .await
        .resource(200, "Bundle");
    assert!(nothing.get("entry").is_none());
    let head = runner
        .request(Method::HEAD, "/ddcc/List?identifier=x", &[], "")
        .await;
    assert_eq!(head.status, 200);
}
