use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures::FutureExt as _;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tracing::Instrument as _;
use uuid::Uuid;

use super::lock::{JobLock, JobLockGuard};
use super::metrics;
use super::run::{JobReport, JobResult, JobRun, Trigger};
use super::state::{Claim, JobState};

/// A store that takes longer to say whether the lock is free counts as out of order.
const LOCK_TIME: Duration = Duration::from_secs(10);

/// Longest text of an error that is kept, in characters.
const MESSAGE_LENGTH: usize = 1000;

/// Runs jobs, each in a task of its own.
pub(super) struct Runner {
    lock: Arc<dyn JobLock>,
    tasks: Mutex<JoinSet<()>>,
    stopping: AtomicBool,
    stop: watch::Sender<bool>,
}

/// A run that has begun: its report, when it is over. Nothing when it was given up.
pub(super) type Begun = oneshot::Receiver<JobReport>;

impl Runner {
    pub(super) fn new(lock: Arc<dyn JobLock>) -> Self {
        Self {
            lock,
            tasks: Mutex::default(),
            stopping: AtomicBool::new(false),
            stop: watch::Sender::new(false),
        }
    }

    /// Begins a run. It goes on whether or not anybody waits for its report.
    ///
    /// # Errors
    /// The report of a run that did not begin, which may be a failure of the lock.
    pub(super) async fn begin(
        &self,
        state: &Arc<JobState>,
        trigger: Trigger,
        scheduled_at: DateTime<Utc>,
    ) -> Result<Begun, JobReport> {
        let refuse = |result| {
            let report = JobReport {
                result,
                trigger,
                scheduled_at,
                started_at: Utc::now(),
                duration: Duration::ZERO,
            };
            state.record(&report);
            tell(state, &report);
            report
        };
        if self.stopping.load(Ordering::SeqCst) {
            return Err(refuse(JobResult::SkippedStopping));
        }
        let Some(claim) = state.claim(trigger) else {
            return Err(refuse(JobResult::SkippedRunning));
        };
        let asked = self.lock.try_acquire(&state.job.name, scheduled_at);
        let guard = match timeout(LOCK_TIME, AssertUnwindSafe(asked).catch_unwind()).await {
            Ok(Ok(Ok(Some(guard)))) => guard,
            Ok(Ok(Ok(None))) => return Err(refuse(JobResult::SkippedLocked)),
            Ok(Ok(Err(error))) => {
                return Err(refuse(JobResult::Failed(message(&format!(
                    "the lock cannot be asked: {error}"
                )))));
            }
            Ok(Err(_panic)) => {
                return Err(refuse(JobResult::Failed("the lock panicked".to_owned())));
            }
            Err(_elapsed) => {
                return Err(refuse(JobResult::Failed(format!(
                    "the lock did not answer within {} s",
                    LOCK_TIME.as_secs()
                ))));
            }
        };
        let (reply, begun) = oneshot::channel();
        let run = Run {
            state: Arc::clone(state),
            claim,
            guard,
            trigger,
            scheduled_at,
            stop: self.stop.subscribe(),
            reply,
        };
        let span = tracing::info_span!("job", job = %state.job.name, trigger = ?trigger);
        let mut tasks = self.tasks();
        // Asked again under the tasks' lock, so that none begins after `stop` took them.
        if self.stopping.load(Ordering::SeqCst) {
            drop(tasks);
            return Err(refuse(JobResult::SkippedStopping));
        }
        while tasks.try_join_next().is_some() {}
        tasks.spawn(run.run().instrument(span));
        drop(tasks);
        Ok(begun)
    }

    /// Lets what runs finish, begins nothing more. Tells how many runs were given up.
    pub(super) async fn stop(&self, grace: Duration) -> usize {
        let mut tasks = {
            let mut tasks = self.tasks();
            self.stopping.store(true, Ordering::SeqCst);
            std::mem::take(&mut *tasks)
        };
        self.stop.send_replace(true);
        let all = async { while tasks.join_next().await.is_some() {} };
        if timeout(grace, all).await.is_err() {
            let abandoned = tasks.len();
            // Not waited for: a run that never waits for anything cannot be ended.
            tasks.abort_all();
            tasks.detach_all();
            return abandoned;
        }
        0
    }

