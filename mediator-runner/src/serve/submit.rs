//! `POST [base]`: Submit Health Event.

use axum::extract::State;
use http::StatusCode;
use mediator_core::authentication::Caller;
use mediator_core::server::InFlight;
use mediator_ddcc::operation_outcome::{Issue, IssueType};
use serde_json::Value;

use super::application::Application;
use super::counted;
use super::fhir::{Answer, Failure, FhirJson, resource};

/// 201 when a certificate was issued, 200 when none of the entries could be; each entry has its
/// own status.
pub(super) async fn submit_health_event(
    State(application): State<Application>,
    caller: Option<Caller>,
    in_flight: InFlight,
    FhirJson(batch): FhirJson,
) -> Answer {
    expect_bundle(&batch)?;
    let generation = application.generation_for(caller.as_ref());
    let submitted = in_flight.finish(async move { generation.submit_health_event(batch).await });
    let response = submitted.await?;
    let mut is_created = false;
    for entry in response["entry"].as_array().into_iter().flatten() {
        let answered = &entry["response"];
        is_created |= answered.get("location").is_some();
        counted::entry(answered["status"].as_str().unwrap_or_default());
    }
    let status = if is_created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(resource(status, &response))
}

fn expect_bundle(batch: &Value) -> Result<(), Failure> {
    let (status, code, text) = match batch.get("resourceType").and_then(Value::as_str) {
        Some("Bundle") => return Ok(()),
        Some(_) => (
            StatusCode::UNPROCESSABLE_ENTITY,
            IssueType::Value,
            "Submit Health Event takes a Bundle of type batch",
        ),
        None => (
            StatusCode::BAD_REQUEST,
            IssueType::Structure,
            "this is no FHIR resource: it has no resourceType",
        ),
    };
    Err(Failure::new(
        status,
        Issue::error(code, "resourceType", text),
    ))
}
