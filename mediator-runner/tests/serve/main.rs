//! `mediator-runner serve`, over HTTP as its clients see it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod access;
mod audit;
mod client_certificates;
mod codes;
mod documents;
mod events;
mod fhir_server;
mod guarded_fhir_server;
mod ledger;
mod lifecycle;
mod map_server;
mod moving_documents;
mod refusals;
mod rotation;
mod telemetry;
mod token;
mod two_processes;
mod vault;
mod verification;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;

const FHIR_JSON: &str = "application/fhir+json";
const GENERATE: &str = "/ddcc/QuestionnaireResponse/$generateHealthCertificate";

/// The binary, serving on a free port.
struct Runner {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
    data_directory: Arc<TempDir>,
}

impl Runner {
    fn start() -> Self {
        Self::configured(&[])
    }

    fn configured(variables: &[(&str, &str)]) -> Self {
        Self::in_directory(Arc::new(TempDir::new().unwrap()), variables)
    }

    fn in_directory(data_directory: Arc<TempDir>, variables: &[(&str, &str)]) -> Self {
        let mut child = command()
            .env("MEDIATOR_DATA_DIRECTORY", data_directory.path())
            .env("MEDIATOR_SERVER__LISTEN", "127.0.0.1:0")
            .env("MEDIATOR_LOG__FORMAT", "json")
            .env("MEDIATOR_CARD__ENABLED", "false")
            .envs(variables.iter().copied())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let stderr = child.stderr.take().unwrap();
        let written = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines() {
                let mut log = written.lock().unwrap();
                log.push_str(&line.unwrap());
                log.push('\n');
            }
        });
        let start = Instant::now();
        let address = loop {
            let found = log.lock().unwrap().lines().find_map(|line| {
                let line: Value = serde_json::from_str(line).ok()?;
                Some(line.pointer("/fields/address")?.as_str()?.to_owned())
            });
            if let Some(address) = found {
                break address;
            }
            assert!(
                start.elapsed() < Duration::from_secs(30) && child.try_wait().unwrap().is_none(),
                "the server does not start:\n{}",
                log.lock().unwrap()
            );
            std::thread::sleep(Duration::from_millis(10));
        };
        Self {
            child,
            address,
            log,
            reader: Some(reader),
            data_directory,
        }
    }

    /// Another command of the binary with the same configuration, as an operator runs it.
    fn operate(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_mediator-runner"))
            .args(arguments)
            .env("MEDIATOR_DATA_DIRECTORY", self.data_directory.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        output
    }

    fn url(&self, path: &str) -> String {
        if path.starts_with("http:") {
            path.to_owned()
        } else {
            format!("http://{}{path}", self.address)
        }
    }

    async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(self.url(path));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let (parts, body) = client.request(request).await.unwrap().into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.request(Method::GET, path, &[], "").await
    }

    async fn accept(&self, path: &str, media_type: &str) -> Answer {
        self.request(Method::GET, path, &[("accept", media_type)], "")
            .await
    }

    async fn post(&self, path: &str, resource: &Value) -> Answer {
        let headers = [("content-type", FHIR_JSON)];
        self.request(Method::POST, path, &headers, resource.to_string())
            .await
    }

    fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Asks it to end, as Kubernetes does.
    fn terminate(&self) {
        let status = Command::new("kill")
            .args(["-TERM", &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(status.success());
    }

    fn wait(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                // Its last lines may still be on their way.
                if let Some(reader) = self.reader.take() {
                    reader.join().unwrap();
                }
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `serve` without the configuration of whoever runs the tests.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    for (name, _) in std::env::vars() {
        if name.starts_with("MEDIATOR_") {
            command.env_remove(name);
        }
    }
    command.arg("serve");
    command
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Answer {
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// The resource of an answer with this status.
    #[track_caller]
    fn resource(&self, status: u16, resource_type: &str) -> Value {
        assert_eq!(self.status, status, "{:?}", self.body);
        assert_eq!(self.header("content-type"), FHIR_JSON);
        assert_eq!(self.header("cache-control"), "no-store");
        let resource = self.json();
        assert_eq!(resource["resourceType"], resource_type, "{resource}");
        resource
    }

    /// The first issue of an OperationOutcome with this status.
    #[track_caller]
    fn issue(&self, status: u16) -> Value {
        let outcome = self.resource(status, "OperationOutcome");
        let issue = outcome["issue"][0].clone();
        assert_eq!(issue["severity"], "error");
        assert!(issue["code"].is_string());
        assert!(issue["diagnostics"].as_str().unwrap().len() > 10, "{issue}");
        issue
    }
}

/// The example of a vaccination as another event of another holder.
fn vaccination(number: usize) -> Value {
    let text = include_str!("../../../examples/requests/vaccination.json");
    let mut response: Value = serde_json::from_str(text).unwrap();
    response["identifier"]["value"] = json!(format!("test-{number}"));
    set(
        &mut response,
        "hcid",
        json!({"valueString": format!("CH-TEST-{number}")}),
    );
    response
}

/// Answers one item of a QuestionnaireResponse otherwise.
fn set(response: &mut Value, link_id: &str, answer: Value) {
    let item = response["item"]
        .as_array_mut()
        .unwrap()
        .iter_mut()
        .find(|item| item["linkId"] == link_id)
        .unwrap();
    item["answer"] = json!([answer]);
}

fn parameters(response: Value) -> Value {
    json!({
        "resourceType": "Parameters",
        "parameter": [{"name": "response", "resource": response}],
    })
}

fn batch(resources: impl IntoIterator<Item = Value>) -> Value {
    let entries: Vec<Value> = resources
        .into_iter()
        .map(|resource| {
            json!({
                "resource": resource,
                "request": {
                    "method": "POST",
                    "url": "QuestionnaireResponse/$generateHealthCertificate",
                },
            })
        })
        .collect();
    json!({"resourceType": "Bundle", "type": "batch", "entry": entries})
}

/// The DocumentReference of this form of code in a document.
fn reference_id(document: &Value, form: &str) -> String {
    document["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .find(|resource| {
            resource["resourceType"] == "DocumentReference"
                && resource["type"]["coding"][0]["code"] == form
        })
        .and_then(|resource| resource["id"].as_str())
        .unwrap()
        .to_owned()
}
