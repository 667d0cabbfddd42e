//! A server of `tests/servers/hapi-fhir`, from start to end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::installation::Installation;
use crate::process::Process;

/// What the servers of `tests/servers/hapi-fhir` want to see in the `Authorization` header.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RequiredCredentials {
    /// Nothing.
    #[default]
    None,
    /// Basic authentication.
    Basic {
        /// The user.
        username: String,
        /// The user's password.
        password: String,
    },
    /// This bearer token.
    Bearer(String),
}

/// A running server, and how to start it again.
#[derive(Debug)]
pub(crate) struct JavaServer {
    main: &'static str,
    installation: Installation,
    arguments: Vec<String>,
    log: PathBuf,
    /// None while it is killed.
    process: Option<Process>,
    port: u16,
}

impl JavaServer {
    /// Starts the class `main` on a free port and waits until it answers; its log goes into
    /// `folder`. None when it is not installed.
    pub(crate) async fn start(
        main: &'static str,
        mut arguments: Vec<String>,
        credentials: &RequiredCredentials,
        folder: &Path,
    ) -> Option<Self> {
        let installation = Installation::find("hapi-fhir")?;
        match credentials {
            RequiredCredentials::None => {}
            RequiredCredentials::Basic { username, password } => {
                arguments.extend(["--basic".to_owned(), format!("{username}:{password}")]);
            }
            RequiredCredentials::Bearer(token) => {
                arguments.extend(["--bearer".to_owned(), token.clone()]);
            }
        }
        let mut server = Self {
            main,
            installation,
            arguments,
            log: folder.join(format!("{main}.log")),
            process: None,
            port: 0,
        };
        match server.run().await {
            Ok(()) => Some(server),
            Err(log) => panic!("{main} does not start:\n{log}"),
        }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://127.0.0.1:{}/fhir", self.port)
    }

    pub(crate) fn kill(&mut self) {
        self.process = None;
    }

    /// Starts it again on the same port; kills it first if it runs.
    pub(crate) async fn restart(&mut self) {
        self.kill();
        for attempt in 0.. {
            match self.run().await {
                Ok(()) => return,
                // Another process has taken the port meanwhile, perhaps not for long.
                Err(log) if log.contains("in use") && attempt < 5 => {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                Err(log) => panic!("{} does not start again:\n{log}", self.main),
            }
        }
    }

    pub(crate) fn pause(&self) {
        self.process.iter().for_each(Process::pause);
    }

    pub(crate) fn resume(&self) {
        self.process.iter().for_each(Process::resume);
    }

    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(Process::log).unwrap_or_default()
    }

    async fn run(&mut self) -> Result<(), String> {
        let mut process = Process::start(self.command(), &self.log);
        self.port = process
            .wait_for(|line| {
                let address = line.strip_prefix("listening on http://127.0.0.1:")?;
                address.strip_suffix("/fhir")?.parse().ok()
            })
            .await?;
        self.process = Some(process);
        Ok(())
    }

    fn command(&self) -> Command {
        let mut command = Command::new("java");
        command
            .current_dir(self.installation.path("."))
            .args(["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            // An archive that does not fit this machine is not worth a word.
            .args(["-Xlog:disable", "-Xlog:all=error"])
            .arg(format!("-XX:SharedArchiveFile={}.jsa", self.main))
            .arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn")
            .arg("-cp")
            .arg(class_path(&self.installation.path("jars")))
            .arg(self.main)
            .args(&self.arguments)
            .args(["--port", &self.port.to_string()]);
        command
    }
}

/// The libraries in the order in which `install` named them, relative to the installation.
fn class_path(folder: &Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut jars: Vec<String> = entries
        .map(|entry| format!("jars/{}", entry.unwrap().file_name().to_str().unwrap()))
        .collect();
    jars.sort();
    jars.join(":")
}
