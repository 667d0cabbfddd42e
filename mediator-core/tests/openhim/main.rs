//! Mediators of this library at a real OpenHIM core, from end to end.
//!
//! The tests share a core, but for those in `restarts`, which kill theirs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod asynchronous;
mod configuration;
mod polling;
mod refusals;
mod restarts;
mod running;
mod transactions;

use std::time::Duration;

use real_servers::openhim_core::RealOpenHimCore;
use tokio::sync::OnceCell;

/// The core that the tests share, if one is installed.
async fn core() -> Option<&'static RealOpenHimCore> {
    static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();
    CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
}

/// Waits until `holds`; panics with `what` after twenty seconds.
async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    for _ in 0..200 {
        if holds().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("in vain waited for: {what}");
}
