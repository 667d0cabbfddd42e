//! The repository of the tests starts, keeps its data over a kill, and asks for credentials.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use real_servers::hapi_fhir::{RealHapiFhir, RequiredCredentials};
use serde_json::{Value, json};

async fn put(client: &reqwest::Client, url: &str, resource: &Value) -> reqwest::Response {
    let body = serde_json::to_vec(resource).unwrap();
    let request = client
        .put(url)
        .header("Content-Type", "application/fhir+json");
    request.body(body).send().await.unwrap()
}

async fn json(response: reqwest::Response) -> Value {
    serde_json::from_slice(&response.bytes().await.unwrap()).unwrap()
}

#[tokio::test]
async fn a_repository_asks_for_credentials_and_keeps_its_data_over_a_kill() {
    let credentials = RequiredCredentials::Basic {
        username: "mediator".to_owned(),
        password: "secret".to_owned(),
    };
    let Some(mut server) = RealHapiFhir::start_with(&credentials).await else {
        return;
    };
    let client = reqwest::Client::new();
    let metadata = format!("{}/metadata", server.base_url());
    let refused = client.get(&metadata).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(
        refused.headers()["www-authenticate"],
        "Basic realm=\"fhir\""
    );
    let wrong = client.get(&metadata).basic_auth("mediator", Some("public"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);

    let mut headers = reqwest::header::HeaderMap::new();
    let right = "Basic bWVkaWF0b3I6c2VjcmV0".parse().unwrap();
    headers.insert("Authorization", right);
    let client = reqwest::Client::builder().default_headers(headers);
    let client = client.build().unwrap();
    let capabilities = client.get(&metadata).send().await.unwrap();
    assert_eq!(capabilities.status(), 200, "{}", server.log());
    let capabilities = json(capabilities).await;
    assert_eq!(capabilities["fhirVersion"], "4.0.1");
    assert_eq!(capabilities["software"]["version"], RealHapiFhir::VERSION);

    let url = format!("{}/Patient/kept", server.base_url());
    let patient = json!({"resourceType": "Patient", "id": "kept", "active": true});
    assert_eq!(put(&client, &url, &patient).await.status(), 201);
    server.kill();
    assert!(client.get(&url).send().await.unwrap_err().is_connect());
    server.restart().await;
    let kept = json(client.get(&url).send().await.unwrap()).await;
    assert_eq!(kept["active"], true);
}
