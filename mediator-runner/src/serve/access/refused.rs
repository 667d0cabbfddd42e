use axum::response::Response;
use http::StatusCode;
use mediator_core::authentication::AccessRefusal;
use mediator_ddcc::operation_outcome::{Issue, IssueType, OperationOutcome};

use super::super::fhir::resource;

/// A refusal as an OperationOutcome.
pub(super) fn answer(refusal: &AccessRefusal) -> Response {
    let status = refusal.status();
    let code = match (refusal, status) {
        (AccessRefusal::Token(mediator_core::authentication::TokenError::Expired), _) => {
            IssueType::Expired
        }
        (_, StatusCode::UNAUTHORIZED) => IssueType::Login,
        (_, StatusCode::FORBIDDEN) => IssueType::Forbidden,
        (_, StatusCode::TOO_MANY_REQUESTS) => IssueType::Throttled,
        (_, StatusCode::SERVICE_UNAVAILABLE) => IssueType::Transient,
        _ => IssueType::Structure,
    };
    let issue = Issue::general(code, refusal.to_string());
    resource(
        status,
        &OperationOutcome::new(status.as_u16(), issue).to_resource(),
    )
}
