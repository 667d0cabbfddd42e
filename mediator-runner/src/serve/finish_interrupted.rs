//! The job that issues what a crash or the failure of a back end interrupted.

use std::time::Duration;

use mediator_core::jobs::{self, Job, JobRun, JobsError};
use mediator_ddcc::generation_service::GenerationService;

use crate::configuration::Jobs;

/// Its name, in `/jobs` and for polling channels.
pub(super) const NAME: &str = "finish-interrupted";

pub(super) fn job(settings: &Jobs, service: &GenerationService) -> Job {
    let service = service.clone();
    scheduled(settings, move |_| {
        let service = service.clone();
        async move { run(&service).await }
    })
}

/// # Errors
/// The schedule or the time zone is not one.
pub(super) fn check(settings: &Jobs) -> Result<(), JobsError> {
    let job = scheduled(settings, |_| async { Ok(()) });
    jobs::Jobs::new([job]).map(drop)
}

fn scheduled<W, F>(settings: &Jobs, work: W) -> Job
where
    W: Fn(JobRun) -> F + Send + Sync + 'static,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    match settings.finish_interrupted.as_str() {
        "never" => Job::on_demand(NAME, work),
        cron => Job::new(NAME, cron, work).time_zone(&settings.time_zone),
    }
}

/// What this process left when it was killed before, or another one: some ledgers know only after a
/// while that it has ended.
pub(super) async fn at_start(service: &GenerationService) {
    const WHILE: Duration = Duration::from_secs(20);
    // What came of it is in the log.
    let _ = run(service).await;
    tokio::time::sleep(WHILE).await;
    let _ = run(service).await;
}

/// # Errors
/// The ledger cannot be asked. Events that fail again are in the log.
pub(super) async fn run(service: &GenerationService) -> Result<(), String> {
    match service.finish_interrupted().await {
        Ok(0) => Ok(()),
        Ok(finished) => {
            tracing::info!(finished, "issued what was interrupted earlier");
            Ok(())
        }
        Err(outcome) => {
            tracing::error!("{}", outcome.summary());
            Err(outcome.summary())
        }
    }
}
