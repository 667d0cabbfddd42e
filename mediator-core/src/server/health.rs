use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::routing::get;
use axum::{Json, Router};
use http::{StatusCode, header};
use serde_json::json;
use tokio::task::JoinSet;

const CHECK_TIMEOUT: Duration = Duration::from_secs(5);

type Check =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>> + Send + Sync>;

/// What must work before requests should come here.
#[derive(Clone, Default)]
pub(super) struct ReadyChecks(Vec<(String, Check)>);

impl ReadyChecks {
    pub(super) fn add<C, F>(&mut self, name: String, check: C)
    where
        C: Fn() -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        self.0.push((name, Arc::new(move || Box::pin(check()))));
    }

    /// All checks at once, each with what it says.
    async fn run(&self) -> BTreeMap<String, Result<(), String>> {
        let mut results: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(name, _)| (name.clone(), Err("the check failed to run".to_owned())))
            .collect();
        let mut running = JoinSet::new();
        for (name, check) in &self.0 {
            let (name, check) = (name.clone(), check());
            running.spawn(async move {
                let result = tokio::time::timeout(CHECK_TIMEOUT, check)
                    .await
                    .unwrap_or_else(|_| {
                        Err(format!("no answer within {} s", CHECK_TIMEOUT.as_secs()))
                    });
                (name, result)
            });
        }
        while let Some(finished) = running.join_next().await {
            if let Ok((name, result)) = finished {
                results.insert(name, result);
            }
        }
        results
    }
}

pub(super) fn routes(checks: ReadyChecks, is_ending: Arc<AtomicBool>) -> Router {
    Router::new()
        .route(
            "/health/live",
            get(|| async { (NOT_STORED, Json(json!({"status": "live"}))) }),
        )
        .route(
            "/health/ready",
            get(move || async move {
                if is_ending.load(Ordering::Relaxed) {
                    let body = json!({"status": "ending", "checks": {}});
                    return (StatusCode::SERVICE_UNAVAILABLE, NOT_STORED, Json(body));
                }
                let results = checks.run().await;
                let ready = results.values().all(Result::is_ok);
                let status = if ready {
                    StatusCode::OK
                } else {
                    tracing::warn!(?results, "not ready");
                    StatusCode::SERVICE_UNAVAILABLE
                };
                let checks: BTreeMap<_, _> = results
                    .into_iter()
                    .map(|(name, result)| (name, result.err().unwrap_or_else(|| "ok".to_owned())))
                    .collect();
                let body = json!({
                    "status": if ready { "ready" } else { "not ready" },
                    "checks": checks,
                });
                (status, NOT_STORED, Json(body))
            }),
        )
}

const NOT_STORED: [(header::HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];
