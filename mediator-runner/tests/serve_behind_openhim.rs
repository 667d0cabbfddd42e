//! `mediator-runner serve`, called through a real OpenHIM core.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use real_servers::openhim_core::RealOpenHimCore;
use serde_json::{Value, json};
use tempfile::TempDir;

struct Runner(
    Child,
    #[expect(dead_code, reason = "its files are used")] TempDir,
);

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn serve(core: &RealOpenHimCore, listen: &str, variables: &[(&str, &str)]) -> Runner {
    let folder = TempDir::new().unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
        .arg("serve")
        .current_dir(folder.path())
        .env("MEDIATOR_SERVER__LISTEN", listen)
        .env("MEDIATOR_CARD__ENABLED", "false")
        .env("MEDIATOR_OPENHIM__API_URL", core.api_url())
        .env("MEDIATOR_OPENHIM__USERNAME", RealOpenHimCore::USERNAME)
        .env("MEDIATOR_OPENHIM__PASSWORD", RealOpenHimCore::PASSWORD)
        .env("MEDIATOR_OPENHIM__CA_FILE", core.certificate_authority())
        .env("MEDIATOR_OPENHIM__HEARTBEAT_SECONDS", "1")
        .envs(variables.iter().copied())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap();
    Runner(child, folder)
}

/// Asks core until it knows what is wanted.
async fn until<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "waiting for {what}"
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn channels(core: &RealOpenHimCore) -> Vec<Value> {
    let answer = core.api("GET", "/channels", None).await;
    answer.body.as_array().cloned().unwrap_or_default()
}

/// A client that every channel lets through, once the mediator has made the channels.
async fn create_clinic(core: &RealOpenHimCore) {
    let config: Value =
        serde_json::from_str(include_str!("../../openhim-config/mediator.json")).unwrap();
    let expected = config["defaultChannelConfig"].as_array().unwrap().len();
    until("the channels", async || {
        (channels(core).await.len() == expected).then_some(())
    })
    .await;
    let roles: Vec<String> = channels(core)
        .await
        .iter()
        .flat_map(|channel| channel["allow"].as_array().cloned().unwrap_or_default())
        .filter_map(|role| Some(role.as_str()?.to_owned()))
        .collect();
    let roles: Vec<&str> = roles.iter().map(String::as_str).collect();
    core.create_client("clinic", "clinic-password", &roles)
        .await;
}

#[tokio::test]
async fn a_certificate_is_a_transaction_of_openhim() {
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    let _runner = serve(&core, "127.0.0.1:0", &[]);
    create_clinic(&core).await;

    let request = include_str!("../../examples/requests/vaccination.json");
    let client = reqwest::Client::new();
    let send = async || {
        client
            .post(format!(
                "{}/ddcc/QuestionnaireResponse/$generateHealthCertificate",
                core.router_url()
            ))
            .basic_auth("clinic", Some("clinic-password"))
            .header("content-type", "application/fhir+json")
            .body(request)
            .send()
            .await
            .unwrap()
    };
    let answer = send().await;
    assert_eq!(answer.status(), 200);
    let id = answer.headers()["x-openhim-transactionid"]
        .to_str()
        .unwrap()
        .to_owned();
    // Core adds a character set.
    let content_type = answer.headers()["content-type"].to_str().unwrap();
    assert!(
        content_type.starts_with("application/fhir+json"),
        "{content_type}"
    );
    let document: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
    assert_eq!(document["type"], "document");

    let transaction = core
        .transaction_when(&id, |transaction| transaction["status"] != "Processing")
        .await;
    assert_eq!(transaction["status"], "Successful");
    let names: Vec<&str> = transaction["orchestrations"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|orchestration| orchestration["name"].as_str())
        .collect();
    for name in ["Transform", "Accept event", "Sign", "Store and register"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }

    // What is refused is the client's mistake, and no failure.
    let refused = client
        .post(format!(
            "{}/ddcc/QuestionnaireResponse/$generateHealthCertificate",
            core.router_url()
        ))
        .basic_auth("clinic", Some("clinic-password"))
        .header("content-type", "application/fhir+json")
        .body(json!({"resourceType": "Patient"}).to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 422);
    let id = refused.headers()["x-openhim-transactionid"]
        .to_str()
        .unwrap()
        .to_owned();
    let outcome: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    assert_eq!(outcome["resourceType"], "OperationOutcome");
    let transaction = core
        .transaction_when(&id, |transaction| transaction["status"] != "Processing")
        .await;
    assert_eq!(transaction["status"], "Completed");
}

/// The secret is in the channels that the mediator has made, and what clients say about who they are
/// does not count.
#[tokio::test]
async fn core_shows_that_it_is_core() {
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let _runner = serve(
        &core,
        &address,
        &[
            ("MEDIATOR_ACCESS__OPENHIM__USERNAME", "openhim"),
            (
                "MEDIATOR_ACCESS__OPENHIM__PASSWORD",
                "a long password of channels",
            ),
            ("MEDIATOR_ACCESS__OPENHIM__ISSUE", "clinic"),
        ],
    );
    create_clinic(&core).await;
    let config: Value =
        serde_json::from_str(include_str!("../../openhim-config/mediator.json")).unwrap();
    let role = config["defaultChannelConfig"][0]["allow"][0].as_str();
    core.create_client("portal", "portal-password", &[role.unwrap()])
        .await;

    let path = "/ddcc/QuestionnaireResponse/$generateHealthCertificate";
    let request = include_str!("../../examples/requests/vaccination.json");
    let client = reqwest::Client::new();
    let post = async |url: String, user: &str, claim: &str| {
        let mut builder = client
            .post(url)
            .header("content-type", "application/fhir+json")
            .header("x-openhim-clientid", claim)
            .body(request);
        if !user.is_empty() {
            builder = builder.basic_auth(user, Some(format!("{user}-password")));
        }
        builder.send().await.unwrap().status()
    };
    let through = format!("{}{path}", core.router_url());
    assert_eq!(post(through.clone(), "clinic", "clinic").await, 200);
    // Core's channel lets this one through, the mediator does not; whatever it says.
    assert_eq!(post(through.clone(), "portal", "clinic").await, 403);
    assert_eq!(post(through, "portal", "portal").await, 403);
    assert_eq!(
        post(format!("http://{address}{path}"), "", "clinic").await,
        401
    );
    let keys = format!(
        "{}/ddcc/shc_issuer/.well-known/jwks.json",
        core.router_url()
    );
    assert_eq!(client.get(keys).send().await.unwrap().status(), 200);

    let polling = channels(&core).await;
    let polling = polling.iter().find(|channel| channel["type"] == "polling");
    let trigger = polling.unwrap()["_id"].as_str().unwrap();
    let path = format!("/channels/{trigger}/trigger");
    assert_eq!(core.api("POST", &path, None).await.status, 200);
    let filters = json!({"channelID": trigger});
    let polled = until("the polling channel", async || {
        let transactions = core.transactions(&filters).await;
        let done = transactions.into_iter().next()?;
        (done["status"] != "Processing").then_some(done)
    })
    .await;
    assert_eq!(polled["status"], "Successful", "{polled:#}");
}
