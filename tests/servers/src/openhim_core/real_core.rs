//! The core and its database, from start to end.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Mutex;

use super::configuration::Ports;
use super::{commands, configuration};
use crate::certificate;
use crate::installation::Installation;
use crate::process::Process;

/// A running OpenHIM core with a database of its own. Dropping it ends both.
#[derive(Debug)]
pub struct RealOpenHimCore {
    installation: Installation,
    folder: TempDir,
    ports: Ports,
    running: Mutex<Running>,
}

#[derive(Debug)]
struct Running {
    /// None while core is killed.
    core: Option<Process>,
    database: Process,
    database_port: u16,
}

impl RealOpenHimCore {
    /// The user who may do everything, from the first start on.
    pub const USERNAME: &str = "root@openhim.org";
    /// The password of [`Self::USERNAME`].
    pub const PASSWORD: &str = "openhim-password";
    /// The version of core.
    pub const VERSION: &str = "4.0.5";

    /// Starts a core with an empty database and waits until it answers. None, with a word on
    /// standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start() -> Option<Self> {
        let installation = Installation::find("openhim-core")?;
        let folder = tempfile::tempdir().unwrap();
        // Core's own is self-signed and names no host in the way that TLS clients of today look
        // for one, so it could be accepted but never verified.
        certificate::write(folder.path(), "OpenHIM core for tests");
        let (database, database_port) = start_database(&installation, &folder).await;
        let mut attempts = 0;
        let (core, ports) = loop {
            let ports = Ports::free();
            configuration::write(folder.path(), ports, database_port);
            match start_core(&installation, &folder).await {
                Ok(core) => break (core, ports),
                // Another process was faster to take a port.
                Err(log) if log.contains("EADDRINUSE") && attempts < 5 => attempts += 1,
                Err(log) => panic!("OpenHIM core does not start:\n{log}"),
            }
        };
        Some(Self {
            installation,
            folder,
            ports,
            running: Mutex::new(Running {
                core: Some(core),
                database,
                database_port,
            }),
        })
    }

    /// The base address of core's API, with a certificate of [`Self::certificate_authority`] that
    /// is also good for 127.0.0.1 in place of localhost.
    pub fn api_url(&self) -> String {
        format!("https://127.0.0.1:{}", self.ports.api)
    }

    /// The base address to which clients send their transactions.
    pub fn router_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports.router)
    }

    /// The PEM file of the certificate authority that core's API has its certificate from.
    pub fn certificate_authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// Kills core without warning; its database stays. Does nothing when it is killed already.
    pub async fn kill(&self) {
        self.running.lock().await.core = None;
    }

    /// Starts a killed core again, on the same ports and with the same database, and waits until it
    /// answers. Kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not start; the message has its log.
    pub async fn restart(&self) {
        let mut running = self.running.lock().await;
        self.restart_core(&mut running).await;
    }

    /// Starts core again, on the same ports but with an empty database: it has forgotten everything
    /// but the user [`Self::USERNAME`].
    ///
    /// # Panics
    ///
    /// When it does not start; the message has its log.
    pub async fn restart_with_empty_database(&self) {
        let mut running = self.running.lock().await;
        running.core = None;
        (running.database, running.database_port) =
            start_database(&self.installation, &self.folder).await;
        self.restart_core(&mut running).await;
    }

    async fn restart_core(&self, running: &mut Running) {
        running.core = None;
        configuration::write(self.folder.path(), self.ports, running.database_port);
        for attempt in 0.. {
            match start_core(&self.installation, &self.folder).await {
                Ok(core) => {
                    running.core = Some(core);
                    return;
                }
                // Another process has taken a port meanwhile, perhaps not for long.
                Err(log) if log.contains("EADDRINUSE") && attempt < 5 => {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                Err(log) => panic!("OpenHIM core does not start again:\n{log}"),
            }
        }
    }

    /// What core has logged since its last start, for the message of a failed test.
    pub async fn log(&self) -> String {
        let running = self.running.lock().await;
        running.core.as_ref().map(Process::log).unwrap_or_default()
    }
}

async fn start_core(installation: &Installation, folder: &TempDir) -> Result<Process, String> {
    let configuration = folder.path().join("configuration.json");
    let log = folder.path().join("core.log");
    let mut core = Process::start(commands::core(installation, &configuration), &log);
    core.wait_for(|line| {
        if line.contains("EADDRINUSE") {
            Some(Err(line.to_owned()))
        } else {
            line.contains("OpenHIM server started:").then_some(Ok(()))
        }
    })
    .await
    .flatten()?;
    Ok(core)
}

async fn start_database(installation: &Installation, folder: &TempDir) -> (Process, u16) {
    let log = folder.path().join("database.log");
    let mut database = Process::start(commands::database(installation), &log);
    match database.wait_for(|line| line.trim().parse().ok()).await {
        Ok(port) => (database, port),
        Err(log) => panic!("the database of OpenHIM core does not start:\n{log}"),
    }
}
