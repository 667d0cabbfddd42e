//! The job that moves what the embedded database holds to the FHIR server that is configured since.

use mediator_core::jobs::Job;
use mediator_ddcc::repository::moving::{Moved, MovingRepository};

const NAME: &str = "move-documents";

/// Until everything is moved there is something to do at each of these times, or to be looked at.
const SCHEDULE: &str = "30 */5 * * * *";

pub(super) fn job(moving: &MovingRepository) -> Job {
    let moving = moving.clone();
    Job::new(NAME, SCHEDULE, move |_| {
        let moving = moving.clone();
        async move { run(&moving).await }
    })
}

/// # Errors
/// The server cannot be used, or something is left.
pub(super) async fn run(moving: &MovingRepository) -> Result<(), String> {
    let Moved { moved, left } = moving.move_all().await.map_err(|error| {
        tracing::warn!("what the embedded database holds is not moved yet: {error}");
        error.to_string()
    })?;
    if moved > 0 {
        tracing::info!(
            moved,
            left = left.resources,
            "moved what the embedded database holds to the FHIR server"
        );
    }
    match left.resources {
        0 => Ok(()),
        resources => Err(format!(
            "{} documents ({resources} resources) cannot be moved; the log says why",
            left.documents
        )),
    }
}
