use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use futures::FutureExt as _;
use http::StatusCode;
use http_body_util::{BodyExt as _, Limited};
use tracing::Instrument as _;

use super::answer::{drop_hop_by_hop, transaction_status};
use super::delivery::{Completion, TransactionStore, deliver};
use super::handler_error::{HandlerError, Retry};
use super::recorded_body::{Recordable, recorded_body};
use super::redaction::Redaction;
use super::{Transaction, TransactionId};
use crate::envelope::{RecordedResponse, Timestamp};

/// The answer to a request that will be finished later: 202, and what it is given.
#[derive(Debug)]
#[must_use = "it is the answer"]
pub struct Accepted {
    answer: Response,
}

/// Marks an answer as an accepted one.
#[derive(Debug, Clone, Copy)]
pub(super) struct IsAccepted;

impl Accepted {
    /// With these headers and this body, such as where to ask how far it is.
    pub fn answered_with(mut self, answer: impl IntoResponse) -> Self {
        self.answer = answer.into_response();
        self
    }
}

impl IntoResponse for Accepted {
    fn into_response(self) -> Response {
        let mut response = self.answer;
        *response.status_mut() = StatusCode::ACCEPTED;
        response.extensions_mut().insert(IsAccepted);
        response
    }
}

impl Transaction {
    /// Answers now, and finishes later.
    ///
    /// `work` gets the transaction that its calls and properties belong to, and counts as running
    /// until OpenHIM knows how it ended: a graceful shutdown waits for it. Status, answer, calls
    /// and properties then go to core with `PUT /transactions/:id`, again and again for
    /// [`delivery_time`](super::TransactionSettings::delivery_time). Until then the transaction
    /// is `Pending Async`, for which its channel must have `isAsynchronousProcess`; see
    /// [`has_asynchronous_channels`](super::TransactionSettings::has_asynchronous_channels). What
    /// core cannot be told is logged as an error, with the transaction's id.
    ///
    /// The process can end earlier. Work that must survive that belongs into a database first.
    ///
    /// ```
    /// # use mediator_core::transaction::{Accepted, HandlerError, Transaction};
    /// # async fn print(_: &Transaction) -> Result<String, HandlerError> { Ok(String::new()) }
    /// async fn handler(transaction: Transaction) -> Result<Accepted, HandlerError> {
    ///     transaction.accept(|transaction| async move { print(&transaction).await })
    /// }
    /// ```
    ///
    /// # Errors
    /// 500 when the request comes from OpenHIM and the
    /// [layer](super::TransactionLayer::completed_through) was given no way to complete it.
    pub fn accept<W, F, R>(&self, work: W) -> Result<Accepted, HandlerError>
    where
        W: FnOnce(Transaction) -> F,
        F: Future<Output = Result<R, HandlerError>> + Send + 'static,
        R: IntoResponse,
    {
        let destination = match (self.id(), self.store()) {
            (Some(id), Some(store)) => Some((id.clone(), Arc::clone(store))),
            (Some(_), None) if self.is_recorded() => {
                return Err(HandlerError::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "this mediator cannot finish work later: it has no user of OpenHIM's API",
                ));
            }
            _ => None,
        };
        let later = self.continued(destination.is_some());
        let work = work(later.clone());
        let span = tracing::info_span!(
            "accepted work",
            transaction = self.id().map(TransactionId::as_str)
        );
        let unfinished = Unfinished(destination.as_ref().map(|(id, _)| id.clone()));
        let finish = async move {
            let work = AssertUnwindSafe(work).catch_unwind();
            let response = response_of(later.clone().scope(work).await);
            if let Some((id, store)) = destination {
                let completion = completion(&later, response).await;
                later.deliver(&*store, &id, &completion).await;
            }
            unfinished.end();
        };
        tokio::spawn(finish.instrument(span));
        Ok(Accepted {
            answer: StatusCode::ACCEPTED.into_response(),
        })
    }

    /// Tells core, and the log if that was not possible.
    pub(super) async fn deliver(
        &self,
        store: &dyn TransactionStore,
        id: &TransactionId,
        completion: &Completion,
    ) {
        let time = self.settings().delivery_time;
        if let Err(error) = deliver(store, id, completion, time).await {
            tracing::error!(
                transaction = %id,
                status = %completion.status,
                %error,
                "OpenHIM does not know how a transaction ended"
            );
        }
    }
}

fn response_of<R: IntoResponse>(
    result: Result<Result<R, HandlerError>, Box<dyn Any + Send>>,
) -> Response {
    match result {
        Ok(Ok(answer)) => answer.into_response(),
        Ok(Err(error)) => error.into_response(),
        Err(_panic) => HandlerError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the accepted work failed for a reason that is not yours",
        )
        .into_response(),
    }
}

async fn completion(transaction: &Transaction, response: Response) -> Completion {
    let settings = transaction.settings();
    let limit = settings.maximum_envelope_body_bytes;
    let (mut parts, body) = response.into_parts();
    let body = Limited::new(body, settings.maximum_call_body_bytes);
    let body = match body.collect().await {
        Ok(body) => {
            let bytes = body.to_bytes();
            let nothing = Redaction::none();
            recorded_body(&parts.headers, Recordable::Shared(&bytes), limit, &nothing)
        }
        Err(error) => {
            tracing::error!(%error, "the answer of accepted work broke off or is too long");
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
            "the answer broke off or is too long".into()
        }
    };
    drop_hop_by_hop(&mut parts.headers);
    let outcome = transaction.close().unwrap_or_default();
    Completion {
        status: transaction_status(parts.status, outcome.has_failures),
        response: Some(
            RecordedResponse::new(parts.status, Timestamp::now())
                .headers(parts.headers)
                .body(body),
        ),
        outcome,
        error: parts.extensions.remove::<Retry>().map(|Retry(error)| error),
    }
}

/// Tells the log when what core has to be told is dropped, as the end of the process does.
pub(super) struct Unfinished(pub(super) Option<TransactionId>);

impl Unfinished {
    pub(super) fn end(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(id) = &self.0 {
            tracing::error!(transaction = %id, "OpenHIM is not told how a transaction ended: the process ends before");
        }
    }
}
