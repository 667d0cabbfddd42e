//! This program stands in for Matchbox: our client of Matchbox passes its tests with `/fhir`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "../../../mediator-ddcc/tests/matchbox/client.rs"]
mod client;
#[path = "../../../mediator-ddcc/tests/matchbox/faults.rs"]
mod faults;
#[path = "../../../mediator-ddcc/tests/matchbox/results.rs"]
mod results;
#[path = "../../../mediator-ddcc/tests/matchbox/uploads.rs"]
mod uploads;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

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
