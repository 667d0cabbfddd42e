use std::sync::{Mutex, PoisonError};

use crate::envelope::{Orchestration, Properties, RecordedRequest};

/// What happened for a transaction so far; bounded.
#[derive(Debug)]
pub(super) struct Recording {
    state: Mutex<State>,
    maximum_bytes: usize,
    maximum_calls: usize,
}

#[derive(Debug, Default)]
struct State {
    outcome: Outcome,
    bytes: usize,
    left_out: usize,
    is_closed: bool,
}

/// What an answer tells core.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) orchestrations: Vec<Orchestration>,
    pub(super) properties: Properties,
    /// Whether a call failed; also one that was left out.
    pub(super) has_failures: bool,
}

impl Outcome {
    pub(super) fn is_empty(&self) -> bool {
        self.orchestrations.is_empty() && self.properties.is_empty()
    }
}

impl Recording {
    pub(super) fn new(maximum_bytes: usize, maximum_calls: usize) -> Self {
        Self {
            state: Mutex::new(State::default()),
            maximum_bytes,
            maximum_calls,
        }
    }

    pub(super) fn add(&self, orchestration: Orchestration) {
        let mut state = self.lock();
        if state.is_closed {
            tracing::debug!(
                name = orchestration.name(),
                "a call ended after its transaction was answered, and is not recorded"
            );
            return;
        }
        state.outcome.has_failures |= orchestration.failed();
        if state.outcome.orchestrations.len() >= self.maximum_calls {
            state.left_out += 1;
            return;
        }
        let bytes = orchestration.size();
        let orchestration = if state.bytes + bytes > self.maximum_bytes {
            orchestration.without_content()
        } else {
            state.bytes += bytes;
            orchestration
        };
        state.outcome.orchestrations.push(orchestration);
    }

    pub(super) fn set_property(&self, name: &str, value: String) {
        self.lock().outcome.properties.insert(name, value);
    }

    /// Everything, in the order in which the calls were begun. What is recorded later is lost.
    pub(super) fn close(&self) -> Outcome {
        let mut state = self.lock();
        state.is_closed = true;
        let mut outcome = std::mem::take(&mut state.outcome);
        outcome
            .orchestrations
            .sort_by_key(|orchestration| orchestration.request().timestamp());
        if let (left_out @ 1.., Some(last)) = (state.left_out, outcome.orchestrations.last()) {
            let at = RecordedRequest::new(last.request().timestamp());
            outcome.orchestrations.push(Orchestration::new(
                format!("{left_out} further calls that are not recorded"),
                at,
            ));
        }
        outcome
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use chrono::{DateTime, Utc};

    use super::*;
    use crate::envelope::ErrorDetails;

    fn call(name: &str, second: i64) -> Orchestration {
        let at: DateTime<Utc> = DateTime::from_timestamp(second, 0).unwrap();
        Orchestration::new(name, RecordedRequest::new(at).body("0123456789"))
    }

    #[test]
    fn calls_are_in_the_order_in_which_they_were_begun() {
        let recording = Recording::new(1000, 10);
        recording.add(call("second", 2));
        recording.add(call("first", 1));
        let outcome = recording.close();
        assert_eq!(outcome.orchestrations[0].name(), "first");
        assert!(!outcome.has_failures);
    }

    #[test]
    fn too_many_calls_are_counted_and_their_failures_known() {
        let recording = Recording::new(1000, 1);
        recording.add(call("kept", 1));
        recording.add(call("left out", 2));
        recording.add(call("left out", 2).error(ErrorDetails::new("no")));
        let outcome = recording.close();
        assert_eq!(
            outcome.orchestrations[1].name(),
            "2 further calls that are not recorded"
        );
        assert!(outcome.has_failures);
    }

    #[test]
    fn beyond_its_bytes_a_transaction_keeps_only_what_was_called() {
        let size = call("a", 1).size();
        let recording = Recording::new(size, 10);
        recording.add(call("a", 1));
        recording.add(call("b", 2));
        let calls = recording.close().orchestrations;
        assert_eq!(calls[0].request().recorded_body(), Some("0123456789"));
        assert_eq!(calls[1].name(), "b");
        assert_ne!(calls[1].request().recorded_body(), Some("0123456789"));
    }

    #[test]
    fn nothing_is_added_to_what_was_answered() {
        let recording = Recording::new(1000, 10);
        recording.close();
        recording.add(call("late", 1));
        assert!(recording.close().is_empty());
    }
}
