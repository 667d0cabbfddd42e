//! What evaluations of one run share: what they may use up, the time that it is, and what they may
//! ask.

use std::cell::{Cell, OnceCell};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::evaluate::Failure;
use crate::item::Item as MapItem;
use crate::terminology::{Terminology, TerminologyError};

/// How many steps expressions may take, so that every one ends.
pub(crate) const MAXIMUM_STEPS: u64 = 10_000_000;

/// After how many steps the clock is read again.
const STEPS_BETWEEN_READINGS: u64 = 4096;

/// Bytes that a text may have which is made.
pub(super) const MAXIMUM_TEXT: usize = 16 * 1024 * 1024;

/// How many items a collection may have.
const MAXIMUM_ITEMS: usize = 1_000_000;

pub(crate) struct Session<'a> {
    /// `%resource` and `%rootResource`: what references are resolved in.
    pub(crate) resource: Option<MapItem<'a>>,
    pub(crate) terminology: Option<&'a dyn Terminology>,
    maximum_steps: u64,
    steps: Cell<u64>,
    deadline: Option<Instant>,
    now: OnceCell<DateTime<Utc>>,
    lacks_definitions: Cell<bool>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(
        resource: Option<MapItem<'a>>,
        terminology: Option<&'a dyn Terminology>,
        maximum_steps: u64,
    ) -> Self {
        Self {
            resource,
            terminology,
            maximum_steps,
            steps: Cell::new(0),
            deadline: None,
            now: OnceCell::new(),
            lacks_definitions: Cell::new(false),
        }
    }

    /// Also ends what takes longer than this from now on.
    pub(crate) fn with_time(mut self, time: Option<Duration>) -> Self {
        self.deadline = time.and_then(|time| Instant::now().checked_add(time));
        self
    }

    /// Counts steps: an operation, an item, or four bytes of text that is made or searched.
    pub(crate) fn spend(&self, steps: usize) -> Result<(), Failure> {
        let before = self.steps.get();
        let spent = before.saturating_add(steps as u64);
        self.steps.set(spent);
        if spent > self.maximum_steps {
            return Err(format!(
                "expressions take more than {} steps",
                self.maximum_steps
            ));
        }
        if let Some(deadline) = self.deadline
            && before / STEPS_BETWEEN_READINGS != spent / STEPS_BETWEEN_READINGS
            && Instant::now() > deadline
        {
            return Err("expressions take longer than the limit of time".to_owned());
        }
        Ok(())
    }

    /// Counts the items of a collection, and keeps it from growing too large.
    pub(crate) fn hold(&self, items: usize) -> Result<(), Failure> {
        if items > MAXIMUM_ITEMS {
            return Err(format!("a collection has more than {MAXIMUM_ITEMS} items"));
        }
        self.spend(items)
    }

    /// Why a terminology gives no answer; nobody's fault but that of who keeps the definitions.
    pub(crate) fn unanswered(&self, error: &TerminologyError) -> Failure {
        self.lacks_definitions.set(true);
        error.to_string()
    }

    /// Whether an expression failed since a terminology gave no answer.
    pub(crate) fn lacks_definitions(&self) -> bool {
        self.lacks_definitions.get()
    }

    /// The time is the same all through a run (FHIRPath 5.9.2).
    pub(crate) fn now(&self) -> DateTime<Utc> {
        *self.now.get_or_init(Utc::now)
    }

    pub(crate) fn set_now(&self, now: DateTime<Utc>) {
        // The first time counts.
        let _ = self.now.set(now);
    }
}
