//! Vault, from start to end.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::Mutex;

use super::api::call;
use crate::certificate;
use crate::free_port::free_port;
use crate::installation::Installation;
use crate::process::Process;

/// A running Vault with a storage of its own. Dropping it ends it.
#[derive(Debug)]
pub struct RealVault {
    installation: Installation,
    folder: TempDir,
    port: u16,
    kind: Kind,
    /// None while it is killed.
    running: Mutex<Option<Process>>,
}

#[derive(Debug)]
enum Kind {
    /// Everything in memory, plain HTTP.
    Development,
    /// Everything in files, TLS.
    Persistent {
        unseal_key: String,
        root_token: String,
    },
}

const DEVELOPMENT_TOKEN: &str = "development-root-token";

impl RealVault {
    /// The version of Vault.
    pub const VERSION: &str = "1.18.0";

    /// Starts a Vault in development mode: initialized, unsealed, everything in memory, plain
    /// HTTP. None, with a word on standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start() -> Option<Self> {
        let installation = Installation::find("vault")?;
        let folder = tempfile::tempdir().unwrap();
        let (process, port) = start_on_free_port(|port| {
            let mut command = Command::new(installation.path("vault"));
            command
                .args(["server", "-dev", "-dev-no-store-token", "-dev-no-kv"])
                .arg(format!("-dev-root-token-id={DEVELOPMENT_TOKEN}"))
                .arg(format!("-dev-listen-address=127.0.0.1:{port}"));
            (command, folder.path().join("vault.log"))
        })
        .await;
        Some(Self {
            installation,
            folder,
            port,
            kind: Kind::Development,
            running: Mutex::new(Some(process)),
        })
    }

    /// Starts a Vault that keeps what it has in files and can be killed and started again, behind
    /// TLS with a certificate of [`Self::certificate_authority`]; initialized and unsealed. None,
    /// with a word on standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start_persistent() -> Option<Self> {
        let installation = Installation::find("vault")?;
        let folder = tempfile::tempdir().unwrap();
        certificate::write(folder.path());
        let (process, port) =
            start_on_free_port(|port| persistent(&installation, folder.path(), port)).await;
        let url = format!("https://127.0.0.1:{port}");
        let wanted = json!({ "secret_shares": 1, "secret_threshold": 1 });
        let keys = call(&url, "", "PUT", "sys/init", Some(wanted)).await;
        let keys = keys.unwrap().body;
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let vault = Self {
            installation,
            folder,
            port,
            kind: Kind::Persistent {
                unseal_key: text(&keys["keys"][0]),
                root_token: text(&keys["root_token"]),
            },
            running: Mutex::new(Some(process)),
        };
        vault.unseal().await;
        Some(vault)
    }

    /// The base address of Vault.
    pub fn url(&self) -> String {
        let scheme = match self.kind {
            Kind::Development => "http",
            Kind::Persistent { .. } => "https",
        };
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// The token of the user who may do everything.
    pub fn root_token(&self) -> String {
        match &self.kind {
            Kind::Development => DEVELOPMENT_TOKEN.to_owned(),
            Kind::Persistent { root_token, .. } => root_token.clone(),
        }
    }

    /// The PEM file of the certificate authority that a persistent Vault has its certificate from.
    pub fn certificate_authority(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A folder for the files of a test, removed with this Vault.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Kills Vault without warning. Does nothing when it is killed already.
    pub async fn kill(&self) {
        *self.running.lock().await = None;
    }

    /// Starts a killed persistent Vault again, on the same port and with the same storage, and
    /// unseals it. Kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not start, with its log; and in development mode, which forgets.
    pub async fn restart(&self) {
        self.restart_sealed().await;
        self.unseal().await;
    }

    /// Starts a killed persistent Vault again and leaves it sealed, as it is when its machine has
    /// restarted.
    ///
    /// # Panics
    ///
    /// When it does not start, with its log; and in development mode, which forgets.
    pub async fn restart_sealed(&self) {
        assert!(
            matches!(self.kind, Kind::Persistent { .. }),
            "a Vault in development mode forgets everything: use start_persistent()"
        );
        let mut running = self.running.lock().await;
        *running = None;
        for attempt in 0.. {
            let (command, log) = persistent(&self.installation, self.folder.path(), self.port);
            match start(&command, &log).await {
                Ok(process) => {
                    *running = Some(process);
                    return;
                }
                // Another process has taken the port meanwhile, perhaps not for long.
                Err(log) if is_taken(&log) && attempt < 5 => {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                Err(log) => panic!("Vault does not start again:\n{log}"),
            }
        }
    }

    /// Seals Vault: it answers 503 until it is unsealed.
    ///
    /// # Panics
    ///
    /// When it refuses.
    pub async fn seal(&self) {
        self.done("PUT", "sys/seal", json!({})).await;
    }

    /// Unseals a persistent Vault and waits until it is the active one.
    ///
    /// # Panics
    ///
    /// When it refuses; and in development mode.
    pub async fn unseal(&self) {
        let Kind::Persistent { unseal_key, .. } = &self.kind else {
            panic!("only a persistent Vault can be unsealed");
        };
        self.done("PUT", "sys/unseal", json!({ "key": unseal_key }))
            .await;
        for _ in 0..600 {
            if self.api("GET", "sys/health", None).await.status == 200 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("Vault does not become active:\n{}", self.log().await);
    }

    /// Stops Vault without ending it, as a machine does that is too busy to answer.
    ///
    /// # Panics
    ///
    /// When it is killed.
    pub async fn pause(&self) {
        self.running.lock().await.as_ref().unwrap().pause();
    }

    /// Lets a paused Vault go on.
    ///
    /// # Panics
    ///
    /// When it is killed.
    pub async fn resume(&self) {
        self.running.lock().await.as_ref().unwrap().resume();
    }

    /// What Vault has logged since its last start, for the message of a failed test.
    pub async fn log(&self) -> String {
        let running = self.running.lock().await;
        running.as_ref().map(Process::log).unwrap_or_default()
    }
}

/// The command that runs a persistent Vault, and its log.
fn persistent(installation: &Installation, folder: &Path, port: u16) -> (Command, PathBuf) {
    let storage = folder.join("storage");
    std::fs::create_dir_all(&storage).unwrap();
    // Only members of a cluster use the second port; this one has no others.
    let cluster_port = free_port();
    let configuration = json!({
        "disable_mlock": true,
        "api_addr": format!("https://127.0.0.1:{port}"),
        "cluster_addr": format!("https://127.0.0.1:{cluster_port}"),
        "storage": { "raft": { "path": storage, "node_id": "only" } },
        "listener": { "tcp": {
            "address": format!("127.0.0.1:{port}"),
            "cluster_address": format!("127.0.0.1:{cluster_port}"),
            "tls_cert_file": folder.join("certificate.pem"),
            "tls_key_file": folder.join("key.pem"),
        } },
    });
    let file = folder.join("vault.json");
    std::fs::write(&file, configuration.to_string()).unwrap();
    let mut command = Command::new(installation.path("vault"));
    command
        .arg("server")
        .arg(format!("-config={}", file.display()));
    (command, folder.join("vault.log"))
}

async fn start_on_free_port(command: impl Fn(u16) -> (Command, PathBuf)) -> (Process, u16) {
    let mut attempts = 0;
    loop {
        let port = free_port();
        let (command, log) = command(port);
        match start(&command, &log).await {
            Ok(process) => return (process, port),
            // Another process was faster to take the port.
            Err(log) if is_taken(&log) && attempts < 5 => attempts += 1,
            Err(log) => panic!("Vault does not start:\n{log}"),
        }
    }
}

async fn start(command: &Command, log: &Path) -> Result<Process, String> {
    let mut process = Process::start_guarded(command, log);
    process
        .wait_for(|line| {
            if is_taken(line) {
                Some(Err(line.to_owned()))
            } else {
                line.contains("Vault server started!").then_some(Ok(()))
            }
        })
        .await
        .flatten()?;
    Ok(process)
}

fn is_taken(log: &str) -> bool {
    log.contains("address already in use")
}
