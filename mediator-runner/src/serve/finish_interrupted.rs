//! The job that issues what a crash or the failure of a back end interrupted.

use mediator_core::jobs::Job;
use mediator_ddcc::generation_service::GenerationService;

use crate::configuration::Jobs;

/// Its name, in `/jobs` and for polling channels.
pub(super) const NAME: &str = "finish-interrupted";

pub(super) fn job(settings: &Jobs, service: &GenerationService) -> Job {
    let service = service.clone();
    let work = move |_| {
        let service = service.clone();
        async move { run(&service).await }
    };
    match settings.finish_interrupted.as_str() {
        "never" => Job::on_demand(NAME, work),
        cron => Job::new(NAME, cron, work).time_zone(&settings.time_zone),
    }
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
