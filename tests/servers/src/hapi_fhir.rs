//! A real FHIR R4 repository: HAPI FHIR's JPA server 8.8.0, with its data in a file of H2.
//!
//! ```no_run
//! # async fn test() {
//! let Some(server) = real_servers::hapi_fhir::RealHapiFhir::start().await else {
//!     return; // not installed, which it has said on standard error
//! };
//! let url = format!("{}/metadata", server.base_url());
//! assert_eq!(reqwest::get(url).await.unwrap().status(), 200);
//! # }
//! ```
//!
//! A start takes about ten seconds of processor time and 600 MB.

use tempfile::TempDir;

use crate::java_server::JavaServer;
pub use crate::java_server::RequiredCredentials;

/// A running FHIR repository with data of its own. Dropping it ends and deletes it.
#[derive(Debug)]
pub struct RealHapiFhir {
    server: JavaServer,
    _folder: TempDir,
}

impl RealHapiFhir {
    /// The version of HAPI FHIR.
    pub const VERSION: &str = "8.8.0";

    /// Starts an empty repository that is open to everyone and waits until it answers. None, with a
    /// word on standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start() -> Option<Self> {
        Self::start_with(&RequiredCredentials::None).await
    }

    /// As [`Self::start`], but clients without the credentials are answered 401.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start_with(credentials: &RequiredCredentials) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("data").display().to_string();
        let arguments = vec!["--database".to_owned(), database];
        let server = JavaServer::start(
            "repository.RepositoryServer",
            arguments,
            credentials,
            folder.path(),
        )
        .await?;
        Some(Self {
            server,
            _folder: folder,
        })
    }

    /// The base address of its FHIR API, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// Kills it without warning; its data stay. Does nothing when it is killed already.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts a killed repository again, at the same address and with the same data, and waits until
    /// it answers. Kills it first if it runs.
    ///
    /// # Panics
    ///
    /// When it does not start; the message has its log.
    pub async fn restart(&mut self) {
        self.server.restart().await;
    }

    /// Stops it without ending it: it accepts connections and does not answer.
    pub fn pause(&self) {
        self.server.pause();
    }

    /// Lets a paused repository go on.
    pub fn resume(&self) {
        self.server.resume();
    }

    /// What it has logged since its last start, for the message of a failed test.
    pub fn log(&self) -> String {
        self.server.log()
    }
}
