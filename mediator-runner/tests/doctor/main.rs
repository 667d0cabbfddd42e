//! `mediator-runner doctor`, as operators use it.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod fhir;
mod files;
mod openhim;
mod servers;
mod token;

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

/// Runs `mediator-runner doctor` with this configuration, whose paths are relative to `folder`.
/// Every check has time enough for a busy machine.
fn doctor(folder: &Path, configuration: &str, arguments: &[&str]) -> Output {
    doctor_with(folder, configuration, arguments, &[])
}

fn doctor_with(
    folder: &Path,
    configuration: &str,
    arguments: &[&str],
    variables: &[(String, String)],
) -> Output {
    let file = folder.join("mediator.toml");
    std::fs::write(&file, configuration).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    command.args(["doctor", "--timeout", "60", "--config"]);
    command.arg(&file).args(arguments).current_dir(folder);
    for (name, _) in std::env::vars() {
        if name.starts_with("MEDIATOR_") {
            command.env_remove(name);
        }
    }
    command.envs(variables.iter().cloned()).output().unwrap()
}

/// What it found, by name, and its exit code.
struct Found {
    code: i32,
    json: Value,
}

impl Found {
    async fn by(folder: &Path, configuration: &str) -> Self {
        Self::with(folder, configuration, &[]).await
    }

    /// With these variables in its environment.
    async fn with(folder: &Path, configuration: &str, variables: &[(&str, &str)]) -> Self {
        let (folder, configuration) = (folder.to_owned(), configuration.to_owned());
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let variables: Vec<_> = variables.iter().map(owned).collect();
        // The test's own runtime may serve what is asked.
        let output = tokio::task::spawn_blocking(move || {
            doctor_with(&folder, &configuration, &["--json"], &variables)
        });
        let output = output.await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        Self {
            code: output.status.code().unwrap(),
            json: serde_json::from_str(&text).unwrap_or_else(|error| {
                panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr))
            }),
        }
    }

    fn check(&self, name: &str) -> &Value {
        let checks = self.json["checks"].as_array().unwrap();
        let named = checks.iter().find(|check| check["name"] == name);
        named.unwrap_or_else(|| panic!("no check of {name}: {}", self.json))
    }

    /// Result, details and advice.
    fn told(&self, name: &str) -> (&str, &str, &str) {
        let check = self.check(name);
        let text = |key: &str| check[key].as_str().unwrap_or_default();
        (text("result"), text("details"), text("advice"))
    }
}
