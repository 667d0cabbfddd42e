//! The core of the tests starts, keeps its data over a kill, forgets when told to, and ends.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "tests"
)]

use std::process::{Command, Stdio};
use std::time::Duration;

use real_servers::openhim_core::RealOpenHimCore;
use serde_json::json;
use tokio::sync::OnceCell;

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

/// Not a test of its own: what `a_core_ends_with_its_process_however_that_ends` runs.
#[tokio::test]
#[ignore = "ends its process"]
async fn abandon_a_core() {
    static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();
    let core = CORE.get_or_init(RealOpenHimCore::start).await;
    if let Some(core) = core {
        println!("core={}", core.router_url());
        std::process::abort();
    }
}

#[tokio::test]
async fn a_core_ends_with_its_process_however_that_ends() {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "abandon_a_core", "--ignored", "--nocapture"])
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    if output.status.success() {
        return; // none is installed, which it has said
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let address = text
        .split_whitespace()
        .find_map(|word| word.strip_prefix("core="))
        .unwrap();
    for _ in 0..50 {
        match reqwest::get(address).await {
            Err(error) if error.is_connect() => return,
            _ => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    panic!("the core is still there");
}
