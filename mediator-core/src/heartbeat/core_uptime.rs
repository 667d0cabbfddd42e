use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Less than this is not a restart, but two clocks that do not run at quite the same speed.
const TOLERANCE: Duration = Duration::from_secs(1);

/// How long core said it had been running, and when we had heard it. No clock is involved that
/// anybody can set.
#[derive(Default)]
pub(super) struct CoreUptime(Mutex<Option<(Instant, Duration)>>);

impl CoreUptime {
    /// Whether core, which was asked its uptime and has answered, cannot be the process that it
    /// was the last time. However long a question or an answer takes on its way, that alone is
    /// never taken for a restart.
    pub(super) fn is_new_start(&self, asked: Instant, answered: Instant, uptime: Duration) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match last.replace((answered, uptime)) {
            Some((heard, before)) => {
                uptime + TOLERANCE < before + asked.saturating_duration_since(heard)
            }
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
        let is_new_start = |asked, answered, uptime| {
            core.is_new_start(
                begin + Duration::from_secs(asked),
                begin + Duration::from_secs(answered),
                Duration::from_secs(uptime),
            )
        };
        assert!(!is_new_start(0, 0, 100));
        assert!(!is_new_start(10, 10, 110));
        // The first answer was late, then the second question.
        assert!(!is_new_start(20, 29, 120));
        assert!(!is_new_start(30, 39, 139));
        assert!(is_new_start(50, 50, 2));
        // We were away for so long that the new process is older than the old one was.
        assert!(is_new_start(1050, 1050, 900));
        assert!(!is_new_start(1050, 1050, 900));
    }
}
