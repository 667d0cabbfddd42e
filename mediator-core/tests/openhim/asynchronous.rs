//! Work that is finished after its request was answered.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use mediator_core::transaction::{HandlerError, Transaction};
use real_servers::openhim_core::RealOpenHimCore;
use tokio::sync::Notify;

use super::core;
use super::running::{Running, back_end, openhim, routed};

#[tokio::test]
async fn accepted_work_completes_its_transaction_later() {
    static GO_ON: Notify = Notify::const_new();
    let Some(core) = core().await else {
        return;
    };
    let back_end = back_end().await;
    let handler = move |transaction: Transaction| async move {
        transaction.accept(move |transaction| async move {
            GO_ON.notified().await;
            let url = format!("http://127.0.0.1:{back_end}/bad");
            let answer = transaction.client().get("Print", url).send().await;
            answer.map_err(|_| HandlerError::new(StatusCode::BAD_GATEWAY, "printer"))?;
            transaction.property("pages", "3");
            Ok("printed")
        })
    };
    let router = Router::new().route("/later", get(handler));
    let mediator =
        Running::with_routes("later", openhim(core, RealOpenHimCore::PASSWORD), router).await;
    mediator.is_up(core).await;

    let answer = routed(core, "/later").await;
    assert_eq!(answer.status, 202);
    let id = answer.transaction;
    // This core has no status for it; 8.x calls it `Pending Async`.
    let waiting = core
        .transaction_when(&id, |transaction| transaction["response"]["status"] == 202)
        .await;
    assert_eq!(waiting["properties"], serde_json::Value::Null);

    GO_ON.notify_one();
    let done = core
        .transaction_when(&id, |transaction| transaction["response"]["status"] == 200)
        .await;
    assert_eq!(done["status"], "Completed with error(s)");
    assert_eq!(done["response"]["body"], "printed");
    assert_eq!(done["properties"]["pages"], "3");
    let calls = done["orchestrations"].as_array().unwrap();
    let printed = calls.iter().find(|call| call["name"] == "Print").unwrap();
    assert_eq!(printed["response"]["status"], 500);
    mediator.stop().await;
}

#[tokio::test]
async fn a_shutdown_waits_for_accepted_work() {
    let Some(core) = core().await else {
        return;
    };
    let handler = async |transaction: Transaction| {
        transaction.accept(|_| async {
            tokio::time::sleep(std::time::Duration::from_secs(2)).await;
            Ok("done")
        })
    };
    let router = Router::new().route("/slowly", get(handler));
    let mediator =
        Running::with_routes("slowly", openhim(core, RealOpenHimCore::PASSWORD), router).await;
    mediator.is_up(core).await;
    let answer = routed(core, "/slowly").await;
    assert_eq!(answer.status, 202);
    mediator.stop().await;
    let done = core.transaction_when(&answer.transaction, |_| true).await;
    assert_eq!(done["status"], "Successful");
    assert_eq!(done["response"]["body"], "done");
}
