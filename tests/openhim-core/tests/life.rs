//! The core of the tests starts, keeps its data over a kill, forgets when told to, and ends.

#![allow(clippy::unwrap_used, reason = "tests")]

use real_openhim_core::RealOpenHimCore;
use serde_json::json;

#[tokio::test]
async fn a_core_keeps_its_data_over_a_kill_and_forgets_with_its_database() {
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    let about = core.api("GET", "/about", None).await;
    assert_eq!(about.body["currentCoreVersion"], RealOpenHimCore::VERSION);
    core.create_client("hospital", "secret", &["ddcc"]).await;

    core.kill().await;
    let answer = reqwest::get(format!("{}/ddcc", core.router_url())).await;
    assert!(answer.unwrap_err().is_connect());

    core.restart().await;
    let hospital = core
        .api("GET", "/clients/domain/hospital.example", None)
        .await;
    assert_eq!(hospital.body["clientID"], "hospital");

    core.restart_with_empty_database().await;
    let clients = core.api("GET", "/clients", None).await;
    assert_eq!(clients.body, json!([]));
}

#[tokio::test]
async fn the_certificate_authority_is_that_of_the_api() {
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    let pem = std::fs::read(core.certificate_authority()).unwrap();
    let authority = reqwest::Certificate::from_pem(&pem).unwrap();
    let client = reqwest::Client::builder()
        .tls_certs_only([authority])
        .build()
        .unwrap();
    let url = format!("{}/heartbeat", core.api_url());
    assert!(client.get(&url).send().await.unwrap().status().is_success());
    assert!(reqwest::get(&url).await.unwrap_err().is_connect());
}
