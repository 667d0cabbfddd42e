//! Maps run by Matchbox's engine: the same results as the embedded engine's, and faults told apart.
//! `mediator-runner` runs `faults`, `results` and `uploads` with its own server in Matchbox's place.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod client;
mod faults;
mod restarts;
mod results;
mod uploads;

use real_servers::mapping_engine::RealMappingEngine;
use tokio::sync::OnceCell;

/// The engine of the tests that leave it running.
async fn engine() -> Option<&'static RealMappingEngine> {
    static ENGINE: OnceCell<Option<RealMappingEngine>> = OnceCell::const_new();
    ENGINE.get_or_init(RealMappingEngine::start).await.as_ref()
}
