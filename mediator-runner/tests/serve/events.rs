//! Health events become certificates.

use serde_json::{Value, json};

use super::{GENERATE, Runner, batch, parameters, set, vaccination};

#[tokio::test]
async fn a_generated_certificate() {
    let runner = Runner::start();
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    let document = answer.resource(200, "Bundle");
    assert_eq!(document["type"], "document");
    assert!(document["signature"]["data"].is_string());
    let location = answer.header("content-location");
    assert!(
        location.starts_with(&runner.url("/ddcc/Bundle/")),
        "{location}"
    );
    let stored = runner.get(location).await;
    assert_eq!(stored.resource(200, "Bundle"), document);

    // As Parameters, at the path of old, and as the same event again: the same certificate.
    for path in [GENERATE, "/ddcc/generateHealthCertificate"] {
        let answer = runner.post(path, &parameters(vaccination(1))).await;
        assert_eq!(answer.resource(200, "Bundle"), document, "{path}");
    }
}

#[tokio::test]
async fn submitted_events() {
    let runner = Runner::start();
    let mut impossible = vaccination(3);
    set(&mut impossible, "dose", json!({"valueInteger": 0}));
    let mut of_another = vaccination(2);
    of_another["identifier"]["value"] = json!("test-4");
    set(
        &mut of_another,
        "name",
        json!({"valueString": "Numerius Negidius"}),
    );
    set(
        &mut of_another,
        "birthDate",
        json!({"valueDate": "1950-01-01"}),
    );
    let events = [
        vaccination(2),
        impossible,
        of_another,
        parameters(vaccination(5)),
    ];
    let answer = runner.post("/ddcc", &batch(events)).await;
    let response = answer.resource(201, "Bundle");
    assert_eq!(response["type"], "batch-response");
    assert!(response["identifier"]["value"].is_string());
    let statuses: Vec<&str> = response["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["201", "422", "409", "201"]);
    let outcome = &response["entry"][1]["response"]["outcome"];
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    for index in [0, 3] {
        let entry = &response["entry"][index];
        assert!(entry["resource"]["signature"].is_object());
        let location = entry["response"]["location"].as_str().unwrap();
        let stored = runner.get(location).await;
        assert_eq!(stored.resource(200, "Bundle"), entry["resource"]);
    }
}

#[tokio::test]
async fn every_path_of_submission() {
    let runner = Runner::start();
    for (number, path) in ["/ddcc", "/ddcc/", "/ddcc/submitHealthEvent"]
        .iter()
        .enumerate()
    {
        let answer = runner.post(path, &batch([vaccination(number)])).await;
        assert_eq!(
            answer.resource(201, "Bundle")["entry"][0]["response"]["status"],
            "201"
        );
    }
}

#[tokio::test]
async fn a_batch_of_which_nothing_is_issued_is_not_created() {
    let runner = Runner::start();
    let answer = runner
        .post("/ddcc", &batch([json!({"resourceType": "Patient"})]))
        .await;
    let response = answer.resource(200, "Bundle");
    assert_eq!(response["entry"][0]["response"]["status"], "422");
}

#[tokio::test]
async fn another_persons_hcid_is_a_conflict() {
    let runner = Runner::start();
    runner
        .post(GENERATE, &vaccination(1))
        .await
        .resource(200, "Bundle");
    let mut other = vaccination(1);
    other["identifier"]["value"] = json!("another");
    set(&mut other, "birthDate", json!({"valueDate": "1950-01-01"}));
    set(
        &mut other,
        "name",
        json!({"valueString": "Numerius Negidius"}),
    );
    let issue = runner.post(GENERATE, &other).await.issue(409);
    assert_eq!(issue["code"], "conflict");

    let mut corrected = vaccination(1);
    set(&mut corrected, "lot", json!({"valueString": "other"}));
    let issue = runner.post(GENERATE, &corrected).await.issue(409);
    assert_eq!(
        issue["expression"],
        json!(["QuestionnaireResponse.identifier"])
    );
}

#[tokio::test]
async fn events_that_break_the_rules_are_unprocessable() {
    let runner = Runner::start();
    let without = |link_id: &str| {
        let mut response = vaccination(1);
        response["item"]
            .as_array_mut()
            .unwrap()
            .retain(|item| item["linkId"] != link_id);
        response
    };
    let mut unknown = vaccination(1);
    unknown["questionnaire"] = json!("http://example.org/other");
    let mut dose = vaccination(1);
    set(&mut dose, "dose", json!({"valueInteger": 0}));
    for (response, element) in [
        (without("name"), "QuestionnaireResponse"),
        (unknown, "QuestionnaireResponse.questionnaire"),
        (dose, "QuestionnaireResponse"),
        (json!({"resourceType": "Patient"}), "resourceType"),
    ] {
        let issue = runner.post(GENERATE, &response).await.issue(422);
        let expression = issue["expression"][0].as_str().unwrap_or_default();
        assert!(expression.starts_with(element), "{issue}");
    }
    let folder = runner
        .get("/ddcc/List?code=folder&identifier=CH-TEST-1")
        .await;
    assert_eq!(
        folder.resource(200, "Bundle")["total"],
        0,
        "nothing is stored"
    );
}

#[tokio::test]
async fn many_at_once_and_each_its_own() {
    let runner = std::sync::Arc::new(Runner::start());
    let requests: Vec<_> = (0..24)
        .map(|number| {
            let runner = std::sync::Arc::clone(&runner);
            tokio::spawn(async move { runner.post(GENERATE, &vaccination(number)).await })
        })
        .collect();
    let mut identifiers = std::collections::HashSet::new();
    for request in requests {
        let document: Value = request.await.unwrap().resource(200, "Bundle");
        identifiers.insert(document["identifier"]["value"].to_string());
    }
    assert_eq!(identifiers.len(), 24);
}
