//! A core that is down, comes back, and forgets. It is this test's own.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use mediator_core::transaction::{HandlerError, Transaction};
use real_servers::openhim_core::RealOpenHimCore;
use serde_json::json;
use tokio::sync::Notify;

use super::eventually;
use super::running::{Running, channel, openhim, routed, urn};

#[tokio::test]
async fn a_mediator_outlives_its_core() {
    static GO_ON: Notify = Notify::const_new();
    let Some(core) = RealOpenHimCore::start().await else {
        return;
    };
    core.kill().await;

    // A core that is down at the start does not keep the mediator from serving.
    let later = async |transaction: Transaction| {
        transaction.accept(|_| async {
            GO_ON.notified().await;
            Ok::<_, HandlerError>((StatusCode::CREATED, "made while core was down"))
        })
    };
    let router = Router::new()
        .route("/lasting", get(async || "still here"))
        .route("/lasting/later", get(later));
    let client = openhim(&core, RealOpenHimCore::PASSWORD);
    let mediator = Running::with_routes("lasting", client, router).await;
    let served = async || {
        let url = format!("http://127.0.0.1:{}/lasting", mediator.port);
        reqwest::get(url).await.unwrap().text().await.unwrap()
    };
    assert_eq!(served().await, "still here");
    core.restart().await;
    mediator.is_up(&core).await;
    assert_eq!(routed(&core, "/lasting").await.body, "still here");

    // Killed in the middle of accepted work: core is told its end when it is back.
    let accepted = routed(&core, "/lasting/later").await;
    assert_eq!(accepted.status, 202);
    let written = |transaction: &serde_json::Value| transaction["response"]["status"] == 202;
    core.transaction_when(&accepted.transaction, written).await;
    core.kill().await;
    GO_ON.notify_one();
    assert_eq!(served().await, "still here");
    core.restart().await;
    let path = format!("/mediators/{}", urn("lasting"));
    let before = core.api("GET", &path, None).await.body["_lastHeartbeat"].clone();
    eventually("heartbeats after the restart", || async {
        core.api("GET", &path, None).await.body["_lastHeartbeat"] != before
    })
    .await;
    let done = core
        .transaction_when(&accepted.transaction, |transaction| {
            transaction["response"]["status"] == 201
        })
        .await;
    assert_eq!(done["status"], "Successful");
    assert_eq!(done["response"]["body"], "made while core was down");

    // A core that forgets is told everything again.
    core.restart_with_empty_database().await;
    mediator.is_up(&core).await;
    assert_eq!(routed(&core, "/lasting").await.body, "still here");

    // Also when it only forgets the mediator; the channel is left as the operator has made it.
    let id = channel(&core, "lasting").await.unwrap()["_id"].clone();
    let id = id.as_str().unwrap();
    let path = format!("/channels/{id}");
    core.api("PUT", &path, Some(json!({ "priority": 4 }))).await;
    core.api("DELETE", &format!("/mediators/{}", urn("lasting")), None)
        .await;
    mediator.is_up(&core).await;
    let kept = channel(&core, "lasting").await.unwrap();
    assert_eq!(
        (kept["_id"].as_str(), &kept["priority"]),
        (Some(id), &json!(4))
    );
    mediator.stop().await;
}
