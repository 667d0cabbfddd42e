//! Images of codes, the keys they verify with, and what the server says about itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{GENERATE, Runner, reference_id, vaccination};

#[tokio::test]
async fn images() {
    let runner = Runner::start();
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    let document = answer.resource(200, "Bundle");
    for form in ["who", "dcc", "shc", "icao"] {
        let id = reference_id(&document, form);
        let path = format!("/ddcc/DocumentReference/{id}/$getQRCode");
        let png = runner.get(&path).await;
        assert_eq!(png.status, 200, "{form}");
        assert_eq!(png.header("content-type"), "image/png");
        assert_eq!(png.header("cache-control"), "no-store");
        assert!(png.body.starts_with(b"\x89PNG"));
        let stored = runner.get(&format!("/ddcc/DocumentReference/{id}")).await;
        let stored = stored.resource(200, "DocumentReference");
        let data = stored["content"][1]["attachment"]["data"].as_str().unwrap();
        assert_eq!(STANDARD.decode(data).unwrap(), png.body);

        for answer in [
            runner.accept(&path, "image/svg+xml").await,
            runner.get(&format!("{path}?_format=svg")).await,
            runner.get(&format!("{path}?_format=image/svg+xml")).await,
        ] {
            assert_eq!(answer.header("content-type"), "image/svg+xml");
            assert!(std::str::from_utf8(&answer.body).unwrap().contains("<svg"));
        }
        let binary = runner.accept(&path, "application/fhir+json").await;
        let binary = binary.resource(200, "Binary");
        assert_eq!(binary["contentType"], "image/png");
        assert_eq!(binary["data"], data);
    }
    let id = reference_id(&document, "who");
    let path = format!("/ddcc/DocumentReference/{id}/$getQRCode");
    runner.accept(&path, "text/html").await.issue(406);
    runner
        .get("/ddcc/DocumentReference/unknown/$getQRCode")
        .await
        .issue(404);

    // The reference to the document itself, which is in the folder.
    let folder = runner
        .get("/ddcc/List?code=folder&identifier=CH-TEST-1")
        .await;
    let folder = folder.resource(200, "Bundle");
    let item = folder["entry"][0]["resource"]["entry"][0]["item"]["reference"].clone();
    let path = format!("/ddcc/{}/$getQRCode", item.as_str().unwrap());
    runner.get(&path).await.issue(422);
}

#[tokio::test]
async fn keys_of_health_cards() {
    let runner = Runner::configured(&[(
        "MEDIATOR_ISSUER__SMART_HEALTH_CARD_ISSUER",
        "https://health.example.org/cards/issuer",
    )]);
    let mut key_sets = Vec::new();
    for path in [
        "/cards/issuer/.well-known/jwks.json",
        "/ddcc/shc_issuer/.well-known/jwks.json",
    ] {
        let answer = runner.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        key_sets.push(answer.json());
    }
    assert_eq!(key_sets[0], key_sets[1]);
    let keys = key_sets[0]["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1);
    for (name, value) in [
        ("kty", "EC"),
        ("crv", "P-256"),
        ("alg", "ES256"),
        ("use", "sig"),
    ] {
        assert_eq!(keys[0][name], value);
    }

    // The key of the cards that are issued.
    let answer = runner.post(GENERATE, &vaccination(1)).await;
    let document = answer.resource(200, "Bundle");
    let id = reference_id(&document, "shc");
    let reference = runner
        .get(&format!("/ddcc/DocumentReference/{id}"))
        .await
        .json();
    let text = reference["content"][0]["attachment"]["data"]
        .as_str()
        .unwrap();
    let text = String::from_utf8(STANDARD.decode(text).unwrap()).unwrap();
    let digits = text.strip_prefix("shc:/").unwrap();
    let jws: String = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| char::from((pair[0] - b'0') * 10 + (pair[1] - b'0') + 45))
        .collect();
    let header = jws.split('.').next().unwrap();
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(header)
        .unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(header["kid"], keys[0]["kid"]);
}

#[tokio::test]
async fn capabilities() {
    let runner = Runner::start();
    let answer = runner.get("/ddcc/metadata").await;
    let statement = answer.resource(200, "CapabilityStatement");
    for required in ["status", "date", "kind", "fhirVersion", "format"] {
        assert!(!statement[required].is_null(), "{required}");
    }
    assert_eq!(statement["implementation"]["url"], runner.url("/ddcc"));
    // What it claims is there: nothing of it is 404 or 405.
    let base = "/ddcc";
    for resource in statement["rest"][0]["resource"].as_array().unwrap() {
        let resource_type = resource["type"].as_str().unwrap();
        for interaction in resource["interaction"].as_array().unwrap_or(&vec![]) {
            let answer = match interaction["code"].as_str().unwrap() {
                "create" => {
                    runner
                        .post(&format!("{base}/{resource_type}"), &json!({}))
                        .await
                }
                "read" => {
                    let issue = runner
                        .get(&format!("{base}/{resource_type}/x"))
                        .await
                        .issue(404);
                    let text = issue["diagnostics"].as_str().unwrap();
                    assert!(text.contains("no resource with this id"), "{text}");
                    continue;
                }
                "search-type" => {
                    for parameter in resource["searchParam"].as_array().unwrap() {
                        let name = parameter["name"].as_str().unwrap();
                        let path = format!("{base}/{resource_type}?identifier=x&{name}=y");
                        runner.get(&path).await.resource(200, "Bundle");
                    }
                    continue;
                }
                other => panic!("{other} is not tested"),
            };
            assert_eq!(answer.status, 400, "{resource_type} {interaction}");
        }
    }
}

#[tokio::test]
async fn health_and_metrics() {
    let runner = Runner::start();
    assert_eq!(runner.get("/health/live").await.json()["status"], "live");
    let ready = runner.get("/health/ready").await;
    assert_eq!(ready.status, 200);
    assert_eq!(
        ready.json()["checks"],
        json!({"ledger": "ok", "repository": "ok", "signer": "ok"})
    );
    runner.get("/ddcc/Bundle/unknown").await;
    let events = [vaccination(1), json!({"resourceType": "Patient"})];
    runner.post("/ddcc", &super::batch(events)).await;
    runner.post(GENERATE, &vaccination(2)).await;
    runner
        .post("/ddcc/$verify", &json!({"code": "nonsense"}))
        .await;
    let metrics = runner.get("/metrics").await;
    let text = String::from_utf8(metrics.body.to_vec()).unwrap();
    for line in [
        r#"http_requests_total{method="GET",route="/ddcc/Bundle/{id}",status="404"} 1"#,
        r#"health_events_total{status="201"} 2"#,
        r#"health_events_total{status="422"} 1"#,
        r#"codes_verified_total{format="unknown",valid="false"} 1"#,
    ] {
        assert!(text.contains(line), "{line} is not in\n{text}");
    }
}
