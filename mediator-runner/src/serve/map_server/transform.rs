//! `POST /fhir/StructureMap/$transform`, as Matchbox and as FHIR R5 have it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};
use mediator_ddcc::transformer::EngineError;

use super::super::fhir::{
    Answer, Failure, FhirJson, JSON_NAMES, SearchParameters, Wanted, not_acceptable,
    off_the_async_threads, resource,
};
use super::super::media_type::Offer;
use super::MapServer;
use super::parameters::Call;

/// How many mistakes of a map are told.
const MAXIMUM_ISSUES: usize = 100;

pub(super) async fn transform(
    State(server): State<MapServer>,
    SearchParameters(query): SearchParameters,
    wanted: Wanted,
    body: Result<FhirJson, Response>,
) -> Answer {
    let json = [Offer {
        names: JSON_NAMES,
        value: (),
    }];
    if wanted.choose(&json).is_none() {
        return Ok(not_acceptable("answers are application/fhir+json"));
    }
    let body = match body {
        Ok(FhirJson(body)) => body,
        Err(refusal) => return Ok(refusal),
    };
    let call = Call::read(&query, body)?;
    let engine = server.definitions.engine();
    // Waiting costs nothing; the request's time limit ends it.
    let place = Arc::clone(&server.places).acquire_owned().await;
    let result = off_the_async_threads(move || {
        let _place = place;
        let with_map = !call.supplement.maps.is_empty();
        let result = engine.transform(call.map_url.as_deref(), &call.input, &call.supplement);
        result.map_err(|error| outcome(&error, with_map))
    });
    Ok(resource(StatusCode::OK, &result.await??))
}

/// What is wrong with a map that was sent along is the request's fault; with one that is kept, the
/// server's.
fn outcome(error: &EngineError, is_map_sent: bool) -> Failure {
    let (status, code) = match error {
        EngineError::UnknownMap(_) | EngineError::MissingImport { .. } => {
            (StatusCode::NOT_FOUND, IssueType::NotFound)
        }
        EngineError::Map(_) if is_map_sent => (StatusCode::UNPROCESSABLE_ENTITY, IssueType::Value),
        EngineError::Map(_) => (StatusCode::INTERNAL_SERVER_ERROR, IssueType::Exception),
        EngineError::Input(_) => (StatusCode::UNPROCESSABLE_ENTITY, IssueType::BusinessRule),
        EngineError::Limit(_) => (StatusCode::UNPROCESSABLE_ENTITY, IssueType::TooLong),
    };
    issues(status, code, &error.to_string())
}

/// An issue for each line.
pub(super) fn issues(status: StatusCode, code: IssueType, text: &str) -> Failure {
    let lines = text.lines().take(MAXIMUM_ISSUES);
    Failure(OperationOutcome {
        status: status.as_u16(),
        issues: lines.map(|line| Issue::general(code, line)).collect(),
    })
}
