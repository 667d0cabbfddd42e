//! `POST [base]`: Submit Health Event.

use axum::extract::State;
use http::StatusCode;
use mediator_core::authentication::Caller;
use mediator_core::server::InFlight;
use mediator_ddcc::operation_outcome::{Issue, IssueType};
use serde_json::Value;

use super::application::Application;
use super::counted;
use super::fhir::{Answer, Failure, FhirJson, resource_pieces};

/// 201 when a certificate was issued, 200 when none of the entries could be; each entry has its
/// own status.
pub(super) async fn submit_health_event(
    State(application): State<Application>,
    caller: Option<Caller>,
    in_flight: InFlight,
    FhirJson(batch): FhirJson,
) -> Answer {
    expect_bundle(&batch)?;
    expect_entries(&batch, application.maximum_batch_entries)?;
    let generation = application.generation_for(caller.as_ref());
    let submitted = in_flight.finish(async move { generation.submit_health_event(batch).await });
    let response = submitted.await?;
    response.statuses().for_each(counted::event);
    let is_created = response.statuses().any(|status| status == 201);
    let status = if is_created {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    };
    Ok(resource_pieces(status, response.into_pieces().collect()))
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

/// The answer has a document for each entry, and is held until all are issued.
fn expect_entries(batch: &Value, most: usize) -> Result<(), Failure> {
    let entries = batch.get("entry").and_then(Value::as_array);
    if entries.is_none_or(|entries| entries.len() <= most) {
        return Ok(());
    }
    let text = format!("a batch has {most} entries at most; send the others in another one");
    Err(Failure::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        Issue::error(IssueType::TooLong, "Bundle.entry", text),
    ))
}
