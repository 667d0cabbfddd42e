//! Everything that is refused, each with its status and an OperationOutcome.

use http::Method;
use serde_json::json;

use super::{FHIR_JSON, GENERATE, Runner, batch, vaccination};

#[tokio::test]
async fn statuses() {
    let runner = Runner::configured(&[("MEDIATOR_SERVER__MAXIMUM_BODY_BYTES", "100000")]);
    let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
    let long = format!("{{\"resourceType\": \"{}\"}}", "x".repeat(200_000));
    let post = Method::POST;
    for (method, path, media_type, body, status, code) in [
        (&post, GENERATE, FHIR_JSON, "not JSON", 400, "structure"),
        (&post, GENERATE, FHIR_JSON, "", 400, "structure"),
        (
            &post,
            GENERATE,
            FHIR_JSON,
            r#"{"a": 1, "a": 2}"#,
            400,
            "structure",
        ),
        (&post, GENERATE, FHIR_JSON, &deep, 400, "structure"),
        (&post, GENERATE, FHIR_JSON, "[]", 400, "structure"),
        (&post, GENERATE, FHIR_JSON, "{}", 400, "structure"),
        (&post, "/ddcc", FHIR_JSON, "{}", 400, "structure"),
        (
            &post,
            "/ddcc",
            FHIR_JSON,
            r#"{"resourceType": "Bundle"}"#,
            400,
            "required",
        ),
        (
            &post,
            "/ddcc",
            FHIR_JSON,
            r#"{"resourceType": "Patient"}"#,
            422,
            "value",
        ),
        (
            &post,
            "/ddcc",
            FHIR_JSON,
            r#"{"resourceType": "Bundle", "type": "batch"}"#,
            422,
            "required",
        ),
        (
            &post,
            "/ddcc",
            FHIR_JSON,
            r#"{"resourceType": "Bundle", "type": "transaction"}"#,
            422,
            "value",
        ),
        (&post, "/ddcc/Patient", FHIR_JSON, "{}", 404, "not-found"),
        (&Method::GET, "/", FHIR_JSON, "", 404, "not-found"),
        (
            &Method::GET,
            "/ddcc/Bundle/unknown",
            FHIR_JSON,
            "",
            404,
            "not-found",
        ),
        (
            &Method::GET,
            "/ddcc/Bundle/a%20b",
            FHIR_JSON,
            "",
            404,
            "not-found",
        ),
        (
            &Method::GET,
            "/ddcc/Bundle/%ff",
            FHIR_JSON,
            "",
            404,
            "not-found",
        ),
        (
            &Method::GET,
            "/ddcc/Bundle/..%2f..",
            FHIR_JSON,
            "",
            404,
            "not-found",
        ),
        (&Method::GET, GENERATE, FHIR_JSON, "", 405, "not-supported"),
        (&Method::PUT, "/ddcc", FHIR_JSON, "{}", 405, "not-supported"),
        (&post, GENERATE, FHIR_JSON, &long, 413, "too-long"),
        (
            &post,
            GENERATE,
            "application/fhir+xml",
            "<a/>",
            415,
            "not-supported",
        ),
        (&post, "/ddcc", "text/plain", "{}", 415, "not-supported"),
        (
            &Method::GET,
            "/ddcc/metadata?_format=xml",
            FHIR_JSON,
            "",
            406,
            "not-supported",
        ),
    ] {
        let headers = [("content-type", media_type)];
        let answer = runner
            .request(method.clone(), path, &headers, body.to_owned())
            .await;
        assert_eq!(answer.status, status, "{method} {path} {:?}", answer.body);
        assert_eq!(answer.issue(status)["code"], code, "{method} {path}");
    }
    let answer = runner
        .accept("/ddcc/metadata", "application/fhir+xml")
        .await;
    answer.issue(406);
    let headers = [("content-encoding", "gzip")];
    let answer = runner.request(Method::POST, "/ddcc", &headers, "x").await;
    assert_eq!(answer.issue(415)["code"], "not-supported");
    // And it lives on.
    runner
        .post(GENERATE, &vaccination(1))
        .await
        .resource(200, "Bundle");
}

#[tokio::test]
async fn every_spelling_of_json_is_taken() {
    let runner = Runner::start();
    let body = batch([json!({"resourceType": "Patient"})]).to_string();
    for media_type in [
        "application/fhir+json",
        "application/json",
        "application/fhir+json; charset=utf-8",
        "application/json+fhir",
    ] {
        let headers = [("content-type", media_type), ("accept", media_type)];
        let answer = runner
            .request(Method::POST, "/ddcc", &headers, body.clone())
            .await;
        answer.resource(200, "Bundle");
    }
    let answer = runner.request(Method::POST, "/ddcc", &[], body).await;
    answer.resource(200, "Bundle");
}

#[tokio::test]
async fn overload_is_told_with_when_to_come_again() {
    let runner = Runner::configured(&[("MEDIATOR_SERVER__MAXIMUM_CONCURRENT_REQUESTS", "1")]);
    let runner = std::sync::Arc::new(runner);
    let requests: Vec<_> = (0..16)
        .map(|number| {
            let runner = std::sync::Arc::clone(&runner);
            tokio::spawn(async move { runner.post(GENERATE, &vaccination(number)).await })
        })
        .collect();
    let mut refused = 0;
    for request in requests {
        let answer = request.await.unwrap();
        if answer.status == 200 {
            continue;
        }
        assert_eq!(answer.issue(503)["code"], "throttled");
        assert_eq!(answer.header("retry-after"), "1");
        refused += 1;
    }
    assert!(refused > 0 && refused < 16, "{refused} of 16 refused");
}

#[tokio::test]
async fn a_batch_has_an_end() {
    let runner = Runner::configured(&[("MEDIATOR_SERVER__MAXIMUM_BATCH_ENTRIES", "3")]);
    let answer = runner.post("/ddcc", &batch((0..4).map(vaccination))).await;
    let issue = answer.issue(413);
    assert_eq!(issue["code"], "too-long");
    assert_eq!(issue["expression"][0], "Bundle.entry");
    let answer = runner.post("/ddcc", &batch((0..3).map(vaccination))).await;
    let response = answer.resource(201, "Bundle");
    assert_eq!(response["entry"].as_array().unwrap().len(), 3);
    let length: usize = answer.header("content-length").parse().unwrap();
    assert_eq!(length, answer.body.len());
}
