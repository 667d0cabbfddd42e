//! How much one transform may do.

use std::time::{Duration, Instant};

use super::stop::Exceeded;

/// Bounds of one transform: maps and input need not be trusted. A transform that reaches one ends
/// with [`TransformError::Limit`](crate::TransformError::Limit).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How many rules and groups may run inside one another, and how deep elements may stand inside
    /// one another in the output: 200. More than 1000 may exhaust a thread's stack.
    pub depth: usize,
    /// How many items rules may run for, all together: ten million. Their expressions may take ten
    /// times as many steps: operations, items that are found, and every four bytes of text.
    pub steps: u64,
    /// How large the output may become, in bytes of JSON, and how much may be copied on the way:
    /// 64 MiB. What is measured is an estimate.
    pub output_bytes: usize,
    /// How long it may take: 10 seconds. `None`: as long as its steps take.
    pub time: Option<Duration>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            depth: 200,
            steps: 10_000_000,
            output_bytes: 64 * 1024 * 1024,
            time: Some(Duration::from_secs(10)),
        }
    }
}

/// After how many steps the clock is read again.
const STEPS_BETWEEN_READINGS: u64 = 256;

/// What a transform has used of its limits.
#[derive(Debug)]
pub(super) struct Usage {
    limits: Limits,
    begin: Instant,
    steps: u64,
    depth: usize,
}

impl Usage {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            begin: Instant::now(),
            steps: 0,
            depth: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Counts a step.
    pub(super) fn step(&mut self) -> Result<(), Exceeded> {
        if self.steps >= self.limits.steps {
            return Err(Exceeded::Steps(self.limits.steps));
        }
        self.steps += 1;
        if let Some(time) = self.limits.time
            && self.steps.is_multiple_of(STEPS_BETWEEN_READINGS)
            && self.begin.elapsed() > time
        {
            return Err(Exceeded::Time(time));
        }
        Ok(())
    }

    /// Goes into a rule or a group.
    pub(super) fn enter(&mut self) -> Result<(), Exceeded> {
        if self.depth >= self.limits.depth {
            return Err(Exceeded::Depth(self.limits.depth));
        }
        self.depth += 1;
        Ok(())
    }

    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }
}
