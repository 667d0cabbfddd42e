//! Two jobs: one by a clock of the mediator's own, one by a polling channel of OpenHIM, whose
//! transaction then shows how the run went.
//!
//! ```sh
//! curl http://localhost:4003/jobs
//! curl --request POST http://localhost:4003/jobs/send-statistics/run
//! ```

use std::time::Duration;

use mediator_core::Mediator;
use mediator_core::jobs::{Job, JobRun};
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{OpenHim, OpenHimSettings};
use mediator_core::transaction::{CallError, RecordingClient, Transaction};

/// A call is recorded where there is a transaction to record it in.
async fn fetch_facilities(client: RecordingClient) -> Result<(), CallError> {
    let url = std::env::var("FACILITIES_URL")
        .unwrap_or_else(|_| "http://localhost:5003/facilities".to_owned());
    let call = client.get("Fetch the facilities", url);
    let facilities: Vec<serde_json::Value> = call.send().await?.error_for_status()?.json()?;
    if let Some(transaction) = Transaction::current() {
        transaction.property("facilities", facilities.len().to_string());
    }
    Ok(())
}

async fn send_statistics(run: JobRun) -> Result<(), std::io::Error> {
    tracing::info!(since = ?run.last_success_at(), "statistics");
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let client = RecordingClient::new(reqwest::Client::new());
    let every_five_seconds = Job::new("send-statistics", "*/5 * * * * *", send_statistics)
        .time_zone("Africa/Nairobi")
        .time_limit(Duration::from_secs(4));
    let polled = Job::on_demand("fetch-facilities", move |_run| {
        fetch_facilities(client.clone())
    });
    Mediator::builder(MediatorConfig::from_file("mediatorConfig.json")?)
        .openhim(OpenHim::new(&OpenHimSettings::from_environment()?)?)
        .job(every_five_seconds)
        .job(polled)
        .build()?
        .run()
        .await?;
    Ok(())
}
