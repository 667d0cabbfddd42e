use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::job::Job;
use super::run::{JobReport, JobResult, Trigger};
use super::schedule::Schedule;

/// A job, and what is known about its runs in this process.
pub(super) struct JobState {
    pub(super) job: Job,
    pub(super) schedule: Option<Schedule>,
    runs: Mutex<Runs>,
}

#[derive(Default)]
struct Runs {
    next_claim: u64,
    running: BTreeMap<u64, Running>,
    next_at: Option<DateTime<Utc>>,
    last: Option<JobReport>,
    last_skipped: Option<JobReport>,
    last_success_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Running {
    trigger: Trigger,
    since: DateTime<Utc>,
}

/// A job as operators see it, at `GET /jobs/{name}`. Times are of this process only: another
/// replica has its own.
#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct JobStatus {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    next_run_at: Option<DateTime<Utc>>,
    running: Vec<Running>,
    last_run: Option<JobReport>,
    last_skipped: Option<JobReport>,
    last_success_at: Option<DateTime<Utc>>,
}

impl JobStatus {
    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// When its schedule says it runs next; `None` without a schedule, or before the start.
    #[must_use]
    pub fn next_run_at(&self) -> Option<DateTime<Utc>> {
        self.next_run_at
    }

    /// How many runs have begun and are not over.
    #[must_use]
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// The last run that is over.
    #[must_use]
    pub fn last_run(&self) -> Option<&JobReport> {
        self.last_run.as_ref()
    }

    /// The last run that did not begin.
    #[must_use]
    pub fn last_skipped(&self) -> Option<&JobReport> {
        self.last_skipped.as_ref()
    }

    /// When the last run that succeeded began.
    #[must_use]
    pub fn last_success_at(&self) -> Option<DateTime<Utc>> {
        self.last_success_at
    }
}

impl std::fmt::Debug for JobStatus {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("JobStatus")
            .field("name", &self.name)
            .field("next_run_at", &self.next_run_at)
            .field("last_run", &self.last_run)
            .finish_non_exhaustive()
    }
}

impl JobState {
    pub(super) fn new(job: Job, schedule: Option<Schedule>) -> Self {
        Self {
            job,
            schedule,
            runs: Mutex::default(),
        }
    }

    pub(super) fn status(&self) -> JobStatus {
        let runs = self.runs();
        JobStatus {
            name: self.job.name.clone(),
            cron: self.schedule.as_ref().map(|s| s.expression().to_owned()),
            time_zone: self.schedule.as_ref().map(|s| s.time_zone().to_string()),
            next_run_at: runs.next_at,
            running: runs.running.values().cloned().collect(),
            last_run: runs.last.clone(),
            last_skipped: runs.last_skipped.clone(),
            last_success_at: runs.last_success_at,
        }
    }

    pub(super) fn last_success_at(&self) -> Option<DateTime<Utc>> {
        self.runs().last_success_at
    }

    /// Counts on from `now`; without this, no time is ever due.
    pub(super) fn begin_schedule(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let next_at = self.schedule.as_ref()?.next_after(now);
        self.runs().next_at = next_at;
        next_at
    }

    pub(super) fn end_schedule(&self) {
        self.runs().next_at = None;
    }

    /// The time that has come, once. Of several that came while the process could not look (the
    /// machine slept, the clock was set), the first: the others are left out.
    pub(super) fn take_due(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let schedule = self.schedule.as_ref()?;
        let mut runs = self.runs();
        let due = runs.next_at.filter(|next_at| *next_at <= now)?;
        runs.next_at = schedule.next_after(now);
        Some(due)
    }

    /// The right to run, unless another run has it and they may not overlap.
    pub(super) fn claim(self: &Arc<Self>, trigger: Trigger) -> Option<Claim> {
        let mut runs = self.runs();
        if !runs.running.is_empty() && !self.job.may_overlap {
            return None;
        }
        let id = runs.next_claim;
        runs.next_claim += 1;
        let since = Utc::now();
        runs.running.insert(id, Running { trigger, since });
        Some(Claim {
            state: Arc::clone(self),
            id,
        })
    }

    pub(super) fn record(&self, report: &JobReport) {
        self.runs().record(report);
    }

    fn runs(&self) -> MutexGuard<'_, Runs> {
        self.runs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Runs {
    fn record(&mut self, report: &JobReport) {
        if report.result.is_skipped() {
            self.last_skipped = Some(report.clone());
            return;
        }
        if report.result == JobResult::Ok {
            self.last_success_at = self.last_success_at.max(Some(report.started_at));
        }
        self.last = Some(report.clone());
    }
}

/// A run that has begun. Dropping it ends the run, also when its task is given up.
pub(super) struct Claim {
    state: Arc<JobState>,
    id: u64,
}

impl Claim {
    /// Ends the run and keeps its report, so that nobody sees it running and over, or neither.
    pub(super) fn finish(self, report: &JobReport) {
        let mut runs = self.state.runs();
        runs.running.remove(&self.id);
        runs.record(report);
        drop(runs);
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.state.runs().running.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn state(job: Job) -> Arc<JobState> {
        let schedule = Schedule::parse(job.expression.as_deref().unwrap(), &job.time_zone).unwrap();
        Arc::new(JobState::new(job, Some(schedule)))
    }

    fn every_minute() -> Job {
        Job::new("minutely", "0 * * * * *", |_| async {
            Ok::<(), String>(())
        })
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_time_is_due_once() {
        let state = state(every_minute());
        assert_eq!(state.take_due(utc("2030-01-01T00:00:00Z")), None);
        state.begin_schedule(utc("2026-01-01T00:00:30Z"));
        assert_eq!(state.take_due(utc("2026-01-01T00:00:59Z")), None);
        let now = utc("2026-01-01T00:01:00.4Z");
        assert_eq!(state.take_due(now), Some(utc("2026-01-01T00:01:00Z")));
        assert_eq!(state.take_due(now), None);
        let next = state.status().next_run_at();
        assert_eq!(next, Some(utc("2026-01-01T00:02:00Z")));
    }

    #[test]
    fn what_was_missed_is_made_up_for_by_one_run() {
        let state = state(every_minute());
        state.begin_schedule(utc("2026-01-01T00:00:30Z"));
        let now = utc("2026-01-01T06:00:30Z");
        assert_eq!(state.take_due(now), Some(utc("2026-01-01T00:01:00Z")));
        assert_eq!(state.take_due(now), None);
        let next = state.status().next_run_at();
        assert_eq!(next, Some(utc("2026-01-01T06:01:00Z")));
    }

    #[test]
    fn runs_overlap_only_when_asked() {
        let single = state(every_minute());
        let claim = single.claim(Trigger::Demand).unwrap();
        assert!(single.claim(Trigger::Schedule).is_none());
        drop(claim);
        assert!(single.claim(Trigger::Schedule).is_some());

        let several = state(every_minute().allow_overlap());
        let first = several.claim(Trigger::Demand).unwrap();
        let second = several.claim(Trigger::Demand).unwrap();
        assert_eq!(several.status().running(), 2);
        drop((first, second));
        assert_eq!(several.status().running(), 0);
    }
}
