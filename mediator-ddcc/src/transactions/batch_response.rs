use std::sync::Arc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::generation_service::GenerationService;
use crate::json_text::json_text;
use crate::operation_outcome::OperationOutcome;
use crate::transactions::HealthCertificate;

/// A `batch-response` Bundle: what became of each event, in the order of the batch.
///
/// A signed document may have a hundred kilobytes and is shared with whoever stores it, so the
/// Bundle is written in [pieces](Self::into_pieces) and never held as one text.
pub struct BatchResponse {
    entries: Vec<BatchEntry>,
}

pub(super) struct BatchEntry {
    /// Where the signed document is kept, and its JSON text.
    document: Option<(String, Arc<str>)>,
    /// `Bundle.entry.response`.
    response: Value,
    status: u16,
}

impl BatchEntry {
    /// What is kept of a certificate is its text alone.
    pub(super) fn of(
        service: &GenerationService,
        issued: Result<HealthCertificate, OperationOutcome>,
    ) -> Self {
        let certificate = match issued {
            Ok(certificate) => certificate,
            Err(outcome) => {
                let status = outcome.status;
                return Self {
                    document: None,
                    response: json!({"status": status.to_string(), "outcome": outcome.to_resource()}),
                    status,
                };
            }
        };
        let location = service.location_of(certificate.document_id);
        let mut response = json!({"status": "201", "location": location});
        let issues = certificate.notes();
        if !issues.is_empty() {
            response["outcome"] = OperationOutcome {
                status: 200,
                issues,
            }
            .to_resource();
        }
        Self {
            document: Some((location, certificate.document_text)),
            response,
            status: 201,
        }
    }

    fn into_pieces(self) -> impl Iterator<Item = Arc<str>> {
        let response = json_text(&self.response);
        let [before, document, after] = match self.document {
            Some((location, document)) => {
                let location = json_text(&location.into());
                [
                    Some(format!("{{\"fullUrl\":{location},\"resource\":").into()),
                    Some(document),
                    Some(format!(",\"response\":{response}}}").into()),
                ]
            }
            None => [
                Some(format!("{{\"response\":{response}}}").into()),
                None,
                None,
            ],
        };
        [before, document, after].into_iter().flatten()
    }
}

impl BatchResponse {
    pub(super) fn new(entries: Vec<BatchEntry>) -> Self {
        Self { entries }
    }

    /// The HTTP status of each event; 201 for one that was certified.
    pub fn statuses(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().map(|entry| entry.status)
    }

    /// The Bundle's JSON text in pieces, to be sent one after the other.
    pub fn into_pieces(self) -> impl Iterator<Item = Arc<str>> {
        let head = format!(
            "{{\"resourceType\":\"Bundle\",\"type\":\"batch-response\",\
             \"identifier\":{{\"system\":\"urn:ietf:rfc:3986\",\"value\":\"urn:uuid:{}\"}},\"entry\":[",
            Uuid::new_v4()
        );
        let entries = self.entries.into_iter().enumerate();
        let entries = entries.flat_map(|(index, entry)| {
            let comma = (index > 0).then(|| Arc::from(","));
            comma.into_iter().chain(entry.into_pieces())
        });
        std::iter::once(Arc::from(head))
            .chain(entries)
            .chain(std::iter::once(Arc::from("]}")))
    }
}
