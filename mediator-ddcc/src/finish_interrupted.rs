//! Events that were accepted and not issued: after a crash, or while a back end was away.

use crate::accepted_request::AcceptedRequest;
use crate::generation_service::GenerationService;
use crate::ledger;
use crate::operation_outcome::OperationOutcome;

impl GenerationService {
    /// Issues what was accepted and then interrupted; returns how many are issued now. Processes
    /// that do so at the same time share the work.
    ///
    /// # Errors
    /// 503 when the ledger cannot be asked. Events that fail again stay in the ledger, and the
    /// log says why.
    pub async fn finish_interrupted(&self) -> Result<usize, OperationOutcome> {
        const AT_ONCE: u32 = 32;
        let mut finished = 0;
        let mut last: Option<ledger::Event> = None;
        loop {
            let mut claimed = self.ports.ledger.claim(last.as_ref(), AT_ONCE).await?;
            let Some(event) = claimed.last() else {
                return Ok(finished);
            };
            last = Some(ledger::Event {
                request: String::new(),
                ..event.clone()
            });
            claimed.retain(|event| !self.in_work.contains(event.id));
            for event in claimed {
                finished += usize::from(self.finish(event).await);
            }
        }
    }

    /// Whether the event is issued now.
    async fn finish(&self, event: ledger::Event) -> bool {
        let AcceptedRequest {
            response,
            requester,
        } = match AcceptedRequest::read(&event.request) {
            Ok(request) => request,
            Err(error) => {
                tracing::error!(event = %event.id, "what was accepted cannot be read: {error}");
                self.release(event.id).await;
                return false;
            }
        };
        let service = self.on_behalf_of(requester);
        let outcome = match service.generate_health_certificate(response).await {
            Ok(_) => return true,
            Err(outcome) => outcome,
        };
        tracing::warn!(event = %event.id, status = outcome.status, "an accepted event is still not issued: {}", outcome.summary());
        self.release(event.id).await;
        false
    }
}
