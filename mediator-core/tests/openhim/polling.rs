//! Jobs whose clock is OpenHIM.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mediator_core::jobs::Job;
use mediator_core::mediator_config::{ChannelDefinition, Route};
use real_servers::openhim_core::RealOpenHimCore;
use serde_json::json;

use super::running::{Running, channel, openhim};
use super::{core, eventually};

#[tokio::test]
async fn a_polling_channel_fires_and_shows_how_the_job_ended() {
    let Some(core) = core().await else {
        return;
    };
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let mediator = Running::start(
        "polled",
        openhim(core, RealOpenHimCore::PASSWORD),
        |config, port| {
            let route = Route::http("polled", "127.0.0.1", port)
                .path("/jobs/count/poll")
                .primary();
            let mut channel =
                ChannelDefinition::polling("polled regularly", "1 second").route(route);
            channel.response_body = Some(true);
            config.default_channel(channel)
        },
        |mediator, _| {
            mediator.job(Job::on_demand("count", move |_| {
                let runs = Arc::clone(&counted);
                async move {
                    match runs.fetch_add(1, Ordering::Relaxed) {
                        0 => Ok(()),
                        _ => Err(std::io::Error::other("only the first one is well")),
                    }
                }
            }))
        },
    )
    .await;
    mediator.is_up(core).await;

    // Core looks for what is due every five seconds.
    eventually("two runs", || async { runs.load(Ordering::Relaxed) >= 2 }).await;
    let id = channel(core, "polled regularly").await.unwrap()["_id"].clone();
    let mut statuses = Vec::new();
    eventually("their transactions", || async {
        let transactions = core.transactions(&json!({ "channelID": id })).await;
        transactions.len() >= 2 && transactions.iter().all(|one| one["status"] != "Processing")
    })
    .await;
    for transaction in core.transactions(&json!({ "channelID": id })).await {
        assert_eq!(transaction["request"]["method"], "GET");
        statuses.push(transaction["status"].as_str().unwrap().to_owned());
    }
    // The newest first.
    assert_eq!(statuses.pop().unwrap(), "Successful");
    assert_eq!(statuses.pop().unwrap(), "Failed");

    // So that it does not fire for the rest of the tests.
    let path = format!("/channels/{}", id.as_str().unwrap());
    core.api("PUT", &path, Some(json!({ "status": "disabled" })))
        .await;
    mediator.stop().await;
}
