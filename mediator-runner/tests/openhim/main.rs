//! `mediator-runner openhim` against a real OpenHIM core, which these tests share.
#![allow(clippy::unwrap_used, reason = "tests")]

mod connection;
mod import;
mod mediator;

use std::path::Path;
use std::process::{Command, Output};

use real_servers::openhim_core::RealOpenHimCore;
use serde_json::Value;
use tokio::sync::OnceCell;

/// The core that the tests share: none of them ends it, and each has names of its own in it.
async fn core() -> Option<&'static RealOpenHimCore> {
    static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();
    CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
}

/// What a command printed, and its exit code.
struct Outcome {
    code: i32,
    output: String,
    errors: String,
}

impl Outcome {
    /// The lines of JSON that it printed.
    fn json(&self) -> Vec<Value> {
        assert!(self.errors.is_empty(), "{}", self.errors);
        let lines = self.output.lines();
        lines
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

/// Runs `mediator-runner openhim ARGUMENTS` without a connection.
fn runner(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command.arg("openhim").args(arguments);
    for (name, _) in std::env::vars() {
        if name.starts_with("MEDIATOR_") || name.starts_with("OPENHIM_") {
            command.env_remove(name);
        }
    }
    let Output {
        status,
        stdout,
        stderr,
    } = command.envs(variables.iter().copied()).output().unwrap();
    Outcome {
        code: status.code().unwrap(),
        output: String::from_utf8(stdout).unwrap(),
        errors: String::from_utf8(stderr).unwrap(),
    }
}

/// Runs `mediator-runner openhim ARGUMENTS` as core's administrator, who trusts core's authority.
fn at(core: &RealOpenHimCore, arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let (url, authority) = (core.api_url(), core.certificate_authority());
    let connection = ["--api-url", &url, "--ca", authority.to_str().unwrap()];
    let arguments = [arguments, &connection].concat();
    let user = [
        ("OPENHIM_USERNAME", RealOpenHimCore::USERNAME),
        ("OPENHIM_PASSWORD", RealOpenHimCore::PASSWORD),
    ];
    runner(&arguments, &[&user, variables].concat())
}

/// Writes a registration with a channel on `port`, and a polling channel.
fn write_mediator(file: &Path, name: &str, version: &str, port: u16) {
    let route = serde_json::json!([{
        "name": name, "host": "127.0.0.1", "port": port, "type": "http", "primary": true,
    }]);
    let mediator = serde_json::json!({
        "urn": format!("urn:mediator:{name}"),
        "version": version,
        "name": name,
        "endpoints": route,
        "defaultChannelConfig": [
            {
                "name": name, "urlPattern": format!("^/{name}$"), "type": "http",
                "methods": ["GET"], "authType": "public", "routes": route,
            },
            {
                "name": format!("{name} poll"), "urlPattern": format!("^/{name}-poll$"),
                "type": "polling", "pollingSchedule": "1 hour", "routes": route,
            },
        ],
    });
    std::fs::write(file, mediator.to_string()).unwrap();
}
