//! Routed requests, as OpenHIM shows them afterwards.

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use mediator_core::envelope::TransactionStatus;
use mediator_core::openhim::StoredTransaction;
use mediator_core::transaction::{HandlerError, Transaction};
use real_servers::openhim_core::RealOpenHimCore;
use serde_json::Value;

use super::core;
use super::running::{Running, back_end, openhim, routed};

/// The transaction, read back with the library's own client, once core has stored all of it.
async fn stored(core: &RealOpenHimCore, id: &str) -> StoredTransaction {
    core.transaction_when(id, |transaction| {
        transaction["response"]["status"].is_number() && transaction["status"] != "Processing"
    })
    .await;
    let openhim = openhim(core, RealOpenHimCore::PASSWORD);
    openhim.transaction(id).await.unwrap().unwrap()
}

/// Without the one that core adds for the mediator itself.
fn names(transaction: &StoredTransaction) -> Vec<&str> {
    let calls = transaction.orchestrations.iter();
    let names = calls.filter_map(|call| call.name.as_deref());
    names.filter(|name| *name != "routed").collect()
}

#[tokio::test]
async fn each_outcome_has_its_status_and_what_was_called_is_shown() {
    let Some(core) = core().await else {
        return;
    };
    let back_end = back_end().await;
    let call = move |name: &'static str| {
        async move |transaction: Transaction| {
            let url = format!("http://127.0.0.1:{back_end}/{name}?patient=1");
            transaction.property("called", name);
            let answer = transaction
                .client()
                .get(format!("Ask for {name}"), url)
                .send()
                .await;
            let answer =
                answer.map_err(|_| HandlerError::new(StatusCode::BAD_GATEWAY, "no answer"))?;
            Ok::<_, HandlerError>(format!("{} from there", answer.status().as_u16()))
        }
    };
    let router = Router::new()
        .route("/routed/well", get(call("well")))
        .route("/routed/bad", get(call("bad")))
        .route("/routed/unknown", get(call("unknown")))
        .route(
            "/routed/mistake",
            get(async || -> Result<&str, _> {
                Err(HandlerError::new(
                    StatusCode::UNPROCESSABLE_ENTITY,
                    "no such date",
                ))
            }),
        )
        .route(
            "/routed/failure",
            get(async || -> Result<&str, _> {
                Err(HandlerError::new(StatusCode::BAD_GATEWAY, "registry down"))
            }),
        )
        .route(
            "/routed/panic",
            get(async || -> &'static str { panic!("as tested") }),
        );
    let mediator =
        Running::with_routes("routed", openhim(core, RealOpenHimCore::PASSWORD), router).await;
    mediator.is_up(core).await;

    for (path, status, answered) in [
        ("well", TransactionStatus::Successful, 200),
        ("bad", TransactionStatus::CompletedWithErrors, 200),
        ("unknown", TransactionStatus::Successful, 200),
        ("mistake", TransactionStatus::Completed, 422),
        ("failure", TransactionStatus::Failed, 502),
        ("panic", TransactionStatus::Failed, 500),
    ] {
        let answer = routed(core, &format!("/routed/{path}")).await;
        assert_eq!(answer.status, answered, "{path}: {}", answer.body);
        let transaction = stored(core, &answer.transaction).await;
        assert_eq!(transaction.known_status(), Some(status), "{path}");
        let response = transaction.response.as_ref().unwrap();
        assert_eq!(response.status, Some(answered), "{path}");
        assert_eq!(
            response.body.as_deref(),
            Some(answer.body.as_str()),
            "{path}"
        );
        // Core would retry without end.
        assert!(transaction.error.is_none(), "{path}");
    }

    let answer = routed(core, "/routed/bad").await;
    assert_eq!(answer.body, "500 from there");
    let transaction = stored(core, &answer.transaction).await;
    assert_eq!(names(&transaction), ["Ask for bad"]);
    assert_eq!(transaction.properties["called"], "bad");
    let call = &transaction.orchestrations[0];
    let request = call.request.as_ref().unwrap();
    assert_eq!(request.method.as_deref(), Some("GET"));
    assert_eq!(request.port.as_deref(), Some(back_end.to_string().as_str()));
    assert_eq!(request.path.as_deref(), Some("/bad"));
    assert_eq!(request.querystring.as_deref(), Some("patient=1"));
    assert_eq!(
        request.headers["x-openhim-transactionid"],
        answer.transaction.as_str()
    );
    let response = call.response.as_ref().unwrap();
    assert_eq!(response.status, Some(500));
    assert_eq!(response.body.as_deref(), Some("out of order"));

    // The same handler answers plainly to whoever calls it without OpenHIM.
    let plain = reqwest::get(format!("http://127.0.0.1:{}/routed/well", mediator.port))
        .await
        .unwrap();
    assert_eq!(plain.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(plain.text().await.unwrap(), "200 from there");
    mediator.stop().await;
}

#[tokio::test]
async fn only_a_failure_that_is_worth_it_makes_core_retry() {
    let Some(core) = core().await else {
        return;
    };
    let fail = async || -> Result<&str, _> {
        Err(HandlerError::new(StatusCode::SERVICE_UNAVAILABLE, "registry down").worth_a_retry())
    };
    let router = Router::new().route("/retried", get(fail));
    let mediator =
        Running::with_routes("retried", openhim(core, RealOpenHimCore::PASSWORD), router).await;
    mediator.is_up(core).await;
    let answer = routed(core, "/retried").await;
    assert_eq!(answer.status, 503);
    let transaction = stored(core, &answer.transaction).await;
    assert_eq!(transaction.known_status(), Some(TransactionStatus::Failed));
    let message = transaction.error.unwrap().message.unwrap();
    assert!(message.contains("registry down"), "{message}");
    mediator.stop().await;
}

#[tokio::test]
async fn what_core_would_choke_on_arrives_whole() {
    let Some(core) = core().await else {
        return;
    };
    let image: Vec<u8> = (0..=255).collect();
    let sent = image.clone();
    let back_end = back_end().await;
    let handler = move |transaction: Transaction| {
        let image = sent.clone();
        async move {
            let url = format!("http://127.0.0.1:{back_end}/well");
            transaction.client().get("Ask", url).send().await.unwrap();
            ([("content-type", "image/png")], image)
        }
    };
    let json = async || axum::Json(serde_json::json!({ "name": "Łucja \u{1f489}" }));
    let router = Router::new()
        .route("/whole/image", get(handler))
        .route("/whole/json", get(json));
    let mediator =
        Running::with_routes("whole", openhim(core, RealOpenHimCore::PASSWORD), router).await;
    mediator.is_up(core).await;

    let url = format!("{}/whole/image", core.router_url());
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "image/png");
    let id = answer.headers()["X-OpenHIM-TransactionID"]
        .to_str()
        .unwrap()
        .to_owned();
    assert_eq!(answer.bytes().await.unwrap(), image);
    // No text can hold it, so it is not in an envelope; its calls reach core in another way.
    let transaction = core
        .transaction_when(&id, |transaction| {
            let calls = transaction["orchestrations"].as_array();
            calls.is_some_and(|calls| calls.iter().any(|call| call["name"] == "Ask"))
        })
        .await;
    assert_eq!(transaction["status"], "Successful");

    let answer = routed(core, "/whole/json").await;
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body["name"], "Łucja \u{1f489}");
    mediator.stop().await;
}
