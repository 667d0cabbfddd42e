//! Work that is finished after the answer.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use mediator_core::envelope::TransactionStatus;
use mediator_core::server::{Server, ServerSettings, listen};
use mediator_core::transaction::{
    HandlerError, RecordingClient, StoreError, Transaction, TransactionLayer, TransactionSettings,
};
use tokio::sync::Notify;

use super::core_api::CoreApi;
use super::{ID, Mediator, URN, backend, log, serve};

async fn start(core: &CoreApi, settings: TransactionSettings, routes: Router) -> Mediator {
    let layer = TransactionLayer::new(settings).completed_through(Arc::new(core.clone()));
    let server = Server::new(ServerSettings::default());
    Mediator {
        address: serve(server, routes.layer(layer)).await,
    }
}

fn names(transaction: &serde_json::Value) -> Vec<&str> {
    let calls = transaction["orchestrations"].as_array().unwrap();
    calls
        .iter()
        .filter_map(|call| call["name"].as_str())
        .collect()
}

#[tokio::test]
async fn it_is_pending_and_then_what_the_work_made_of_it() {
    let backend = backend(Router::new().route("/", get(|| async { "hi" }))).await;
    let go_on = Arc::new(Notify::new());
    let waiting = Arc::clone(&go_on);
    let deep_inside = RecordingClient::new(reqwest::Client::new());
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            let call = transaction.client().get("Before", &backend).send();
            call.await?;
            let accepted = transaction.accept(|transaction| async move {
                waiting.notified().await;
                deep_inside.get("After", backend).send().await?;
                transaction.property("pages", "3");
                assert_eq!(transaction.deadline(), None);
                Ok((StatusCode::CREATED, "printed"))
            })?;
            Ok::<_, HandlerError>(accepted.answered_with("come again"))
        }),
    );
    let core = CoreApi::waiting();
    let mediator = start(&core, TransactionSettings::new(URN), routes).await;
    let envelope = mediator.get("/").await.envelope();
    assert_eq!(envelope.status(), TransactionStatus::PendingAsync);
    assert_eq!(envelope.answer().status(), 202);
    assert_eq!(envelope.answer().recorded_body(), "come again");
    assert_eq!(envelope.recorded_orchestrations()[0].name(), "Before");
    core.store_answer("Pending Async");
    go_on.notify_one();

    let transaction = core.until("Successful").await;
    assert_eq!(transaction["response"]["status"], 201);
    assert_eq!(transaction["response"]["body"], "printed");
    assert_eq!(transaction["properties"]["pages"], "3");
    assert_eq!(names(&transaction), ["the route", "After"]);
}

#[tokio::test]
async fn errors_and_panics_of_the_work_are_told_too() {
    let routes = Router::new()
        .route(
            "/error",
            get(|transaction: Transaction| async move {
                transaction.accept(|_| async {
                    Err::<(), _>(
                        HandlerError::new(StatusCode::BAD_GATEWAY, "no paper").worth_a_retry(),
                    )
                })
            }),
        )
        .route(
            "/panic",
            get(|transaction: Transaction| async move {
                transaction.accept(|transaction| async move {
                    assert_eq!(transaction.id(), None, "a bug");
                    Ok(())
                })
            }),
        );
    for (path, message) in [("/error", Some("no paper")), ("/panic", None)] {
        let core = CoreApi::waiting();
        core.store_answer("Pending Async");
        let settings = TransactionSettings::new(URN);
        let mediator = start(&core, settings, routes.clone()).await;
        assert_eq!(mediator.get(path).await.status, 202);
        let transaction = core.until("Failed").await;
        assert_eq!(transaction["error"]["message"].as_str(), message, "{path}");
    }
}

#[tokio::test]
async fn core_is_told_until_it_knows_and_nothing_twice() {
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            transaction.accept(|transaction| async move {
                let request = mediator_core::envelope::RecordedRequest::new(chrono::Utc::now());
                let call = mediator_core::envelope::Orchestration::new("Print", request);
                transaction.record(call);
                Ok("printed")
            })
        }),
    );
    let core = CoreApi::waiting();
    core.fail_next(vec![
        StoreError::transient("core is down"),
        StoreError::transient("core is down"),
    ]);
    let mediator = start(&core, TransactionSettings::new(URN), routes).await;
    mediator.get("/").await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(core.updates(), 0, "core has not stored the answer");
    core.store_answer("Pending Async");
    core.until("Successful").await;
    // Core's own writing comes late, and over ours.
    core.store_answer("Pending Async");
    let transaction = core.until("Successful").await;
    assert_eq!(names(&transaction), ["the route", "Print"]);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(core.updates(), 2);
}

