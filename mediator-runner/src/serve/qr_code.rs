//! `GET [base]/DocumentReference/{id}/$getQRCode`: a code's image itself.

use std::sync::Arc;

use axum::extract::State;
use axum::response::IntoResponse as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use mediator_ddcc::audit_event::Interaction;
use mediator_ddcc::codes::IssuedCode;
use mediator_ddcc::document::codes::read_reference;
use mediator_ddcc::operation_outcome::{Issue, IssueType};
use serde_json::json;

use super::application::Application;
use super::disclosure_audit::Reader;
use super::fhir::{
    Answer, Failure, JSON_NAMES, ResourceId, Wanted, not_acceptable, not_found,
    off_the_async_threads, resource,
};
use super::media_type::Offer;

#[derive(Debug, Clone, Copy)]
enum Form {
    Png,
    Svg,
    /// A Binary, as FHIR clients ask for by habit.
    Resource,
}

const FORMS: [Offer<Form>; 3] = [
    Offer {
        names: &["image/png", "png"],
        value: Form::Png,
    },
    Offer {
        names: &["image/svg+xml", "svg"],
        value: Form::Svg,
    },
    Offer {
        names: JSON_NAMES,
        value: Form::Resource,
    },
];

pub(super) async fn get_qr_code(
    State(application): State<Application>,
    reader: Reader,
    ResourceId(id): ResourceId,
    wanted: Wanted,
) -> Answer {
    let Some(form) = wanted.choose(&FORMS) else {
        return Ok(not_acceptable(
            "a QR code is image/png, image/svg+xml or, as a Binary, application/fhir+json",
        ));
    };
    let repository = Arc::clone(&application.generation().ports().repository);
    let reference = repository
        .read("DocumentReference", &id)
        .await
        .map_err(|error| Failure(error.into()))?
        .ok_or_else(not_found)?;
    let code = read_reference(&reference).ok_or_else(|| {
        Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Issue::error(
                IssueType::NotSupported,
                "DocumentReference.type",
                "this DocumentReference is not about a QR code",
            ),
        )
    })?;
    let given = vec![format!("DocumentReference/{id}")];
    let how = Interaction::Operation("getQRCode");
    reader.was_given(how, given, Vec::new()).await;
    let image = |media_type: &'static str, bytes: Vec<u8>| {
        let headers = [(CONTENT_TYPE, media_type), (CACHE_CONTROL, "no-store")];
        (headers, bytes).into_response()
    };
    Ok(match form {
        Form::Png => image("image/png", code.png),
        Form::Resource => resource(
            StatusCode::OK,
            &json!({
                "resourceType": "Binary",
                "contentType": "image/png",
                "data": STANDARD.encode(&code.png),
            }),
        ),
        Form::Svg => {
            let drawn = off_the_async_threads(move || IssuedCode::new(code.form, code.text));
            let drawn = drawn.await?.map_err(|error| {
                Failure::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    Issue::general(IssueType::Exception, error.to_string()),
                )
            })?;
            image("image/svg+xml", drawn.qr_code.svg().into())
        }
    })
}
