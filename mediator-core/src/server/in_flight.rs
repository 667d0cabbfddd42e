use std::convert::Infallible;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Instrument as _;

use crate::transaction::Transaction;

/// Extractor: this request as part of what the server is working on.
///
/// A handler is dropped when its client hangs up or its time is over. Work that must not stop in
/// the middle goes through [`InFlight::finish`], which counts as in flight, for the limit of
/// concurrent requests and for a graceful shutdown, until it really ends.
///
/// ```
/// # use mediator_core::server::InFlight;
/// # async fn issue() -> String { String::new() }
/// async fn handler(in_flight: InFlight) -> String {
///     in_flight.finish(issue()).await
/// }
/// ```
#[derive(Debug, Clone, Default)]
pub struct InFlight(
    #[expect(dead_code, reason = "held, and given back when dropped")]
    Option<Arc<OwnedSemaphorePermit>>,
);

impl InFlight {
    pub(super) fn new(permit: OwnedSemaphorePermit) -> Self {
        Self(Some(Arc::new(permit)))
    }

    /// Runs `work` to its end, also when the future that this returns is dropped. A panic in the
    /// work is one here.
    pub async fn finish<F>(self, work: F) -> F::Output
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = tokio::spawn(
            Transaction::carry(async move {
                let output = work.await;
                drop(self);
                output
            })
            .in_current_span(),
        );
        match task.await {
            Ok(output) => output,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => resume_unwind(panic),
                // Only the end of the runtime cancels the task, and that ends this one too.
                Err(_) => std::future::pending().await,
            },
        }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for InFlight {
    type Rejection = Infallible;

    /// In a router that no [`Server`](super::Server) serves, nothing is counted.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or(Self(None)))
    }
}
