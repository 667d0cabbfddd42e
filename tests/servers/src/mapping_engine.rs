//! The mapping engine that Matchbox is built on, behind Matchbox's addresses; Matchbox itself is in
//! no registry.
//!
//! It knows the definitions of FHIR R4. Maps (JSON, or the mapping language) and models are uploaded
//! with `PUT` or `POST`, found by `StructureMap?url=`, run by `StructureMap/$transform?source=`; all
//! are in memory. Its errors are those of Matchbox.
//!
//! A start takes about nine seconds of processor time and 400 MB.

use tempfile::TempDir;

use crate::java_server::JavaServer;
pub use crate::java_server::RequiredCredentials;

/// A running mapping engine without maps. Dropping it ends it.
#[derive(Debug)]
pub struct RealMappingEngine {
    server: JavaServer,
    _folder: TempDir,
}

impl RealMappingEngine {
    /// Starts an engine that is open to everyone and waits until it answers. None, with a word on
    /// standard error, when none is installed.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start() -> Option<Self> {
        Self::run(Vec::new(), &RequiredCredentials::None).await
    }

    /// As [`Self::start`], but clients without the credentials are answered 401.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start_with(credentials: &RequiredCredentials) -> Option<Self> {
        Self::run(Vec::new(), credentials).await
    }

    /// As [`Self::start`], but it refuses uploads, as Matchbox does when it is configured for
    /// production.
    ///
    /// # Panics
    ///
    /// When it is installed but does not start; the message has its log.
    pub async fn start_without_uploads() -> Option<Self> {
        let arguments = vec!["--uploads".to_owned(), "no".to_owned()];
        Self::run(arguments, &RequiredCredentials::None).await
    }

    async fn run(arguments: Vec<String>, credentials: &RequiredCredentials) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let main = "mapping.MappingServer";
        let server = JavaServer::start(main, arguments, credentials, folder.path()).await?;
        Some(Self {
            server,
            _folder: folder,
        })
    }

    /// The base address of its FHIR API, without a slash at the end.
    pub fn base_url(&self) -> String {
        self.server.base_url()
    }

    /// Kills it without warning. Does nothing when it is killed already.
    pub fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts a killed engine again, at the same address and without maps, and waits until it
    /// answers. Kills it first if it runs.
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

    /// Lets a paused engine go on.
    pub fn resume(&self) {
        self.server.resume();
    }

    /// What it has logged since its last start, for the message of a failed test.
    pub fn log(&self) -> String {
        self.server.log()
    }
}
