//! `$verify`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Value, json};

use super::{GENERATE, Runner, reference_id, vaccination};

const VERIFY: &str = "/ddcc/$verify";

/// The texts of a new certificate's codes.
async fn codes(runner: &Runner) -> Vec<String> {
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    let document = answer.resource(200, "Bundle");
    let mut codes = Vec::new();
    for form in ["who", "dcc", "shc", "icao"] {
        let id = reference_id(&document, form);
        let path = format!("/ddcc/DocumentReference/{id}");
        let reference = runner.get(&path).await.json();
        let text = reference["content"][0]["attachment"]["data"]
            .as_str()
            .unwrap();
        codes.push(String::from_utf8(STANDARD.decode(text).unwrap()).unwrap());
    }
    codes
}

async fn post(runner: &Runner, media_type: &str, body: String) -> Value {
    let headers = [("content-type", media_type)];
    let answer = runner.request(Method::POST, VERIFY, &headers, body).await;
    assert_eq!(answer.status, 200, "{:?}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

#[tokio::test]
async fn codes_of_every_form_in_every_way() {
    let runner = Runner::start();
    let codes = codes(&runner).await;
    for (code, format) in codes.iter().zip(["hcert", "hcert", "shc", "vds-nc"]) {
        let verified = post(
            &runner,
            "application/json",
            json!({"code": code}).to_string(),
        )
        .await;
        assert_eq!(verified["valid"], true, "{verified}");
        assert_eq!(verified["format"], format);
        assert_eq!(verified["steps"]["signature"], "ok");
        assert_eq!(
            post(&runner, "text/plain", format!("{code}\r\n")).await,
            verified
        );
        let parameters = json!({
            "resourceType": "Parameters",
            "parameter": [{"name": "code", "valueString": code}],
        });
        let parameters = parameters.to_string();
        assert_eq!(
            post(&runner, "application/fhir+json", parameters).await,
            verified
        );
    }
    let all = post(
        &runner,
        "application/json",
        json!({"codes": codes}).to_string(),
    )
    .await;
    let all = all.as_array().unwrap();
    assert_eq!(all.len(), 4);
    assert!(all.iter().all(|verified| verified["valid"] == true));
    assert_eq!(
        post(&runner, "text/plain", codes.join("\n"))
            .await
            .as_array()
            .unwrap(),
        all
    );
    let one = post(
        &runner,
        "application/json",
        json!({"codes": [codes[0]]}).to_string(),
    )
    .await;
    assert_eq!(one, json!([all[0]]));
}

#[tokio::test]
async fn documents() {
    let runner = Runner::start();
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    let document = answer.resource(200, "Bundle");
    let pretty = serde_json::to_string_pretty(&document).unwrap();
    for (media_type, body) in [
        ("application/fhir+json", document.to_string()),
        ("application/fhir+json", pretty.clone()),
        ("text/plain", pretty),
        (
            "application/json",
            json!({"code": document.to_string()}).to_string(),
        ),
    ] {
        let verified = post(&runner, media_type, body).await;
        assert_eq!(verified["valid"], true, "{verified}");
        assert_eq!(verified["format"], "ddcc-document");
    }
    let mut changed = document;
    changed["timestamp"] = json!("2030-01-01T00:00:00Z");
    let verified = post(&runner, "application/fhir+json", changed.to_string()).await;
    assert_eq!(verified["valid"], false);
}

#[tokio::test]
async fn what_others_signed_or_changed_is_not_valid() {
    let codes = codes(&Runner::start()).await;
    let runner = Runner::start();
    let mut changed = codes.clone();
    changed[0].pop();
    for (code, step) in [(&codes[0], "signature"), (&codes[2], "signature")] {
        let verified = post(&runner, "text/plain", code.clone()).await;
        assert_eq!(verified["valid"], false);
        let result = verified["steps"][step].as_str().unwrap();
        assert!(result.starts_with("failed: "), "{result}");
    }
    for code in ["nonsense", &changed[0]] {
        let verified = post(&runner, "text/plain", code.to_owned()).await;
        assert_eq!(verified["valid"], false);
        assert_eq!(verified["payload"], Value::Null);
    }
}

#[tokio::test]
async fn keys_of_others_are_trusted_by_configuration() {
    let issuer = Runner::start();
    let codes = codes(&issuer).await;
    let signer = issuer.data_directory.path().join("development-pki");
    let signer = signer.join("document-signers/1/document-signer.pem");
    let runner = Runner::configured(&[(
        "MEDIATOR_VERIFICATION__CERTIFICATE_FILE",
        signer.to_str().unwrap(),
    )]);
    let verified = post(
        &runner,
        "application/json",
        json!({"codes": codes}).to_string(),
    )
    .await;
    for verified in verified.as_array().unwrap() {
        assert_eq!(verified["valid"], true, "{verified}");
    }
}

#[tokio::test]
async fn requests_that_name_no_codes() {
    let runner = Runner::start();
    let many = json!({"codes": vec!["x"; 1001]}).to_string();
    for (media_type, body, status) in [
        ("application/json", "{}", 400),
        ("application/json", "not JSON", 400),
        ("application/json", r#"{"codes": []}"#, 400),
        ("application/json", r#"{"codes": "x"}"#, 400),
        ("application/json", r#"{"code": 1}"#, 400),
        (
            "application/fhir+json",
            r#"{"resourceType": "Parameters"}"#,
            400,
        ),
        ("text/plain", " \n", 400),
        ("image/png", "x", 415),
        ("application/json", &many, 422),
    ] {
        let headers = [("content-type", media_type)];
        let answer = runner
            .request(Method::POST, VERIFY, &headers, body.to_owned())
            .await;
        answer.issue(status);
    }
}
