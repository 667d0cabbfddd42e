use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};

use super::run::JobRun;

pub(super) type Work = dyn Fn(JobRun) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// Work with a name, and when it is done. [`Jobs::new`](super::Jobs::new) checks it.
#[derive(Clone)]
pub struct Job {
    pub(super) name: String,
    pub(super) expression: Option<String>,
    pub(super) time_zone: String,
    pub(super) jitter: Duration,
    pub(super) time_limit: Option<Duration>,
    pub(super) may_overlap: bool,
    pub(super) work: Arc<Work>,
}

impl Job {
    /// A job that runs when `cron` says, in UTC, one run at a time.
    ///
    /// The name is part of paths and labels: lower-case letters, digits and hyphens. The
    /// expression has six fields, or seven: second, minute, hour, day of month, month, day of
    /// week, and the year if wanted; `"0 30 3 * * MON-FRI"` is half past three on working days.
    ///
    /// An error's text is shown at `/jobs` and in the log: no personal data in it.
    ///
    /// ```
    /// use mediator_core::jobs::Job;
    ///
    /// let job = Job::new("send-statistics", "0 30 3 * * *", |_run| async {
    ///     // ...
    ///     Ok::<(), std::io::Error>(())
    /// })
    /// .time_zone("Africa/Nairobi");
    /// ```
    pub fn new<W, F, E>(name: impl Into<String>, cron: impl Into<String>, work: W) -> Self
    where
        W: Fn(JobRun) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        Self {
            expression: Some(cron.into()),
            ..Self::on_demand(name, work)
        }
    }

    /// A job without a schedule of its own: it runs when it is asked for, by an operator or by a
    /// polling channel of OpenHIM.
    pub fn on_demand<W, F, E>(name: impl Into<String>, work: W) -> Self
    where
        W: Fn(JobRun) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), E>> + Send + 'static,
        E: fmt::Display,
    {
        Self {
            name: name.into(),
            expression: None,
            time_zone: "UTC".to_owned(),
            jitter: Duration::ZERO,
            time_limit: None,
            may_overlap: false,
            work: Arc::new(move |run| {
                let work = work(run);
                async move { work.await.map_err(|error| error.to_string()) }.boxed()
            }),
        }
    }

    /// The time zone of the cron expression, by its name in the IANA database.
    #[must_use]
    pub fn time_zone(mut self, name: impl Into<String>) -> Self {
        self.time_zone = name.into();
        self
    }

    /// Begins each scheduled run up to this much later, at random, so that many mediators do not
    /// call the same system in the same second. Waiting counts as running.
    #[must_use]
    pub fn jitter(mut self, at_most: Duration) -> Self {
        self.jitter = at_most;
        self
    }

    /// Ends a run that takes longer, where it next waits for something. Without a limit, a run
    /// that hangs keeps all further ones from starting.
    #[must_use]
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = Some(limit);
        self
    }

    /// Begins a run although another has not finished.
    #[must_use]
    pub fn allow_overlap(mut self) -> Self {
        self.may_overlap = true;
        self
    }

    /// The job's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn name_mistake(&self) -> Option<String> {
        let allowed =
            |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        (self.name.is_empty() || !self.name.chars().all(allowed)).then(|| {
            "the name must be of lower-case letters, digits and hyphens, because it is part of paths"
                .to_owned()
        })
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Job")
            .field("name", &self.name)
            .field("expression", &self.expression)
            .field("time_zone", &self.time_zone)
            .field("jitter", &self.jitter)
            .field("time_limit", &self.time_limit)
            .field("may_overlap", &self.may_overlap)
            .finish_non_exhaustive()
    }
}
