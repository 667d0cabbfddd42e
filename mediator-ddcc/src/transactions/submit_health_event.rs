//! Submit Health Event: a `batch` Bundle of events becomes a `batch-response` of certificates,
//! entry by entry and in order. One that fails leaves the others alone.

use futures::StreamExt as _;
use serde_json::Value;

use crate::generation_service::GenerationService;
use crate::operation_outcome::OperationOutcome;
use crate::request;
use crate::transactions::batch_response::{BatchEntry, BatchResponse};

/// Entries of a batch that are worked on at the same time.
const AT_A_TIME: usize = 16;

impl GenerationService {
    /// Certifies every entry of a batch and returns the `batch-response`: for each entry a status,
    /// and the signed document with its location or an OperationOutcome.
    ///
    /// # Errors
    /// 400 or 422 when the Bundle as a whole cannot be processed; nothing was issued then.
    pub async fn submit_health_event(
        &self,
        batch: Value,
    ) -> Result<BatchResponse, OperationOutcome> {
        let entries = request::batch_entries(batch)?;
        let issued = futures::stream::iter(entries)
            .map(|submission| async move { self.examine(submission?).await })
            .buffered(AT_A_TIME)
            .map(|event| {
                // The place in the holder's queue is taken here, in the order of the entries.
                let issuing = event.map(|event| self.issue(event));
                async move { issuing?.await }
            })
            .buffered(AT_A_TIME)
            .map(|issued| BatchEntry::of(self, issued))
            .collect();
        Ok(BatchResponse::new(issued.await))
    }
}
