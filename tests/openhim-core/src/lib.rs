//! A real OpenHIM core 4.0.5 on the loopback, for tests of mediators.
//!
//! ```no_run
//! # async fn test() {
//! let Some(core) = real_openhim_core::RealOpenHimCore::start().await else {
//!     return; // not installed, which it has said on standard error
//! };
//! let mediators = core.api("GET", "/mediators", None).await;
//! assert_eq!(mediators.status, 200);
//! # }
//! ```
//!
//! `tests/openhim-core/install DIR` installs it, and `OPENHIM_CORE_FOR_TESTS=DIR` tells the tests
//! where. A start takes about four seconds and 350 MB, so tests of one binary share one:
//!
//! ```no_run
//! # use real_openhim_core::RealOpenHimCore;
//! static CORE: tokio::sync::OnceCell<Option<RealOpenHimCore>> = tokio::sync::OnceCell::const_new();
//!
//! async fn core() -> Option<&'static RealOpenHimCore> {
//!     CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
//! }
//! ```
//!
//! The processes end with the one that started them, also when it is killed and when the core is in
//! a `static`, whose destructor never runs. What goes wrong panics: this crate is for tests only.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a library for tests, whose failures are the tests' failures"
)]

mod api;
mod certificate;
mod configuration;
mod installation;
mod process;
mod real_core;

pub use api::Answer;
pub use real_core::RealOpenHimCore;
