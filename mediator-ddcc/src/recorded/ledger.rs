use async_trait::async_trait;
use uuid::Uuid;

use super::{Call, Recorded};
use crate::ledger::{Event, EventKey, Ledger, LedgerError};

fn call(name: &'static str, method: &'static str, path: String) -> Call {
    Call {
        port: "ledger",
        name,
        group: "Ledger",
        method,
        path,
        query: None,
    }
}

#[async_trait]
impl<P: Ledger> Ledger for Recorded<P> {
    async fn accept(
        &self,
        key: &EventKey,
        content_hash: &str,
        request: &str,
    ) -> Result<(Event, bool), LedgerError> {
        call("Accept event", "POST", "/events".to_owned())
            .record(
                &self.told,
                self.part.accept(key, content_hash, request),
                |_| None,
            )
            .await
    }

    async fn issued(&self, id: Uuid, document_id: &str) -> Result<(), LedgerError> {
        call("Mark event as issued", "PUT", format!("/events/{id}"))
            .record(&self.told, self.part.issued(id, document_id), |_| None)
            .await
    }

    async fn refused(&self, id: Uuid) -> Result<(), LedgerError> {
        call("Forget event", "DELETE", format!("/events/{id}"))
            .record(&self.told, self.part.refused(id), |_| None)
            .await
    }

    async fn released(&self, id: Uuid) -> Result<(), LedgerError> {
        call("Give event back", "PUT", format!("/events/{id}"))
            .record(&self.told, self.part.released(id), |_| None)
            .await
    }

    async fn claim(&self, after: Option<&Event>, limit: u32) -> Result<Vec<Event>, LedgerError> {
        call("Claim unfinished events", "POST", "/events".to_owned())
            .record(&self.told, self.part.claim(after, limit), |_| None)
            .await
    }

    async fn unfinished(&self, limit: u32) -> Result<Vec<Event>, LedgerError> {
        call("Look for unfinished events", "GET", "/events".to_owned())
            .record(&self.told, self.part.unfinished(limit), |_| None)
            .await
    }
}
