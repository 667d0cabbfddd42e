//! This program stands in for Matchbox: our client of Matchbox passes its tests with `/fhir`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../../mediator-ddcc/tests/matchbox/faults.rs"]
mod faults;
#[path = "../../../mediator-ddcc/tests/matchbox/results.rs"]
mod results;
#[path = "../../../mediator-ddcc/tests/matchbox/uploads.rs"]
mod uploads;

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use mediator_core::back_end::{BackEnd, BackEndSettings, CircuitBreakerSettings};
use mediator_ddcc::transformer::matchbox::{MatchboxTransformer, Upload};
use mediator_ddcc::transformer::{Definitions, Transformer, TransformerError};
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

const VACCINATION: &str = "http://smart.who.int/ddcc/StructureMap/QRespToVSCoreDataSet";
const SEED: Uuid = Uuid::from_u128(0x5eed);

/// The binary, serving on a free port until it is dropped.
struct Server {
    child: Child,
    address: String,
    _data_directory: TempDir,
}

impl Server {
    fn start() -> Self {
        let data_directory = TempDir::new().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
        for (name, _) in std::env::vars() {
            if name.starts_with("MEDIATOR_") {
                command.env_remove(name);
            }
        }
        let mut child = command
            .arg("serve")
            .env("MEDIATOR_DATA_DIRECTORY", data_directory.path())
            .env("MEDIATOR_SERVER__LISTEN", "127.0.0.1:0")
            .env("MEDIATOR_MAP_SERVER__ENABLED", "true")
            .env("MEDIATOR_CARD__ENABLED", "false")
            .env("MEDIATOR_LOG__FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = loop {
            let line = lines.next().unwrap().unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if let Some(address) = line.pointer("/fields/address") {
                break address.as_str().unwrap().to_owned();
            }
        };
        // What it writes later must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            _data_directory: data_directory,
        }
    }

    fn base_url(&self) -> String {
        format!("http://{}/fhir", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As the tests have the engine: it may be missing; ours never is.
async fn engine() -> Option<Server> {
    Some(Server::start())
}

fn address(base_url: &str) -> SocketAddr {
    let rest = base_url.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

fn settings(base_url: &str) -> BackEndSettings {
    BackEndSettings {
        timeout: Duration::from_secs(120),
        first_retry_delay: Duration::from_millis(1),
        ..BackEndSettings::new("Matchbox", base_url.parse().unwrap())
    }
}

fn transformer(settings: &BackEndSettings, definitions: Definitions) -> MatchboxTransformer {
    let back_end = BackEnd::new(settings).unwrap();
    MatchboxTransformer::new(back_end, definitions, Upload::Missing).unwrap()
}

fn matchbox(base_url: &str) -> MatchboxTransformer {
    transformer(&settings(base_url), Definitions::builtin().unwrap())
}

/// Fails at once, and as often as it is asked.
fn impatient(base_url: &str, timeout: Duration) -> MatchboxTransformer {
    let settings = BackEndSettings {
        timeout,
        attempts: 1,
        circuit_breaker: CircuitBreakerSettings {
            failures: u32::MAX,
            ..CircuitBreakerSettings::default()
        },
        ..settings(base_url)
    };
    transformer(&settings, Definitions::builtin().unwrap())
}

fn example(name: &str) -> Value {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../mediator-ddcc/tests/java-mapping-engine/inputs/"
    );
    let text = std::fs::read_to_string(format!("{folder}{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn run(transformer: &dyn Transformer) -> Result<Value, TransformerError> {
    let input = example("vaccination");
    transformer.transform(VACCINATION, &input, SEED).await
}
