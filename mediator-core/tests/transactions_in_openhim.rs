//! What a real OpenHIM core stores of transactions that a mediator handled.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::routing::{get, post};
use axum::serve::Listener as _;
use http::{HeaderMap, StatusCode};
use mediator_core::server::{Server, ServerSettings, listen};
use mediator_core::transaction::{
    HandlerError, StoreError, Transaction, TransactionId, TransactionLayer, TransactionSettings,
    TransactionStore,
};
use real_servers::openhim_core::RealOpenHimCore;
use serde_json::Value;
use tokio::sync::OnceCell;

static CORE: OnceCell<Option<RealOpenHimCore>> = OnceCell::const_new();

async fn core() -> Option<&'static RealOpenHimCore> {
    CORE.get_or_init(RealOpenHimCore::start).await.as_ref()
}

struct Api(&'static RealOpenHimCore);

#[async_trait]
impl TransactionStore for Api {
    async fn transaction(&self, id: &TransactionId) -> Result<Value, StoreError> {
        let path = format!("/transactions/{id}?filterRepresentation=simpledetails");
        Ok(self.0.api("GET", &path, None).await.body)
    }

    async fn update_transaction(
        &self,
        id: &TransactionId,
        update: &Value,
    ) -> Result<(), StoreError> {
        let path = format!("/transactions/{id}");
        let answer = self.0.api("PUT", &path, Some(update.clone())).await;
        match answer.status {
            200 => Ok(()),
            status => Err(StoreError::lasting(format!("{status} {}", answer.body))),
        }
    }
}

async fn serve(routes: Router) -> SocketAddr {
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::new(ServerSettings::default());
    tokio::spawn(server.serve(routes, listener, std::future::pending()));
    address
}

/// A mediator behind a channel of this name.
async fn mediator(core: &'static RealOpenHimCore, name: &str, routes: Router) {
    let settings = TransactionSettings {
        has_asynchronous_channels: false,
        ..TransactionSettings::new("urn:mediator:test")
    };
    let layer = TransactionLayer::new(settings).completed_through(Arc::new(Api(core)));
    let address = serve(routes.layer(layer)).await;
    core.create_channel(name, address.port()).await;
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    async fn of(core: &RealOpenHimCore, path: &str) -> Self {
        let url = format!("{}{path}", core.router_url());
        let response = match reqwest::get(url).await {
            Ok(response) => response,
            Err(error) => panic!("{error:?} {}", core.log().await),
        };
        Self {
            status: response.status(),
            headers: response.headers().clone(),
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    fn transaction_id(&self) -> &str {
        self.headers["x-openhim-transactionid"].to_str().unwrap()
    }
}

fn names(transaction: &Value) -> Vec<&str> {
    let calls = transaction["orchestrations"].as_array().unwrap();
    calls
        .iter()
        .filter_map(|call| call["name"].as_str())
        .collect()
}

#[tokio::test]
async fn an_envelope_is_stored_with_its_calls_and_its_status() {
    let Some(core) = core().await else { return };
    let backend = serve(
        Router::new()
            .route("/well", post(|| async { ([("x.y", "1")], "stored") }))
            .route("/broken", get(|| async { StatusCode::SERVICE_UNAVAILABLE })),
    )
    .await;
    let routes = Router::new().route(
        "/envelope",
        get(move |transaction: Transaction| async move {
            let client = transaction.client();
            let call = client.post("Store", format!("http://{backend}/well"));
            call.bearer_auth("s3cret").body("{}").send().await?;
            let call = client.get("Notify", format!("http://{backend}/broken"));
            call.send().await?;
            transaction.property("a.b$c", "1");
            let headers = [("set-cookie", "a=1"), ("x.y.z", "2"), ("etag", "\"3\"")];
            Ok::<_, HandlerError>((StatusCode::CREATED, headers, "Zürich"))
        }),
    );
    mediator(core, "envelope", routes).await;
    let answer = Answer::of(core, "/envelope").await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.body, "Zürich".as_bytes());
    assert_eq!(answer.headers["etag"], "\"3\"");
    assert_eq!(answer.headers["x.y.z"], "2");
    assert!(
        answer.headers["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with("a=1")
    );

    let stored = |transaction: &Value| transaction["response"]["status"] == 201;
    let transaction = core.transaction_when(answer.transaction_id(), stored).await;
    assert_eq!(transaction["status"], "Completed with error(s)");
    assert_eq!(transaction["properties"]["a\u{ff0e}b\u{ff04}c"], "1");
    assert_eq!(names(&transaction), ["Store", "Notify", "envelope"]);
    let call = &transaction["orchestrations"][0];
    assert_eq!(call["request"]["headers"]["authorization"], "[redacted]");
    assert_eq!(call["request"]["body"], "{}");
    assert_eq!(call["response"]["body"], "stored");
    assert_eq!(call["response"]["headers"]["x\u{ff0e}y"], "1");
    let error = &transaction["orchestrations"][1]["error"]["message"];
    assert_eq!(error, "answered 503 Service Unavailable");
    assert_eq!(transaction["autoRetry"], false);
}

#[tokio::test]
async fn the_calls_behind_a_pdf_follow_it() {
    let Some(core) = core().await else { return };
    let backend = serve(Router::new().route("/", get(|| async { StatusCode::BAD_GATEWAY }))).await;
    let routes = Router::new().route(
        "/pdf",
        get(move |transaction: Transaction| async move {
            let call = transaction
                .client()
                .get("Ask", format!("http://{backend}/"));
            call.send().await?;
            transaction.property("pages", "1");
            let headers = [("content-type", "application/pdf")];
            Ok::<_, HandlerError>((headers, b"%PDF\xff\xfe\x00".to_vec()))
        }),
    );
    mediator(core, "pdf", routes).await;
    let answer = Answer::of(core, "/pdf").await;
    assert_eq!(answer.body, b"%PDF\xff\xfe\x00");
    assert_eq!(answer.headers["content-type"], "application/pdf");
    let told = |transaction: &Value| transaction["status"] == "Completed with error(s)";
    let transaction = core.transaction_when(answer.transaction_id(), told).await;
    assert_eq!(names(&transaction), ["pdf", "Ask"]);
    assert_eq!(transaction["properties"]["pages"], "1");
    assert_eq!(transaction["response"]["status"], 200);
}

#[tokio::test]
async fn accepted_work_is_completed_however_long_it_takes() {
    let Some(core) = core().await else { return };
    for milliseconds in [0, 1500] {
        let name = format!("later{milliseconds}");
        let routes = Router::new().route(
            &format!("/{name}"),
            get(move |transaction: Transaction| async move {
                transaction.property("begun", "1");
                transaction.accept(move |transaction| async move {
                    let time = std::time::Duration::from_millis(milliseconds);
                    tokio::time::sleep(time).await;
                    transaction.property("pages", "3");
                    let _ = transaction
                        .client()
                        .get("Ask", "http://127.0.0.1:1/")
                        .send()
                        .await;
                    Ok((StatusCode::CREATED, "printed"))
                })
            }),
        );
        mediator(core, &name, routes).await;
        let answer = Answer::of(core, &format!("/{name}")).await;
        assert_eq!(answer.status, 202);
        let id = answer.transaction_id();
        if milliseconds > 0 {
            let begun = |transaction: &Value| transaction["properties"]["begun"] == "1";
            let transaction = core.transaction_when(id, begun).await;
            assert_eq!(transaction["status"], "Processing");
        }
        let told = |transaction: &Value| transaction["status"] == "Completed with error(s)";
        let transaction = core.transaction_when(id, told).await;
        assert_eq!(names(&transaction), [name.as_str(), "Ask"]);
        assert_eq!(transaction["properties"]["begun"], "1");
        assert_eq!(transaction["properties"]["pages"], "3");
        assert_eq!(transaction["response"]["status"], 201);
        assert_eq!(transaction["response"]["body"], "printed");
    }
}
