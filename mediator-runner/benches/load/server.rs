use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::processor_time;

/// Variables of a process's environment.
pub(crate) type Settings = Vec<(String, String)>;

/// `mediator-runner serve`, with data of its own.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    pub(crate) started: Instant,
    _data_directory: tempfile::TempDir,
}

/// The program with these settings and no others.
pub(crate) fn runner(settings: &Settings) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mediator-runner"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("MEDIATOR_")) {
        command.env_remove(name);
    }
    command.envs(settings.iter().cloned());
    command
}

impl Server {
    pub(crate) fn start(card: bool, settings: &Settings) -> Self {
        let data_directory = tempfile::tempdir().unwrap();
        let started = Instant::now();
        let mut child = runner(settings)
            .arg("serve")
            .env("MEDIATOR_DATA_DIRECTORY", data_directory.path())
            .env("MEDIATOR_SERVER__LISTEN", "127.0.0.1:0")
            .env("MEDIATOR_CARD__ENABLED", card.to_string())
            .env("MEDIATOR_LOG__FILTER", "warn,mediator_runner=info")
            .env("MEDIATOR_LOG__FORMAT", "json")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            log.push_str(&line);
            log.push('\n');
            let line: serde_json::Value = serde_json::from_str(&line).ok()?;
            Some(line.pointer("/fields/address")?.as_str()?.to_owned())
        });
        let address = address.unwrap_or_else(|| panic!("the server does not start:\n{log}"));
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            child,
            address,
            started,
            _data_directory: data_directory,
        }
    }

    pub(crate) fn cpu(&self) -> Duration {
        processor_time::of_process(&self.child.id().to_string())
    }

    /// In KiB.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .and_then(|line| line.split_whitespace().next()?.parse().ok())
            .unwrap()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
