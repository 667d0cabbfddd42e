use std::any::Any;
use std::error::Error;
use std::fmt;

use chrono::{DateTime, Utc};

/// What keeps several replicas of a mediator from running a job at the same time, and the same
/// scheduled time twice. The caller supplies it, on a store that all replicas share.
///
/// An implementation must remember `(job, scheduled_at)` and not only hold a lock while a run
/// lasts: a short run may be over before a replica whose clock is behind asks. A table with that
/// primary key, into which the run is inserted, is enough.
///
/// ```
/// use std::collections::HashSet;
/// use std::sync::Mutex;
/// use chrono::{DateTime, Utc};
/// use mediator_core::jobs::{JobLock, JobLockError, JobLockGuard};
///
/// /// For replicas in one process, as in a test.
/// #[derive(Default)]
/// struct Seen(Mutex<HashSet<(String, DateTime<Utc>)>>);
///
/// #[async_trait::async_trait]
/// impl JobLock for Seen {
///     async fn try_acquire(
///         &self,
///         job: &str,
///         scheduled_at: DateTime<Utc>,
///     ) -> Result<Option<JobLockGuard>, JobLockError> {
///         let mut seen = self.0.lock().map_err(|_| "a replica panicked")?;
///         Ok(seen
///             .insert((job.to_owned(), scheduled_at))
///             .then(|| JobLockGuard::new(())))
///     }
/// }
/// ```
#[async_trait::async_trait]
pub trait JobLock: Send + Sync + 'static {
    /// Asks for the run of `job` that is due at `scheduled_at`: the time of the schedule, which is
    /// the same in every replica; for a run on demand or by polling the time of the request.
    /// `None`: another replica has it or had it.
    ///
    /// # Errors
    /// When the store cannot be asked. The run is then reported as failed.
    async fn try_acquire(
        &self,
        job: &str,
        scheduled_at: DateTime<Utc>,
    ) -> Result<Option<JobLockGuard>, JobLockError>;
}

/// Why a lock could not be asked for.
pub type JobLockError = Box<dyn Error + Send + Sync>;

/// Held while a job runs; what is in it is dropped when the run is over, however it ended.
pub struct JobLockGuard(#[allow(dead_code, reason = "held for its Drop")] Box<dyn Any + Send>);

impl JobLockGuard {
    /// A guard around whatever gives the lock back when it is dropped.
    pub fn new(held: impl Send + 'static) -> Self {
        Self(Box::new(held))
    }
}

impl fmt::Debug for JobLockGuard {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JobLockGuard")
    }
}

/// The lock of a mediator with one replica: always free.
#[derive(Debug, Clone, Copy, Default)]
pub struct SingleReplica;

#[async_trait::async_trait]
impl JobLock for SingleReplica {
    async fn try_acquire(
        &self,
        _job: &str,
        _scheduled_at: DateTime<Utc>,
    ) -> Result<Option<JobLockGuard>, JobLockError> {
        Ok(Some(JobLockGuard::new(())))
    }
}
