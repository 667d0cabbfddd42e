use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Less than this between two measurements is delay, not a restart.
const TOLERANCE: Duration = Duration::from_secs(3);

/// How long core said it had been running, and when it said so. No clock is involved that anybody
/// can set.
#[derive(Default)]
pub(super) struct CoreUptime(Mutex<Option<(Instant, Duration)>>);

impl CoreUptime {
    /// Whether core, with this uptime now, cannot be the process that it was when last asked.
    pub(super) fn is_new_start(&self, now: Instant, uptime: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.replace((now, uptime)) {
            Some((then, before)) => uptime + TOLERANCE < before + (now - then),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_uptime_that_falls_behind_is_a_restart() {
        let core = CoreUptime::default();
        let begin = Instant::now();
        let is_new_start = |after, uptime| {
            let now = begin + Duration::from_millis(after);
            core.is_new_start(now, Duration::from_millis(uptime))
        };
        assert!(!is_new_start(0, 100_000));
        assert!(!is_new_start(10_000, 109_500));
        assert!(is_new_start(20_000, 2_000));
        // We were away for so long that the new process is older than the old one was.
        assert!(is_new_start(1_020_000, 900_000));
        assert!(!is_new_start(1_020_000, 900_000));
    }
}
