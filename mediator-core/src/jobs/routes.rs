use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use http::StatusCode;
use serde_json::json;

use super::Jobs;
use super::run::{JobReport, JobResult, Trigger};

/// See [`Jobs::routes`].
pub(super) fn operator(jobs: Jobs) -> Router {
    Router::new()
        .route("/jobs", get(list))
        .route("/jobs/{name}", get(status))
        .route("/jobs/{name}/run", post(run))
        .with_state(jobs)
}

/// See [`Jobs::polling_routes`].
pub(super) fn polling(jobs: Jobs) -> Router {
    Router::new()
        .route("/jobs/{name}/poll", get(poll))
        .with_state(jobs)
}

async fn list(State(jobs): State<Jobs>) -> Response {
    Json(json!({ "jobs": jobs.statuses() })).into_response()
}

async fn status(State(jobs): State<Jobs>, Path(name): Path<String>) -> Response {
    match jobs.status(&name) {
        Some(status) => Json(status).into_response(),
        None => unknown(),
    }
}

async fn run(State(jobs): State<Jobs>, Path(name): Path<String>) -> Response {
    match jobs.begin(&name, Trigger::Demand).await {
        None => unknown(),
        Some(Err(refused)) => report(&refused),
        Some(Ok(_begun)) => match jobs.status(&name) {
            Some(status) => (StatusCode::ACCEPTED, Json(status)).into_response(),
            None => unknown(),
        },
    }
}

async fn poll(State(jobs): State<Jobs>, Path(name): Path<String>) -> Response {
    match jobs.begin(&name, Trigger::Polling).await {
        None => unknown(),
        Some(Err(refused)) => report(&refused),
        Some(Ok(begun)) => match begun.await {
            Ok(done) => report(&done),
            Err(_given_up) => (
                StatusCode::SERVICE_UNAVAILABLE,
                Json(json!({ "message": "the mediator ended before the job did" })),
            )
                .into_response(),
        },
    }
}

fn report(report: &JobReport) -> Response {
    (answer_status(&report.result), Json(report)).into_response()
}

fn answer_status(result: &JobResult) -> StatusCode {
    match result {
        JobResult::Ok => StatusCode::OK,
        JobResult::Failed(_) | JobResult::TimedOut | JobResult::Panicked => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        JobResult::SkippedRunning | JobResult::SkippedLocked => StatusCode::CONFLICT,
        JobResult::SkippedStopping => StatusCode::SERVICE_UNAVAILABLE,
    }
}

fn unknown() -> Response {
    (
        StatusCode::NOT_FOUND,
        Json(json!({ "message": "there is no job of this name; GET /jobs lists those there are" })),
    )
        .into_response()
}
