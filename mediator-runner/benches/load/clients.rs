use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

const EVENT: &str = include_str!("../../../examples/requests/vaccination.json");
pub(crate) const PATH: &str = "/ddcc/QuestionnaireResponse/$generateHealthCertificate";

/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a connection is kept for the next request: less than OpenHIM keeps it.
const IDLE: Duration = Duration::from_secs(2);

/// Clients that ask for certificates, each for the next when it has one.
#[derive(Clone)]
pub(crate) struct Clients {
    http: Client<HttpConnector, Full<Bytes>>,
    url: String,
    token: Option<String>,
    /// Tells the events of these clients from those of others.
    run: String,
    asked: Arc<AtomicUsize>,
}

/// What clients were answered with.
#[derive(Default)]
pub(crate) struct Answers {
    /// How long each certificate took, in order of size.
    pub(crate) latencies: Vec<Duration>,
    /// How often there was none.
    pub(crate) refused: HashMap<StatusCode, usize>,
}

impl Clients {
    /// Of the server at this base address; with this bearer token, if there is one.
    pub(crate) fn of(base: &str, run: &str, token: Option<String>) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self {
            http: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .pool_idle_timeout(IDLE)
                .build(connector),
            url: format!("{base}{PATH}"),
            token,
            run: run.to_owned(),
            asked: Arc::default(),
        }
    }

    /// Connections, caches and threads are made before the clock starts.
    pub(crate) async fn warm_up(&self) {
        for _ in 0..20 {
            self.certificate().await;
        }
    }

    /// So many clients for so long.
    pub(crate) async fn ask(&self, clients: usize, time: Duration) -> Answers {
        let start = Instant::now();
        let tasks: Vec<_> = (0..clients)
            .map(|_| {
                let client = self.clone();
                tokio::spawn(async move {
                    let mut answers = Answers::default();
                    while start.elapsed() < time {
                        let asked = Instant::now();
                        match client.answer().await {
                            (StatusCode::OK, _) => answers.latencies.push(asked.elapsed()),
                            (status, _) => *answers.refused.entry(status).or_default() += 1,
                        }
                    }
                    answers
                })
            })
            .collect();
        let mut all = Answers::default();
        for task in tasks {
            let answers = task.await.unwrap();
            all.latencies.extend(answers.latencies);
            for (status, count) in answers.refused {
                *all.refused.entry(status).or_default() += count;
            }
        }
        all.latencies.sort();
        all
    }

    /// One certificate, and how long it took.
    pub(crate) async fn certificate(&self) -> Duration {
        let start = Instant::now();
        let (status, body) = self.answer().await;
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        start.elapsed()
    }

    /// What one more event is answered with; 504 when that is not in time, 502 when the connection
    /// is closed instead.
    pub(crate) async fn answer(&self) -> (StatusCode, Bytes) {
        let answer = tokio::time::timeout(PATIENCE, self.ask_once()).await;
        match answer {
            Ok(answer) => answer.unwrap_or((StatusCode::BAD_GATEWAY, Bytes::new())),
            Err(_) => (StatusCode::GATEWAY_TIMEOUT, Bytes::new()),
        }
    }

    async fn ask_once(&self) -> Option<(StatusCode, Bytes)> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{number}", self.run);
        let body = EVENT
            .replace("2026-000481", &name)
            .replace("CH-7QK2-M4TD", &format!("CH-{name}"));
        let mut request = Request::post(&self.url).header("content-type", "application/fhir+json");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let response = self.http.request(request).await.ok()?;
        let status = response.status();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, body))
    }
}