    fn tasks(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Run {
    state: Arc<JobState>,
    claim: Claim,
    guard: JobLockGuard,
    trigger: Trigger,
    scheduled_at: DateTime<Utc>,
    stop: watch::Receiver<bool>,
    reply: oneshot::Sender<JobReport>,
}

impl Run {
    async fn run(mut self) {
        let may_begin = self.wait_for_jitter().await;
        let started_at = Utc::now();
        let clock = Instant::now();
        let result = if may_begin {
            tracing::debug!("job begins");
            work(&self.state, self.trigger, self.scheduled_at).await
        } else {
            JobResult::SkippedStopping
        };
        let report = JobReport {
            result,
            trigger: self.trigger,
            scheduled_at: self.scheduled_at,
            started_at,
            duration: clock.elapsed(),
        };
        drop(self.guard);
        self.claim.finish(&report);
        tell(&self.state, &report);
        // Nobody may be waiting.
        let _ = self.reply.send(report);
    }

    async fn wait_for_jitter(&mut self) -> bool {
        let jitter = self.state.job.jitter;
        if self.trigger != Trigger::Schedule || jitter.is_zero() {
            return true;
        }
        tokio::select! {
            () = tokio::time::sleep(random_up_to(jitter)) => true,
            _ = self.stop.wait_for(|stop| *stop) => false,
        }
    }
}

async fn work(state: &JobState, trigger: Trigger, scheduled_at: DateTime<Utc>) -> JobResult {
    let job = &state.job;
    let run = JobRun {
        job: job.name.clone(),
        trigger,
        scheduled_at,
        last_success_at: state.last_success_at(),
    };
    let work = AssertUnwindSafe(async { (job.work)(run).await }).catch_unwind();
    let ended = match job.time_limit {
        None => work.await,
        Some(limit) => match timeout(limit, work).await {
            Ok(ended) => ended,
            Err(_elapsed) => return JobResult::TimedOut,
        },
    };
    match ended {
        Ok(Ok(())) => JobResult::Ok,
        Ok(Err(error)) => JobResult::Failed(message(&error)),
        Err(_panic) => JobResult::Panicked,
    }
}

fn tell(state: &JobState, report: &JobReport) {
    let job = state.job.name.as_str();
    let result = report.result.as_str();
    let milliseconds = u64::try_from(report.duration.as_millis()).unwrap_or(u64::MAX);
    match &report.result {
        JobResult::Ok => tracing::info!(job, result, milliseconds, "job done"),
        JobResult::Failed(message) => {
            tracing::error!(job, result, milliseconds, message, "job failed");
        }
        JobResult::TimedOut | JobResult::Panicked => {
            tracing::error!(job, result, milliseconds, "job failed");
        }
        JobResult::SkippedRunning => tracing::warn!(job, result, "job skipped"),
        JobResult::SkippedLocked | JobResult::SkippedStopping => {
            tracing::debug!(job, result, "job skipped");
        }
    }
    metrics::record(job, report);
}

fn message(text: &str) -> String {
    text.chars().take(MESSAGE_LENGTH).collect()
}

fn random_up_to(limit: Duration) -> Duration {
    let (random, _) = Uuid::new_v4().as_u64_pair();
    // The lower 32 bits hold the UUID's version; the upper are random.
    let share = f64::from((random >> 32) as u32) / f64::from(u32::MAX);
    limit.mul_f64(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_is_spread_over_its_range() {
        let limit = Duration::from_secs(60);
        let delays: Vec<Duration> = (0..1000).map(|_| random_up_to(limit)).collect();
        assert!(delays.iter().all(|delay| *delay <= limit));
        for third in 0..3 {
            let range = limit * third / 3..limit * (third + 1) / 3;
            let within = delays
                .iter()
                .filter(|delay| range.contains::<Duration>(delay))
                .count();
            assert!(
                (200..500).contains(&within),
                "{within} of 1000 in {range:?}"
            );
        }
    }
}
