//! A whole mediator: what it does for its author from start to end.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

#[path = "openhim_double/mod.rs"]
mod openhim_double;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use axum::serve::Listener as _;
use mediator_core::Mediator;
use mediator_core::jobs::Job;
use mediator_core::mediator::{MediatorBuilder, MediatorError, MediatorStopped};
use mediator_core::mediator_config::{
    ChannelDefinition, ConfigurationDefinition, Endpoint, MediatorConfig, Method, Route,
};
use mediator_core::pushed_configuration::PushedConfiguration;
use mediator_core::server::listen;
use mediator_core::transaction::Transaction;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use openhim_double::{OpenHimDouble, Version};

const URN: &str = "urn:mediator:greeter";

#[derive(Debug, serde::Deserialize)]
struct Settings {
    greeting: String,
}

fn config() -> MediatorConfig {
    MediatorConfig::builder(URN, "1.0.0", "Greeter")
        .endpoint(Endpoint::http("Greeter", "localhost", 4321).primary())
        .default_channel(
            ChannelDefinition::http("Greetings", "^/greet$", [Method::Get])
                .allow("everyone")
                .route(Route::http("Greeter", "localhost", 4321).primary()),
        )
        .parameter(ConfigurationDefinition::string("greeting"))
        .initial_value("greeting", "Hello")
        .build()
        .unwrap()
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<MediatorStopped, MediatorError>>,
}

async fn run(builder: MediatorBuilder) -> Running {
    let mediator = builder
        .heartbeat_period(Duration::from_millis(50))
        .build()
        .unwrap();
    let listener = listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(mediator.run_on(listener, async {
        let _ = stopped.await;
    }));
    Running {
        address,
        stop,
        task,
    }
}

