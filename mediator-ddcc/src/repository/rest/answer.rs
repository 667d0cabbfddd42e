//! What an answer of the server means.

use mediator_core::back_end::{BackEndAnswer, BackEndError};
use serde_json::Value;

use super::super::RepositoryError;
use super::cause;
use crate::strict_json;

/// The resource in an answer.
///
/// # Errors
/// [`RepositoryError::Unreadable`] when it is something else.
pub(super) fn resource(
    answer: &BackEndAnswer,
    resource_type: &str,
) -> Result<Value, RepositoryError> {
    let unreadable = |found: &str| {
        RepositoryError::Unreadable(format!(
            "a {resource_type} was asked for, and {found} came; is its address that of the FHIR \
             API, and not of something in front of it?"
        ))
    };
    let value = strict_json::parse(&answer.body).map_err(|_| unreadable("no JSON"))?;
    match value.get("resourceType").and_then(Value::as_str) {
        Some(found) if found == resource_type => Ok(value),
        // A resource type is not about anybody.
        Some(found) if super::is_type(found) => Err(unreadable(&format!("a {found}"))),
        _ => Err(unreadable("no FHIR resource")),
    }
}

/// There is no such resource (404), or none any more (410). A 404 that is not FHIR is of a wrong
/// address.
pub(super) fn is_absent(answer: &BackEndAnswer) -> bool {
    match answer.status.as_u16() {
        410 => true,
        404 => answer.body.is_empty() || strict_json::parse(&answer.body).is_ok(),
        _ => false,
    }
}

/// Why the server did not do as asked. `sent` are the texts of the request that are about persons:
/// the server's words are passed on without them.
pub(super) fn failure(answer: &BackEndAnswer, sent: &[&str]) -> RepositoryError {
    let status = answer.status.as_u16();
    let cause = match cause::of(&answer.body, sent) {
        Some(cause) => format!("it answered {status}: {cause}"),
        None => format!("it answered {status} without an OperationOutcome"),
    };
    match status {
        403 => RepositoryError::NotPermitted(format!(
            "{cause}; may its user read, create, update and search?"
        )),
        404 | 405 => RepositoryError::Refused(format!(
            "{cause}; is its address that of the FHIR API, and does it have what was asked for?"
        )),
        408 | 429 | 500..=599 => RepositoryError::Unavailable(cause),
        _ => RepositoryError::Refused(cause),
    }
}

impl From<BackEndError> for RepositoryError {
    fn from(error: BackEndError) -> Self {
        let text = error.to_string();
        match error {
            BackEndError::NotAuthenticated { .. } => Self::NotPermitted(text),
            BackEndError::AnswerTooLarge { .. } | BackEndError::NotUnderstood { .. } => {
                Self::Unreadable(text)
            }
            BackEndError::Request { .. } => Self::Refused(text),
            _ => Self::Unavailable(text),
        }
    }
}
