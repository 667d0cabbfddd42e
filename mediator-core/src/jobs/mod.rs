//! Work on a schedule: cron expressions with seconds, in a time zone.
//!
//! ```
//! use std::time::Duration;
//! use mediator_core::jobs::{Job, JobResult, Jobs};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let jobs = Jobs::new([
//!     Job::new("send-statistics", "0 30 3 * * *", |_run| async {
//!         Ok::<(), std::io::Error>(()) // collect and send
//!     })
//!     .time_zone("Africa/Nairobi")
//!     .jitter(Duration::from_secs(60))
//!     .time_limit(Duration::from_secs(600)),
//! ])?;
//!
//! jobs.start().await?;
//! // Not before half past three? When somebody asks for it.
//! let report = jobs.run("send-statistics").await?;
//! assert_eq!(report.result, JobResult::Ok);
//!
//! let stopped = jobs.stop(Duration::from_secs(20)).await;
//! assert_eq!(stopped.abandoned_runs, 0);
//! # Ok(())
//! # }
//! ```
//!
//! A run that panics, fails or hangs harms no other job. While a job runs, its next run is skipped
//! (and counted), unless it [may overlap](Job::allow_overlap). Where a mediator has several
//! replicas, a [`JobLock`] lets one of them run what is due.
//!
//! # Who may run a job
//! [`Jobs::routes`] is for operators and [`Jobs::polling_routes`] for OpenHIM. Neither asks who
//! calls: whoever reaches the mediator's port can run any job. A mediator behind OpenHIM is
//! reached by OpenHIM and its operators only; keep it so, and give no channel other than a polling
//! one a path below `/jobs`.
//!
//! # Runs by a polling channel of OpenHIM
//! OpenHIM can be the clock: a polling channel whose route has the path `/jobs/{name}/poll` runs
//! the job within a transaction. Its status tells how the job ended, and the calls that the job
//! makes with a [`RecordingClient`](crate::transaction::RecordingClient) are its orchestrations;
//! see [`Jobs::polling_routes`]. Use either that or a cron expression ([`Job::on_demand`] has
//! none).

mod error;
mod job;
mod lock;
mod metrics;
mod routes;
mod run;
mod runner;
mod schedule;
mod state;
mod timer;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::Utc;
use tokio::sync::Mutex;

pub use error::{JobMistake, JobsError};
pub use job::Job;
pub use lock::{JobLock, JobLockError, JobLockGuard, SingleReplica};
pub use run::{JobReport, JobResult, JobRun, Trigger};
pub use state::JobStatus;

use runner::{Begun, Runner};
use schedule::Schedule;
use state::JobState;
use timer::Timer;

/// The jobs of a mediator; see the [module](self). Cheap to clone.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    jobs: BTreeMap<String, Arc<JobState>>,
    runner: Runner,
    timer: Mutex<Option<Timer>>,
}

/// How jobs ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobsStopped {
    /// Runs that were not over at the end of the grace, and were given up.
    pub abandoned_runs: usize,
}

impl Jobs {
    /// Jobs of a mediator with one replica. None is scheduled before [`start`](Self::start).
    ///
    /// # Errors
    /// [`JobsError::Mistakes`] with everything wrong with any of them: names, names that occur
    /// twice, cron expressions, time zones.
    pub fn new(jobs: impl IntoIterator<Item = Job>) -> Result<Self, JobsError> {
        Self::with_lock(jobs, SingleReplica)
    }

