//! `POST [base]/QuestionnaireResponse/$generateHealthCertificate`.

use std::sync::Arc;

use axum::extract::State;
use http::header::CONTENT_LOCATION;
use http::{HeaderValue, StatusCode};
use mediator_core::authentication::Caller;
use mediator_core::server::InFlight;
use mediator_ddcc::request;

use super::application::Application;
use super::counted;
use super::fhir::{Answer, FhirJson, resource_text};

/// 200 with the signed document; `Content-Location` says where it is kept.
pub(super) async fn generate_health_certificate(
    State(application): State<Application>,
    caller: Option<Caller>,
    in_flight: InFlight,
    FhirJson(input): FhirJson,
) -> Answer {
    let response = request::questionnaire_response(input)?;
    let generation = application.generation_for(caller.as_ref());
    let generated =
        in_flight.finish(async move { generation.generate_health_certificate(response).await });
    let generated = generated.await;
    let status = generated
        .as_ref()
        .map_or_else(|outcome| outcome.status, |_| 201);
    counted::event(status);
    let certificate = generated?;
    let mut answer = resource_text(StatusCode::OK, Arc::clone(&certificate.document_text));
    let location = application
        .generation()
        .location_of(certificate.document_id);
    if let Ok(location) = HeaderValue::try_from(location) {
        answer.headers_mut().insert(CONTENT_LOCATION, location);
    }
    Ok(answer)
}
