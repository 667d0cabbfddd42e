//! Submit Health Event: a `batch` Bundle of events becomes a `batch-response` of certificates,
//! entry by entry and in order. One that fails leaves the others alone.

use futures::StreamExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::generation_service::GenerationService;
use crate::operation_outcome::OperationOutcome;
use crate::request;
use crate::transactions::HealthCertificate;

/// Entries of a batch that are worked on at the same time.
const AT_A_TIME: usize = 16;

impl GenerationService {
    /// Certifies every entry of a batch and returns the `batch-response`: for each entry a status,
    /// and the signed document with its location or an OperationOutcome.
    ///
    /// # Errors
    /// 400 or 422 when the Bundle as a whole cannot be processed; nothing was issued then.
    pub async fn submit_health_event(&self, batch: Value) -> Result<Value, OperationOutcome> {
        let entries = request::batch_entries(batch)?;
        let responses: Vec<Value> = futures::stream::iter(entries)
            .map(|submission| async move { self.examine(submission?).await })
            .buffered(AT_A_TIME)
            .map(|event| {
                // The place in the holder's queue is taken here, in the order of the entries.
                let issuing = event.map(|event| self.issue(event));
                async move { issuing?.await }
            })
            .buffered(AT_A_TIME)
            .map(|result| match result {
                Ok(certificate) => self.entry_of(certificate),
                Err(outcome) => json!({
                    "response": {"status": outcome.status.to_string(), "outcome": outcome.to_resource()},
                }),
            })
            .collect()
            .await;
        Ok(json!({
            "resourceType": "Bundle",
            "type": "batch-response",
            "identifier": {"system": "urn:ietf:rfc:3986", "value": format!("urn:uuid:{}", Uuid::new_v4())},
            "entry": responses,
        }))
    }

    fn entry_of(&self, certificate: HealthCertificate) -> Value {
        let location = self.location_of(certificate.document_id);
        let mut response = json!({"status": "201", "location": location});
        let issues = certificate.notes();
        if !issues.is_empty() {
            response["outcome"] = OperationOutcome {
                status: 200,
                issues,
            }
            .to_resource();
        }
        json!({"fullUrl": location, "resource": certificate.document, "response": response})
    }
}