#[tokio::test]
async fn without_a_user_of_the_api_nothing_is_accepted_from_openhim() {
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move { transaction.accept(|_| async { Ok("done") }) }),
    );
    let mediator = Mediator::start(routes).await;
    let envelope = mediator.get("/").await.envelope();
    assert_eq!(envelope.answer().status(), 500);
    assert_eq!(mediator.get_without_openhim("/").await.status, 202);
}

#[tokio::test]
async fn what_core_cannot_be_told_is_in_the_log() {
    log::capture();
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move { transaction.accept(|_| async { Ok("done") }) }),
    );
    let core = CoreApi::waiting();
    core.fail_next(vec![StoreError::transient("core is down"); 100]);
    let settings = TransactionSettings {
        delivery_time: Duration::from_millis(700),
        ..TransactionSettings::new(URN)
    };
    let mediator = start(&core, settings, routes).await;
    mediator.get("/").await;
    for _ in 0..300 {
        if log::written().contains("OpenHIM does not know how") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let text = log::written();
    let line = text.lines().find(|line| line.contains("does not know"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    assert!(line.contains("ERROR") && line.contains(ID), "{line}");
    assert!(line.contains("core is down"), "{line}");
}

#[tokio::test]
async fn what_lasts_is_not_tried_again() {
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move { transaction.accept(|_| async { Ok("done") }) }),
    );
    let core = CoreApi::waiting();
    core.store_answer("Pending Async");
    core.fail_next(vec![StoreError::lasting("not allowed")]);
    let mediator = start(&core, TransactionSettings::new(URN), routes).await;
    mediator.get("/").await;
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert_eq!(core.updates(), 0);
}

#[tokio::test]
async fn a_shutdown_waits_until_core_knows() {
    let routes = Router::new().route(
        "/",
        get(|transaction: Transaction| async move {
            transaction.accept(|_| async {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok("done")
            })
        }),
    );
    let core = CoreApi::waiting();
    core.store_answer("Pending Async");
    let layer = TransactionLayer::new(TransactionSettings::new(URN))
        .completed_through(Arc::new(core.clone()));
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = axum::serve::Listener::local_addr(&listener).unwrap();
    let stop = Arc::new(Notify::new());
    let stopping = Arc::clone(&stop);
    let server = Server::new(ServerSettings::default());
    let serving = tokio::spawn(async move {
        let shutdown = async move { stopping.notified().await };
        server.serve(routes.layer(layer), listener, shutdown).await
    });
    let mediator = Mediator { address };
    mediator.get("/").await;
    stop.notify_one();
    let stopped = serving.await.unwrap().unwrap();
    assert_eq!(stopped.abandoned_requests, 0);
    assert_eq!(core.transaction_now()["status"], "Successful");
}

#[tokio::test]
async fn the_calls_behind_an_answer_that_is_no_text_follow_it() {
    let backend =
        backend(Router::new().route("/", get(|| async { StatusCode::BAD_GATEWAY }))).await;
    let routes = Router::new().route(
        "/pdf",
        get(|transaction: Transaction| async move {
            transaction.client().get("Ask", backend).send().await?;
            transaction.property("pages", "1");
            Ok::<_, HandlerError>(b"%PDF\xff".to_vec())
        }),
    );
    let core = CoreApi::waiting();
    let mediator = start(&core, TransactionSettings::new(URN), routes).await;
    let answer = mediator.get("/pdf").await;
    assert_eq!(answer.content_type(), "application/octet-stream");
    assert_eq!(answer.body, &b"%PDF\xff"[..]);
    core.store_answer("Successful");
    let transaction = core.until("Completed with error(s)").await;
    assert_eq!(names(&transaction), ["the route", "Ask"]);
    assert_eq!(transaction["properties"]["pages"], "1");
    assert_eq!(transaction["response"]["status"], 202, "core's own stays");
}
