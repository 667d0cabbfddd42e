use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use futures::FutureExt as _;
use tokio::time::{Instant, timeout_at};
use tower::{Layer, Service};
use tracing::Instrument as _;

use super::answer::answer;
use super::delivery::TransactionStore;
use super::settings::TransactionSettings;
use super::{RecordingClient, Transaction};
use crate::server::{Arrival, Refusal, Refusals};

/// Makes every request of a router a [`Transaction`], and its answer what OpenHIM understands.
///
/// The request's headers are believed: whoever reaches the mediator can name any client and any
/// transaction. Put an [`AuthenticationLayer`](crate::authentication::AuthenticationLayer) around
/// this one, which takes them out of what others than core send, or let only core reach it.
///
/// ```
/// use axum::{Router, routing::get};
/// use mediator_core::transaction::{Transaction, TransactionLayer, TransactionSettings};
///
/// async fn hello(transaction: Transaction) -> &'static str {
///     transaction.property("greeted", "1");
///     "hello"
/// }
///
/// let settings = TransactionSettings::new("urn:mediator:hello");
/// let routes: Router = Router::new()
///     .route("/hello", get(hello))
///     .layer(TransactionLayer::new(settings));
/// ```
#[derive(Debug, Clone)]
pub struct TransactionLayer {
    shared: Arc<Shared>,
}

/// What all transactions of a router have in common.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) settings: Arc<TransactionSettings>,
    pub(super) client: RecordingClient,
    pub(super) store: Option<Arc<dyn TransactionStore>>,
}

impl Shared {
    pub(super) fn new(settings: TransactionSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            client: RecordingClient::with_defaults(),
            store: None,
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl TransactionLayer {
    /// A layer with these settings.
    #[must_use]
    pub fn new(settings: TransactionSettings) -> Self {
        Self {
            shared: Arc::new(Shared::new(settings)),
        }
    }

    /// [`Transaction::client`] calls through this client.
    #[must_use]
    pub fn http(mut self, client: reqwest::Client) -> Self {
        Arc::make_mut(&mut self.shared).client = RecordingClient::new(client);
        self
    }

    /// What cannot be in an answer goes to core this way: how [accepted](Transaction::accept) work
    /// ended, and the calls of a transaction whose answer is no text or too long.
    #[must_use]
    pub fn completed_through(mut self, store: Arc<dyn TransactionStore>) -> Self {
        Arc::make_mut(&mut self.shared).store = Some(store);
        self
    }
}

impl<S> Layer<S> for TransactionLayer {
    type Service = TransactionService<S>;

    fn layer(&self, inner: S) -> TransactionService<S> {
        TransactionService {
            shared: Arc::clone(&self.shared),
            inner,
        }
    }
}

/// The service that [`TransactionLayer`] makes.
#[derive(Debug, Clone)]
pub struct TransactionService<S> {
    shared: Arc<Shared>,
    inner: S,
}

impl<S> Service<Request> for TransactionService<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone was not polled until it was ready; this one was.
        let next = self.inner.clone();
        let ready = std::mem::replace(&mut self.inner, next);
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { Ok(handle(shared, ready, request).await) })
    }
}

async fn handle<S>(shared: Arc<Shared>, mut inner: S, request: Request) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let (mut parts, body) = request.into_parts();
    let transaction = Transaction::begin(shared, &parts);
    parts.extensions.insert(transaction.clone());
    let refusals = parts
        .extensions
        .get::<Refusals>()
        .cloned()
        .unwrap_or_default();
    let arrival = parts.extensions.get::<Arc<Arrival>>().cloned();
    let span = tracing::info_span!(
        "transaction",
        id = transaction.id().map(|id| id.as_str()),
        trace = transaction.trace().trace_id()
    );
    let request = Request::from_parts(parts, body);
    let handled = async move {
        let Ok(response) = inner.call(request).await;
        response
    };
    let handled = transaction.clone().scope(handled).instrument(span);
    if !transaction.is_recorded() {
        return handled.await;
    }
    let begun = Instant::now();
    let deadline = transaction.handler_ends_at();
    let caught = AssertUnwindSafe(handled).catch_unwind();
    let caught = match deadline {
        Some(deadline) => timeout_at(deadline, caught).await,
        None => Ok(caught.await),
    };
    let response = match caught {
        Ok(Ok(response)) => response,
        Ok(Err(_panic)) => refusals.answer(&Refusal::Panicked),
        Err(_) => {
            let limit = begun.elapsed();
            refusals.answer(&match arrival {
                Some(arrival) if arrival.is_awaited() => Refusal::BodyTooSlow { limit },
                _ => Refusal::TimedOut { limit },
            })
        }
    };
    answer(&transaction, response).await
}