    /// Jobs of a mediator with several replicas, of which the lock lets one run what is due.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_lock(
        jobs: impl IntoIterator<Item = Job>,
        lock: impl JobLock,
    ) -> Result<Self, JobsError> {
        let mut states = BTreeMap::new();
        let mut mistakes = Vec::new();
        for job in jobs {
            let name = job.name.clone();
            let mut wrong = Vec::from_iter(job.name_mistake());
            let schedule = job
                .expression
                .as_deref()
                .map(|expression| Schedule::parse(expression, &job.time_zone))
                .transpose()
                .unwrap_or_else(|found| {
                    wrong.extend(found);
                    None
                });
            let state = Arc::new(JobState::new(job, schedule));
            if states.insert(name.clone(), state).is_some() {
                wrong.push("another job has the same name".to_owned());
            }
            mistakes.extend(wrong.into_iter().map(|mistake| JobMistake {
                job: name.clone(),
                mistake,
            }));
        }
        if !mistakes.is_empty() {
            return Err(JobsError::Mistakes(mistakes));
        }
        Ok(Self(Arc::new(Inner {
            jobs: states,
            runner: Runner::new(Arc::new(lock)),
            timer: Mutex::new(None),
        })))
    }

    /// Runs the jobs on their schedules, until [`stop`](Self::stop). Starting twice is starting
    /// once.
    ///
    /// # Errors
    /// [`JobsError::Scheduler`].
    pub async fn start(&self) -> Result<(), JobsError> {
        let mut timer = self.0.timer.lock().await;
        if timer.is_some() {
            return Ok(());
        }
        metrics::describe();
        // The scheduler's tasks outlive `stop`; they must not keep the jobs.
        let inner = Arc::downgrade(&self.0);
        let started = Timer::start(self.0.jobs.values().cloned(), move |state, due| {
            let inner = inner.clone();
            async move {
                if let Some(inner) = inner.upgrade() {
                    // The report is in the job's state.
                    let _ = inner.runner.begin(&state, Trigger::Schedule, due).await;
                }
            }
        })
        .await?;
        *timer = Some(started);
        drop(timer);
        for status in self.statuses() {
            if let Some(next_run_at) = status.next_run_at() {
                tracing::info!(job = status.name(), %next_run_at, "job scheduled");
            }
        }
        Ok(())
    }

    /// Begins no further run, lets those that have begun finish for this long, and gives up the
    /// rest. Whoever waits for its jitter does not begin.
    pub async fn stop(&self, grace: Duration) -> JobsStopped {
        if let Some(timer) = self.0.timer.lock().await.as_ref() {
            timer.stop().await;
        }
        for state in self.0.jobs.values() {
            state.end_schedule();
        }
        let abandoned_runs = self.0.runner.stop(grace).await;
        if abandoned_runs > 0 {
            tracing::warn!(
                abandoned_runs,
                "jobs were given up, because the mediator ends"
            );
        }
        JobsStopped { abandoned_runs }
    }

    /// Runs a job now, and waits until it is over. It goes on when its caller gives up.
    ///
    /// # Errors
    /// [`JobsError::Unknown`]. How the job ended is not an error of this method.
    pub async fn run(&self, name: &str) -> Result<JobReport, JobsError> {
        let unknown = || JobsError::Unknown(name.to_owned());
        let asked_at = Utc::now();
        match self
            .begin(name, Trigger::Demand)
            .await
            .ok_or_else(unknown)?
        {
            Err(refused) => Ok(refused),
            Ok(begun) => Ok(begun.await.unwrap_or_else(|_given_up| JobReport {
                result: JobResult::Failed("the mediator ended before the job did".to_owned()),
                trigger: Trigger::Demand,
                scheduled_at: asked_at,
                started_at: asked_at,
                duration: (Utc::now() - asked_at).to_std().unwrap_or_default(),
            })),
        }
    }

    /// How a job is doing.
    #[must_use]
    pub fn status(&self, name: &str) -> Option<JobStatus> {
        self.0.jobs.get(name).map(|state| state.status())
    }

    /// How all jobs are doing, by name.
    #[must_use]
    pub fn statuses(&self) -> Vec<JobStatus> {
        self.0.jobs.values().map(|state| state.status()).collect()
    }

    /// For operators, and not to be routed to by a channel:
    ///
    /// | request | answer |
    /// |---|---|
    /// | `GET /jobs` | 200, `{"jobs": [...]}` with each as below |
    /// | `GET /jobs/{name}` | 200, [`JobStatus`] |
    /// | `POST /jobs/{name}/run` | 202, [`JobStatus`]: the run has begun; 409: it is running, here or in another replica; 500: the lock is out of order; 503: the mediator is ending |
    ///
    /// 404 when there is no such job.
    pub fn routes(&self) -> Router {
        routes::operator(self.clone())
    }

    /// For polling channels of OpenHIM. `GET /jobs/{name}/poll` runs the job and answers its
    /// [`JobReport`]:
    ///
    /// | the job | answer | transaction |
    /// |---|---|---|
    /// | did its work | 200 | Successful; Completed with error(s) when a recorded call failed |
    /// | failed, panicked, or took too long | 500 | Failed |
    /// | is running already, here or in another replica | 409 | Completed |
    /// | does not begin, because the mediator is ending | 503 | Failed |
    ///
    /// The statuses are those of a [`TransactionLayer`](crate::transaction::TransactionLayer)
    /// around these routes.
    ///
    /// OpenHIM waits for an answer as long as its route's timeout says, a minute by default, and
    /// the server for [`request_timeout`](crate::server::ServerSettings::request_timeout). A job
    /// that takes longer goes on, but its transaction is Failed.
    pub fn polling_routes(&self) -> Router {
        routes::polling(self.clone())
    }

    async fn begin(&self, name: &str, trigger: Trigger) -> Option<Result<Begun, JobReport>> {
        let state = self.0.jobs.get(name)?;
        Some(self.0.runner.begin(state, trigger, Utc::now()).await)
    }
}

impl fmt::Debug for Jobs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_list()
            .entries(self.0.jobs.values().map(|state| &state.job))
            .finish()
    }
}
