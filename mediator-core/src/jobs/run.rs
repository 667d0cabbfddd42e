use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

/// What a job is told about the run it is called for.
#[derive(Debug, Clone)]
pub struct JobRun {
    pub(super) job: String,
    pub(super) trigger: Trigger,
    pub(super) scheduled_at: DateTime<Utc>,
    pub(super) last_success_at: Option<DateTime<Utc>>,
}

impl JobRun {
    /// The job's name.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// What made it run.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        self.trigger
    }

    /// The time of the schedule; for a run on demand or by polling, the time it was asked for.
    #[must_use]
    pub fn scheduled_at(&self) -> DateTime<Utc> {
        self.scheduled_at
    }

    /// When the last run that succeeded began, in this process.
    #[must_use]
    pub fn last_success_at(&self) -> Option<DateTime<Utc>> {
        self.last_success_at
    }
}

/// What makes a job run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Trigger {
    /// Its cron expression.
    Schedule,
    /// An operator, or the program itself.
    Demand,
    /// A polling channel of OpenHIM.
    Polling,
}

/// How a run ended, or why it did not begin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "message", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum JobResult {
    /// It did its work.
    Ok,
    /// It gave up, for this reason.
    Failed(String),
    /// It took longer than it may.
    TimedOut,
    /// It panicked; the process's log says where.
    Panicked,
    /// It did not begin: the one before was still running.
    SkippedRunning,
    /// It did not begin: another replica has the lock.
    SkippedLocked,
    /// It did not begin: the mediator is ending.
    SkippedStopping,
}

impl JobResult {
    /// As in the label `result` of the metric `job_runs_total`, and in JSON.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed(_) => "failed",
            Self::TimedOut => "timed-out",
            Self::Panicked => "panicked",
            Self::SkippedRunning => "skipped-running",
            Self::SkippedLocked => "skipped-locked",
            Self::SkippedStopping => "skipped-stopping",
        }
    }

    /// Whether the run did not begin.
    #[must_use]
    pub fn is_skipped(&self) -> bool {
        matches!(
            self,
            Self::SkippedRunning | Self::SkippedLocked | Self::SkippedStopping
        )
    }
}

/// A run that is over, or was skipped.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct JobReport {
    /// How it ended.
    #[serde(flatten)]
    pub result: JobResult,
    /// What made it run.
    pub trigger: Trigger,
    /// When it was due.
    pub scheduled_at: DateTime<Utc>,
    /// When it began, after waiting for its jitter; or when it was skipped.
    pub started_at: DateTime<Utc>,
    /// How long it took, in JSON in seconds.
    #[serde(rename = "durationSeconds", serialize_with = "seconds")]
    pub duration: Duration,
}

fn seconds<S: serde::Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}
