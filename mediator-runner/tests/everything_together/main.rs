//! The main job with the servers that a ministry runs, all real: a client with a token of Keycloak
//! -> OpenHIM -> `serve` -> Matchbox's engine -> HAPI FHIR, Vault and PostgreSQL.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod core_with_certificate;
mod orchestrations;

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use real_servers::openhim_core::RealOpenHimCore;
use real_servers::postgresql::RealPostgreSql;
use real_servers::together::Servers;
use serde_json::{Value, json};

/// Folder for the certificate, which others' verifiers then check.
const FOLDER: &str = "DDCC_TOGETHER";

const REQUEST: &str = include_str!("../../../examples/requests/vaccination.json");
const PATH: &str = "/ddcc/QuestionnaireResponse/$generateHealthCertificate";

struct Runner(Child);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn runner(servers: &Servers, data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command
        .args(arguments)
        .env("MEDIATOR_DATA_DIRECTORY", data)
        .env("MEDIATOR_LEDGER__CONNECT_TIMEOUT_SECONDS", "60")
        .envs(servers.settings());
    command
}

const SECRET: &str = "a long password of channels";

/// Lets callers with a token of Keycloak through, which the mediator checks; and, elsewhere, a client
/// of OpenHIM, for whom core shows the mediator that it is core.
async fn create_channels(core: &RealOpenHimCore, port: u16) {
    core.create_channel_to((port, PATH), PATH, |_| ()).await;
    let trusted = format!("/trusted{PATH}");
    core.create_channel_to((port, PATH), &trusted, |channel| {
        channel["authType"] = json!("private");
        channel["allow"] = json!(["issuing"]);
        channel["routes"][0]["forwardAuthHeader"] = json!(false);
        channel["routes"][0]["username"] = json!("openhim");
        channel["routes"][0]["password"] = json!(SECRET);
    })
    .await;
    core.create_client("clinic", "clinic-password", &["issuing"])
        .await;
}

/// Another event of the same holder, asked for by a client of OpenHIM: core's transaction shows
/// what each back end was asked.
async fn core_is_told(core: &RealOpenHimCore, servers: &Servers) {
    let mut event: Value = serde_json::from_str(REQUEST).unwrap();
    event["identifier"]["value"] = json!("by a client of OpenHIM");
    let url = format!("{}/trusted{PATH}", core.router_url());
    let start = Instant::now();
    let answer = loop {
        let request = reqwest::Client::new()
            .post(&url)
            .basic_auth("clinic", Some("clinic-password"))
            .header("content-type", "application/fhir+json")
            .body(event.to_string());
        let answer = request.send().await.unwrap();
        if answer.status() == 200 || start.elapsed() > Duration::from_secs(60) {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let status = answer.status();
    let transaction = answer.headers()["x-openhim-transactionid"].clone();
    let text = answer.text().await.unwrap();
    assert_eq!(status, 200, "{text}");
    let transaction = core
        .transaction_when(transaction.to_str().unwrap(), |transaction| {
            transaction["status"] != "Processing"
        })
        .await;
    assert_eq!(transaction["status"], "Successful");
    orchestrations::check(&transaction["orchestrations"], servers);
}

/// Sends the request until it gets through: core takes a moment to notice a channel, `serve` to
/// start.
async fn issue(url: &str, token: &str) -> reqwest::Response {
    let start = Instant::now();
    loop {
        let answer = reqwest::Client::new()
            .post(url)
            .bearer_auth(token)
            .header("content-type", "application/fhir+json")
            .body(REQUEST)
            .send()
            .await
            .unwrap();
        if answer.status() == 200 || start.elapsed() > Duration::from_secs(120) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_comes_about_with_all_real_servers() {
    let servers = Servers::start(|_| true).await;
    if !servers.are_complete() {
        return; // it has said which are missing
    }
    let (core, keycloak) = (
        servers.openhim.as_ref().unwrap(),
        servers.keycloak.as_ref().unwrap(),
    );
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let child = runner(&servers, &data, &["serve"])
        .env("MEDIATOR_SERVER__LISTEN", address.to_string())
        .env("MEDIATOR_ACCESS__OPENHIM__USERNAME", "openhim")
        .env("MEDIATOR_ACCESS__OPENHIM__PASSWORD", SECRET)
        .stderr(Stdio::inherit())
        .spawn();
    let serving = Runner(child.unwrap());
    create_channels(core, address.port()).await;
    let url = format!("{}{PATH}", core.router_url());

    let token = keycloak.client_token("health-event-source").await;
    let answer = issue(&url, &token).await;
    let status = answer.status();
    let transaction = answer.headers()["x-openhim-transactionid"].clone();
    let document: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(status, 200, "{document:#}");
    let again: Value = {
        let answer = issue(&url, &token).await;
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    };
    assert_eq!(again, document, "the same event has the same certificate");

    // A token proves who the client is, and not that OpenHIM asks: OpenHIM sees the answer as it is.
    let transaction = core
        .transaction_when(transaction.to_str().unwrap(), |transaction| {
            transaction["status"] != "Processing"
        })
        .await;
    assert_eq!(transaction["status"], "Successful");
    // The document is in the FHIR repository, byte for byte in a Binary, and the event in PostgreSQL.
    let identifier = document["identifier"]["value"].as_str().unwrap();
    let id = identifier.strip_prefix("urn:uuid:").unwrap();
    let kept = reqwest::Client::new()
        .get(format!(
            "{}/Binary/{id}",
            servers.hapi_fhir.as_ref().unwrap().base_url()
        ))
        .basic_auth("mediator", Some("repository-password"))
        .send()
        .await
        .unwrap();
    assert_eq!(kept.status(), 200);
    let postgresql: &RealPostgreSql = servers.postgresql.as_ref().unwrap();
    let events = postgresql.sql("ledger", "SELECT count(*) FROM event").await;
    assert_eq!(events.trim(), "1");

    // Whoever has no token, or one of somebody else, gets none.
    let stranger = reqwest::Client::new().post(&url).body(REQUEST).send().await;
    assert_eq!(stranger.unwrap().status(), 401);

    core_is_told(core, &servers).await;
    core_with_certificate::is_told_with_a_token_too(&servers, &data).await;

    // The same event on the command line has the same certificate, in files for verifiers.
    drop(serving);
    fs::write(folder.path().join("vaccination.json"), REQUEST).unwrap();
    let certificates = match std::env::var_os(FOLDER) {
        Some(folder) => folder.into(),
        None => folder.path().join("certificates"),
    };
    let request = folder.path().join("vaccination.json");
    let written = runner(&servers, &data, &["issue"])
        .arg(&request)
        .arg("--out")
        .arg(&certificates)
        .output()
        .unwrap();
    assert!(
        written.status.success(),
        "{}",
        String::from_utf8_lossy(&written.stderr)
    );
    let holder = fs::read_dir(&certificates)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.is_dir())
        .unwrap();
    let text = fs::read(holder.join("1/document.json")).unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap(), document);
    let verified = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
        .arg("verify")
        .arg(holder.join("1/document.json"))
        .arg("--certificate")
        .arg(certificates.join("signer.pem"))
        .output()
        .unwrap();
    assert!(
        verified.status.success(),
        "{}{}",
        String::from_utf8_lossy(&verified.stdout),
        String::from_utf8_lossy(&verified.stderr)
    );
}
