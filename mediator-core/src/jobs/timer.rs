//! tokio-cron-scheduler looks twice a second which jobs are due. When a job is due next is
//! reckoned here: left to itself, the scheduler keeps the offset from UTC that the time zone had
//! when the process started, so that jobs are an hour off after clocks change.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_cron_scheduler::job::job_data::{JobAndNextTick, JobStoredData};
use tokio_cron_scheduler::store::{DataStore, InitStore};
use tokio_cron_scheduler::{
    Job as ScheduledJob, JobScheduler, JobSchedulerError, MetaDataStorage, SimpleJobCode,
    SimpleMetadataStore, SimpleNotificationCode, SimpleNotificationStore,
};
use uuid::Uuid;

use super::error::JobsError;
use super::schedule::Schedule;
use super::state::JobState;

/// Messages that the scheduler's parts may leave unread between them before they lose some.
const SCHEDULER_CHANNEL: usize = 1024;

type Answer<T> = Pin<Box<dyn Future<Output = Result<T, JobSchedulerError>> + Send>>;

/// Calls back when jobs are due.
pub(super) struct Timer(JobScheduler);

impl Timer {
    /// Calls `due` with each job and its time, until [`stop`](Self::stop).
    pub(super) async fn start<D, F>(
        jobs: impl Iterator<Item = Arc<JobState>>,
        due: D,
    ) -> Result<Self, JobsError>
    where
        D: Fn(Arc<JobState>, DateTime<Utc>) -> F + Clone + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let times = Times::default();
        let mut scheduler = JobScheduler::new_with_storage_and_code(
            Box::new(times.clone()),
            Box::new(SimpleNotificationStore::default()),
            Box::new(SimpleJobCode::default()),
            Box::new(SimpleNotificationCode::default()),
            SCHEDULER_CHANNEL,
        )
        .await
        .map_err(scheduler_error)?;
        scheduler.init().await.map_err(scheduler_error)?;
        for state in jobs {
            let Some(schedule) = &state.schedule else {
                continue;
            };
            let due = due.clone();
            let scheduled =
                ScheduledJob::new_async_tz(schedule.expression(), schedule.time_zone(), {
                    let state = Arc::clone(&state);
                    move |_id, _scheduler| {
                        let due = due.clone();
                        let state = Arc::clone(&state);
                        Box::pin(async move {
                            if let Some(time) = state.take_due(Utc::now()) {
                                due(state, time).await;
                            }
                        })
                    }
                })
                .map_err(scheduler_error)?;
            times.insert(scheduled.guid(), schedule.clone());
            state.begin_schedule(Utc::now());
            scheduler.add(scheduled).await.map_err(scheduler_error)?;
        }
        scheduler.start().await.map_err(scheduler_error)?;
        Ok(Self(scheduler))
    }

    /// Calls no more, from half a second later on.
    pub(super) async fn stop(&self) {
        if let Err(error) = self.0.clone().shutdown().await {
            tracing::warn!(%error, "the scheduler of jobs did not stop");
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn scheduler_error(error: JobSchedulerError) -> JobsError {
    JobsError::Scheduler(error.to_string())
}

/// What the scheduler remembers, with the times of our own schedules.
#[derive(Clone, Default)]
struct Times {
    store: Arc<Mutex<SimpleMetadataStore>>,
    schedules: Arc<Mutex<HashMap<Uuid, Schedule>>>,
}

impl Times {
    fn insert(&self, id: Uuid, schedule: Schedule) {
        self.schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(id, schedule);
    }

    fn next_after(&self, id: Uuid, time: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.schedules
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&id)?
            .next_after(time)
    }

    fn store<T>(&self, ask: impl FnOnce(&mut SimpleMetadataStore) -> T) -> T {
        ask(&mut self.store.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InitStore for Times {
    fn init(&mut self) -> Answer<()> {
        self.store(InitStore::init)
    }

    fn inited(&mut self) -> Answer<bool> {
        self.store(InitStore::inited)
    }
}

impl DataStore<JobStoredData> for Times {
    fn get(&mut self, id: Uuid) -> Answer<Option<JobStoredData>> {
        self.store(|store| store.get(id))
    }

    fn add_or_update(&mut self, mut data: JobStoredData) -> Answer<()> {
        if let Some(id) = data.id.as_ref() {
            let next = self.next_after(id.into(), Utc::now());
            data.set_next_tick(next);
        }
        self.store(|store| store.add_or_update(data))
    }

    fn delete(&mut self, id: Uuid) -> Answer<()> {
        self.store(|store| store.delete(id))
    }
}

impl MetaDataStorage for Times {
    fn list_next_ticks(&mut self) -> Answer<Vec<JobAndNextTick>> {
        self.store(MetaDataStorage::list_next_ticks)
    }

    fn set_next_and_last_tick(
        &mut self,
        id: Uuid,
        _next_at_the_first_offset: Option<DateTime<Utc>>,
        last: Option<DateTime<Utc>>,
    ) -> Answer<()> {
        let next = self.next_after(id, last.unwrap_or_else(Utc::now));
        self.store(|store| store.set_next_and_last_tick(id, next, last))
    }

    fn time_till_next_job(&mut self) -> Answer<Option<Duration>> {
        self.store(MetaDataStorage::time_till_next_job)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The scheduler proposes a time at the offset it knew; the store keeps the right one.
    #[tokio::test]
    async fn times_are_of_the_time_zone_and_not_of_the_offset_at_the_start() {
        let schedule = Schedule::parse("0 0 8 * * *", "Europe/Berlin").unwrap();
        let job = ScheduledJob::new_async_tz("0 0 8 * * *", chrono_tz::Europe::Berlin, |_, _| {
            Box::pin(async {})
        })
        .unwrap();
        let mut times = Times::default();
        times.insert(job.guid(), schedule);
        let data = job.clone().job_data().unwrap();
        times.add_or_update(data).await.unwrap();
        let last: DateTime<Utc> = "2026-03-28T07:00:00Z".parse().unwrap();
        let proposed = "2026-03-29T07:00:00Z".parse().unwrap();
        times
            .set_next_and_last_tick(job.guid(), Some(proposed), Some(last))
            .await
            .unwrap();
        let kept = times.get(job.guid()).await.unwrap().unwrap();
        assert_eq!(
            kept.next_tick_utc(),
            Some("2026-03-29T06:00:00Z".parse().unwrap())
        );
    }
}