impl Running {
    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (String, Value) {
        let mut request = reqwest::Client::new().get(format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let media_type = answer
            .headers()
            .get("content-type")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default();
        let text = answer.text().await.unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        (media_type, body)
    }

    async fn stop(self) -> MediatorStopped {
        self.stop.send(()).unwrap();
        timeout(Duration::from_secs(10), self.task)
            .await
            .unwrap()
            .unwrap()
            .unwrap()
    }
}

async fn until(mut met: impl AsyncFnMut() -> bool) {
    timeout(Duration::from_secs(20), async {
        while !met().await {
            sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
}

fn greeter(settings: &PushedConfiguration<Settings>) -> Router {
    let settings = settings.clone();
    Router::new().route(
        "/greet",
        get(move |transaction: Transaction| async move {
            transaction.property("greeted", "yes");
            settings.current().greeting.clone()
        }),
    )
}

#[tokio::test]
async fn core_knows_the_mediator_and_its_channels_and_changes_its_settings() {
    let core = OpenHimDouble::start(Version::V8).await;
    let settings = PushedConfiguration::<Settings>::new(&config()).unwrap();
    let mediator = run(Mediator::builder(config())
        .openhim(core.client())
        .configuration(&settings)
        .router(greeter(&settings)))
    .await;
    until(async || core.channels().len() == 1).await;
    assert_eq!(core.mediator(URN).unwrap()["name"], "Greeter");
    assert_eq!(core.channels()[0]["name"], "Greetings");

    core.set_config_in_console(URN, json!({"greeting": "Salut"}));
    until(async || settings.current().greeting == "Salut").await;
    assert_eq!(mediator.get("/greet", &[]).await.1, "Salut");
    assert_eq!(mediator.stop().await.abandoned_requests, 0);
}

#[tokio::test]
async fn the_same_routes_answer_openhim_and_others() {
    let settings = PushedConfiguration::<Settings>::new(&config()).unwrap();
    let mediator = run(Mediator::builder(config()).router(greeter(&settings))).await;
    let (media_type, body) = mediator.get("/greet", &[]).await;
    assert_eq!(
        (media_type.as_str(), body),
        ("text/plain; charset=utf-8", json!("Hello"))
    );
    let id = ("x-openhim-transactionid", "65f0c0ffee65f0c0ffee65f0");
    let (media_type, envelope) = mediator.get("/greet", &[id]).await;
    assert!(
        media_type.contains("application/json+openhim"),
        "{media_type}"
    );
    assert_eq!(envelope["x-mediator-urn"], URN);
    assert_eq!(envelope["status"], "Successful");
    assert_eq!(envelope["response"]["body"], "Hello");
    assert_eq!(envelope["properties"]["greeted"], "yes");
    mediator.stop().await;
}

#[tokio::test]
async fn serves_while_core_is_down_and_is_registered_when_it_comes() {
    let core = OpenHimDouble::start(Version::V4).await;
    let client = core.client();
    let killed = core.kill().await;
    let settings = PushedConfiguration::<Settings>::new(&config()).unwrap();
    let mediator = run(Mediator::builder(config())
        .openhim(client)
        .router(greeter(&settings)))
    .await;
    assert_eq!(mediator.get("/greet", &[]).await.1, "Hello");
    let core = killed.start_again().await;
    until(async || core.mediator(URN).is_some() && core.channels().len() == 1).await;

    core.forget_mediators();
    until(async || core.mediator(URN).is_some()).await;
    mediator.stop().await;
}

#[tokio::test]
async fn ends_at_once_although_core_is_down() {
    let core = OpenHimDouble::start(Version::V8).await;
    let client = core.client();
    drop(core.kill().await);
    let mediator = run(Mediator::builder(config()).openhim(client)).await;
    sleep(Duration::from_millis(100)).await;
    mediator.stop().await;
}

#[tokio::test]
async fn jobs_run_are_seen_and_finish() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let mediator =
        run(
            Mediator::builder(config()).job(Job::new("count", "* * * * * *", move |_| {
                let counted = Arc::clone(&counted);
                async move {
                    sleep(Duration::from_secs(2)).await;
                    counted.fetch_add(1, Ordering::Relaxed);
                    Ok::<(), String>(())
                }
            })),
        )
        .await;
    until(async || {
        let (_, status) = mediator.get("/jobs/count", &[]).await;
        status["running"]
            .as_array()
            .is_some_and(|runs| !runs.is_empty())
    })
    .await;
    assert_eq!(runs.load(Ordering::Relaxed), 0);
    let stopped = mediator.stop().await;
    assert_eq!(stopped.abandoned_job_runs, 0);
    assert_eq!(runs.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_polled_job_is_a_transaction_and_its_status_is_not() {
    let mediator = run(
        Mediator::builder(config()).job(Job::on_demand("fail", |_| async {
            Err::<(), _>("the registry is closed")
        })),
    )
    .await;
    let id = ("x-openhim-transactionid", "65f0c0ffee65f0c0ffee65f0");
    let (_, envelope) = mediator.get("/jobs/fail/poll", &[id]).await;
    assert_eq!(envelope["status"], "Failed");
    let (media_type, status) = mediator.get("/jobs/fail", &[id]).await;
    assert_eq!(media_type, "application/json");
    assert_eq!(status["name"], "fail");
    mediator.stop().await;
}

#[test]
fn mistakes_in_jobs_are_told_before_anything_starts() {
    let job = |cron: &str| Job::new("job", cron, |_| async { Ok::<(), String>(()) });
    let error = Mediator::builder(config())
        .job(job("every day"))
        .job(job("0 0 0 * * *").time_zone("Nowhere"))
        .build()
        .unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("every day") && text.contains("Nowhere"),
        "{text}"
    );
}

#[tokio::test]
async fn without_an_http_endpoint_there_is_nowhere_to_listen() {
    let config = MediatorConfig::from_json(
        &json!({
            "urn": URN, "version": "1.0.0", "name": "Greeter",
            "endpoints": [{"name": "Greeter", "host": "localhost", "port": 4321, "type": "tcp"}],
        })
        .to_string(),
    )
    .unwrap();
    let error = Mediator::builder(config)
        .build()
        .unwrap()
        .run()
        .await
        .unwrap_err();
    assert!(matches!(error, MediatorError::NoEndpoint), "{error}");
}
