//! What the embedded parts do for a transaction, told to OpenHIM as the calls that they stand for.
//!
//! Parts that call other servers record those calls themselves
//! ([`RecordingClient`](mediator_core::transaction::RecordingClient)); these make none. No body is
//! recorded, and of a search only the names of its parameters: both are about persons.

mod ledger;
mod repository;
mod signer;
mod transformer;

use std::fmt::Display;
use std::sync::Arc;

use http::StatusCode;
use mediator_core::envelope::{
    ErrorDetails, Orchestration, RecordedRequest, RecordedResponse, Timestamp,
};
use mediator_core::transaction::Transaction;

use crate::ledger::Ledger;
use crate::repository::FhirRepository;
use crate::signing::Signer;
use crate::transformer::Transformer;

/// A port whose calls are recorded.
struct Recorded<P>(P);

/// A transformer that works in this process, recorded in the transaction of OpenHIM that it is
/// called in.
#[must_use]
pub fn transformer(embedded: impl Transformer + 'static) -> Arc<dyn Transformer> {
    Arc::new(Recorded(embedded))
}

/// A repository in this process, likewise.
#[must_use]
pub fn repository(embedded: impl FhirRepository + 'static) -> Arc<dyn FhirRepository> {
    Arc::new(Recorded(embedded))
}

/// A signer that calls no other server, likewise.
#[must_use]
pub fn signer(embedded: impl Signer + 'static) -> Arc<dyn Signer> {
    Arc::new(Recorded(embedded))
}

/// A ledger, likewise: databases are not called over HTTP, so their calls are told from here.
#[must_use]
pub fn ledger(embedded: impl Ledger + 'static) -> Arc<dyn Ledger> {
    Arc::new(Recorded(embedded))
}

/// A call in the making.
struct Call {
    name: &'static str,
    group: &'static str,
    method: &'static str,
    path: String,
    query: Option<String>,
}

impl Call {
    /// Does the work and records it with the HTTP status that it would have had.
    async fn record<T, E: Display>(
        self,
        work: impl Future<Output = Result<T, E>>,
        refused: impl FnOnce(&E) -> Option<StatusCode>,
    ) -> Result<T, E> {
        let Some(transaction) = Transaction::current() else {
            return work.await;
        };
        let mut request = RecordedRequest::new(Timestamp::now())
            .host("embedded", None)
            .method(self.method)
            .path(self.path);
        if let Some(query) = self.query {
            request = request.querystring(query);
        }
        let result = work.await;
        let orchestration = Orchestration::new(self.name, request).group(self.group);
        let answered = |status| RecordedResponse::new(status, Timestamp::now());
        transaction.record(match &result {
            Ok(_) => orchestration.response(answered(StatusCode::OK)),
            Err(error) => match refused(error) {
                Some(status) => orchestration.response(answered(status)),
                None => orchestration
                    .response(answered(StatusCode::SERVICE_UNAVAILABLE))
                    .error(ErrorDetails::new(error.to_string())),
            },
        });
        result
    }
}
