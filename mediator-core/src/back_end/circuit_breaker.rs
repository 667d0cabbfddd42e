use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::metrics;

/// When calls fail at once instead of waiting for a back end that is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CircuitBreakerSettings {
    /// Attempts that fail in a row before it opens.
    pub failures: u32,
    /// How long calls fail at once before one of them is let through as a probe.
    pub open_for: Duration,
}

impl Default for CircuitBreakerSettings {
    /// 10 failures, 5 s.
    fn default() -> Self {
        Self {
            failures: 10,
            open_for: Duration::from_secs(5),
        }
    }
}

/// Counts failures, and lets calls through or not.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    back_end: String,
    settings: CircuitBreakerSettings,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    Closed {
        failures: u32,
    },
    Open {
        until: Instant,
    },
    /// One call is being made to find out whether it can be closed.
    HalfOpen,
}

impl State {
    fn label(self) -> &'static str {
        match self {
            Self::Closed { .. } => "closed",
            Self::Open { .. } => "open",
            Self::HalfOpen => "half_open",
        }
    }
}

/// What an attempt says about the back end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Works,
    Fails,
    /// It was given up for another reason.
    Unknown,
}

/// An attempt that was let through. Dropped without a verdict, it says nothing.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    breaker: &'a CircuitBreaker,
    is_probe: bool,
    verdict: Verdict,
}

impl CircuitBreaker {
    pub(super) fn new(back_end: &str, settings: CircuitBreakerSettings) -> Self {
        Self {
            back_end: back_end.to_owned(),
            settings,
            state: Mutex::new(State::Closed { failures: 0 }),
        }
    }

    /// # Errors
    /// How long to wait before it makes sense to try again.
    pub(super) fn permit(&self) -> Result<Permit<'_>, Duration> {
        let mut state = self.lock();
        let is_probe = match *state {
            State::Closed { .. } => false,
            State::Open { until } => {
                let left = until.saturating_duration_since(Instant::now());
                if !left.is_zero() {
                    return Err(left);
                }
                self.change(&mut state, State::HalfOpen);
                true
            }
            State::HalfOpen => return Err(self.settings.open_for.min(Duration::from_secs(1))),
        };
        Ok(Permit {
            breaker: self,
            is_probe,
            verdict: Verdict::Unknown,
        })
    }

    fn change(&self, state: &mut State, to: State) {
        if state.label() != to.label() {
            let (back_end, from) = (&*self.back_end, state.label());
            match to {
                State::Open { .. } => {
                    tracing::warn!(
                        back_end,
                        from,
                        to = to.label(),
                        "calls fail at once for a while"
                    );
                }
                _ => tracing::info!(back_end, from, to = to.label(), "circuit breaker"),
            }
        }
        *state = to;
        metrics::circuit(&self.back_end, to.label());
    }

    /// Makes the metric known, also to a recorder that came later.
    pub(super) fn publish(&self) {
        metrics::circuit(&self.back_end, self.lock().label());
    }

    fn conclude(&self, verdict: Verdict, is_probe: bool) {
        let opened = || State::Open {
            until: Instant::now() + self.settings.open_for,
        };
        let mut state = self.lock();
        match (*state, verdict) {
            // Late news about the time before it opened.
            (State::Open { .. }, _) => {}
            (State::HalfOpen, _) if !is_probe => {}
            (State::HalfOpen, Verdict::Works) => {
                self.change(&mut state, State::Closed { failures: 0 });
            }
            (State::HalfOpen, Verdict::Fails) => self.change(&mut state, opened()),
            // The next one may probe at once.
            (State::HalfOpen, Verdict::Unknown) => {
                let until = Instant::now();
                self.change(&mut state, State::Open { until });
            }
            (State::Closed { .. }, Verdict::Works) => *state = State::Closed { failures: 0 },
            (State::Closed { failures }, Verdict::Fails) => {
                let failures = failures + 1;
                if failures >= self.settings.failures {
                    self.change(&mut state, opened());
                } else {
                    *state = State::Closed { failures };
                }
            }
            (State::Closed { .. }, Verdict::Unknown) => {}
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Permit<'_> {
    pub(super) fn conclude(mut self, verdict: Verdict) {
        self.verdict = verdict;
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.breaker.conclude(self.verdict, self.is_probe);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn breaker(open_for: Duration) -> CircuitBreaker {
        let settings = CircuitBreakerSettings {
            failures: 2,
            open_for,
        };
        CircuitBreaker::new("test", settings)
    }

    fn opened(open_for: Duration) -> CircuitBreaker {
        let breaker = breaker(open_for);
        for _ in 0..2 {
            breaker.permit().unwrap().conclude(Verdict::Fails);
        }
        breaker
    }

    #[test]
    fn it_opens_after_failures_in_a_row_only() {
        let breaker = breaker(LONG);
        for verdict in [Verdict::Fails, Verdict::Works, Verdict::Fails] {
            breaker.permit().unwrap().conclude(verdict);
        }
        breaker.permit().unwrap().conclude(Verdict::Fails);
        let wait = breaker.permit().unwrap_err();
        assert!(wait <= LONG && wait > LONG / 2);
    }

    #[test]
    fn one_call_at_a_time_probes_when_the_time_is_over() {
        let breaker = opened(Duration::ZERO);
        let probe = breaker.permit().unwrap();
        assert!(probe.is_probe);
        breaker.permit().unwrap_err();
        probe.conclude(Verdict::Works);
        let others = [breaker.permit().unwrap(), breaker.permit().unwrap()];
        assert!(others.iter().all(|permit| !permit.is_probe));
    }

    #[test]
    fn a_probe_that_fails_opens_it_again() {
        let breaker = opened(Duration::ZERO);
        breaker.permit().unwrap().conclude(Verdict::Fails);
        assert!(breaker.permit().unwrap().is_probe);
    }

    #[test]
    fn a_probe_that_is_given_up_leaves_its_place_to_the_next() {
        let breaker = opened(Duration::ZERO);
        drop(breaker.permit().unwrap());
        assert!(breaker.permit().unwrap().is_probe);
    }

    #[test]
    fn what_was_sent_before_it_opened_does_not_close_it() {
        let breaker = breaker(LONG);
        let early = breaker.permit().unwrap();
        for _ in 0..2 {
            breaker.permit().unwrap().conclude(Verdict::Fails);
        }
        early.conclude(Verdict::Works);
        breaker.permit().unwrap_err();
    }
}
