//! A real OpenHIM core 4.0.5.
//!
//! ```no_run
//! # async fn test() {
//! let Some(core) = real_servers::openhim_core::RealOpenHimCore::start().await else {
//!     return; // not installed, which it has said on standard error
//! };
//! let mediators = core.api("GET", "/mediators", None).await;
//! assert_eq!(mediators.status, 200);
//! # }
//! ```
//!
//! A start takes about four seconds and 350 MB.

mod api;
mod commands;
mod configuration;
mod real_core;

pub use api::Answer;
pub use real_core::RealOpenHimCore;
