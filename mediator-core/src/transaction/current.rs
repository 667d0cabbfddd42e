use std::convert::Infallible;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::time::Instant;
use tracing::Span;

use super::RecordingClient;
use super::delivery::TransactionStore;
use super::identity::{Identity, TransactionId};
use super::layer::Shared;
use super::recording::{Outcome, Recording};
use super::settings::{EnvelopeMode, TransactionSettings};
use super::trace_context::{TRACESTATE, TraceContext};
use crate::envelope::Orchestration;
use crate::server::{InFlight, RequestDeadline};
use crate::telemetry;

tokio::task_local! {
    static CURRENT: Transaction;
}

static OUTSIDE: LazyLock<Arc<Shared>> =
    LazyLock::new(|| Arc::new(Shared::new(TransactionSettings::new(""))));

/// Extractor: the request as one step of what OpenHIM knows as a transaction. Cheap to clone.
///
/// Needs a [`TransactionLayer`](super::TransactionLayer) around the routes. In a router without
/// one, and in requests that do not come from OpenHIM, everything works and nothing is recorded.
#[derive(Debug, Clone)]
pub struct Transaction {
    inner: Arc<Inner>,
    deadline: Option<Deadline>,
}

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    identity: Arc<Identity>,
    trace: TraceContext,
    trace_state: Option<HeaderValue>,
    in_flight: InFlight,
    recording: Option<Recording>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Instant,
    margin: Duration,
}

impl Transaction {
    pub(super) fn begin(shared: Arc<Shared>, parts: &Parts) -> Self {
        let settings = &shared.settings;
        let identity = Identity::of(&parts.headers);
        let is_recorded = match settings.envelope {
            EnvelopeMode::Always => true,
            EnvelopeMode::Never => false,
            EnvelopeMode::WhenCalledByOpenHim => identity.transaction_id.is_some(),
        };
        let recording = is_recorded.then(|| settings.recording());
        let deadline = parts
            .extensions
            .get::<RequestDeadline>()
            .and_then(RequestDeadline::at)
            .map(|at| {
                let left = at.saturating_duration_since(Instant::now());
                Deadline {
                    at,
                    margin: settings.answer_margin.min(left / 10),
                }
            });
        Self {
            inner: Arc::new(Inner {
                identity: Arc::new(identity),
                trace: trace_of(&parts.headers),
                trace_state: parts.headers.get(TRACESTATE).cloned(),
                in_flight: parts
                    .extensions
                    .get::<InFlight>()
                    .cloned()
                    .unwrap_or_default(),
                recording,
                shared,
            }),
            deadline,
        }
    }

    /// The transaction that the running code belongs to: inside a handler, and inside what
    /// [`Transaction::carry`] and [`InFlight::finish`](crate::server::InFlight::finish) run.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Self::clone).ok()
    }

    /// `work`, with the current transaction also where another task runs it. It can outlive the
    /// request, and so has no deadline; what it does after the answer is not recorded, and a
    /// shutdown waits for it.
    ///
    /// ```
    /// # use mediator_core::transaction::Transaction;
    /// # async fn notify() {}
    /// # async fn example() {
    /// tokio::spawn(Transaction::carry(notify()));
    /// # }
    /// ```
    pub fn carry<F: Future>(work: F) -> impl Future<Output = F::Output> {
        let current = Self::current();
        async move {
            match current {
                Some(mut transaction) => {
                    transaction.deadline = None;
                    transaction.scope(work).await
                }
                None => work.await,
            }
        }
    }

    pub(super) fn scope<F: Future>(self, work: F) -> impl Future<Output = F::Output> {
        CURRENT.scope(self, work)
    }

    /// Id of the transaction; `None` when the request does not come from OpenHIM.
    #[must_use]
    pub fn id(&self) -> Option<&TransactionId> {
        self.inner.identity.transaction_id.as_ref()
    }

    /// The client of OpenHIM that made the request, as core authenticated it: its client id.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        let client_id = self.inner.identity.client_id.as_ref();
        client_id.and_then(|value| value.to_str().ok())
    }

    /// `X-Forwarded-For`: where the request came from, the client first.
    #[must_use]
    pub fn forwarded_for(&self) -> Option<&str> {
        let forwarded_for = self.inner.identity.forwarded_for.as_ref();
        forwarded_for.and_then(|value| value.to_str().ok())
    }

    /// The moment when the server gives the request up, if a [`Server`](crate::server::Server)
    /// serves it.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.deadline.map(|deadline| deadline.at)
    }

    /// Where this request belongs in a distributed trace.
    #[must_use]
    pub fn trace(&self) -> TraceContext {
        self.inner.trace
    }

    /// A client whose calls are recorded here.
    #[must_use]
    pub fn client(&self) -> RecordingClient {
        let client = self.inner.shared.client.clone();
        client.for_transaction(self.clone())
    }

    /// Records a call that is not made with a [`RecordingClient`]: to a database, a queue, a
    /// device. Failed if it has an error or a response of 500 and more.
    pub fn record(&self, orchestration: Orchestration) {
        if let Some(recording) = &self.inner.recording {
            recording.add(orchestration);
        }
    }

    /// Shows a value beside the transaction in OpenHIM, by which it can also be found. Nothing
    /// personal: everyone who sees the list of transactions sees it.
    pub fn property(&self, name: &str, value: impl Into<String>) {
        if let Some(recording) = &self.inner.recording {
            recording.set_property(name, value.into());
        }
    }

    /// Whether what is recorded reaches OpenHIM.
    #[must_use]
    pub fn is_recorded(&self) -> bool {
        self.inner.recording.is_some()
    }

    /// What goes on after the answer: with calls of its own, and without a deadline.
    pub(super) fn continued(&self, is_recorded: bool) -> Self {
        let inner = &self.inner;
        Self {
            inner: Arc::new(Inner {
                shared: Arc::clone(&inner.shared),
                identity: Arc::clone(&inner.identity),
                trace: inner.trace.child(),
                trace_state: inner.trace_state.clone(),
                in_flight: inner.in_flight.clone(),
                recording: is_recorded.then(|| inner.shared.settings.recording()),
            }),
            deadline: None,
        }
    }

    pub(super) fn store(&self) -> Option<&Arc<dyn TransactionStore>> {
        self.inner.shared.store.as_ref()
    }

    pub(super) fn close(&self) -> Option<Outcome> {
        self.inner.recording.as_ref().map(Recording::close)
    }

    pub(super) fn settings(&self) -> &Arc<TransactionSettings> {
        &self.inner.shared.settings
    }

    pub(super) fn trace_state(&self) -> Option<&HeaderValue> {
        self.inner.trace_state.as_ref()
    }

    pub(super) fn propagated(&self) -> &[(HeaderName, HeaderValue)] {
        &self.inner.identity.propagated
    }

    /// Before the deadline, so that there is time to answer.
    pub(super) fn calls_end_at(&self) -> Option<Instant> {
        let deadline = self.deadline?;
        deadline.at.checked_sub(deadline.margin)
    }

    /// When the handler is given up: later than its calls, earlier than the server would, which
    /// knows nothing of what is recorded.
    pub(super) fn handler_ends_at(&self) -> Option<Instant> {
        let deadline = self.deadline?;
        deadline.at.checked_sub(deadline.margin / 2)
    }
}

fn trace_of(headers: &HeaderMap) -> TraceContext {
    let span = telemetry::traceparent(&Span::current());
    span.and_then(|traceparent| TraceContext::parse(traceparent.to_str().ok()?))
        .or_else(|| TraceContext::of(headers).map(TraceContext::child))
        .unwrap_or_else(TraceContext::start)
}

impl<S: Send + Sync> FromRequestParts<S> for Transaction {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let known = parts.extensions.get::<Self>().cloned();
        Ok(known.or_else(Self::current).unwrap_or_else(|| {
            let mut unknown = Self::begin(Arc::clone(&OUTSIDE), parts);
            if let Some(inner) = Arc::get_mut(&mut unknown.inner) {
                inner.recording = None;
            }
            unknown
        }))
    }
}

impl TransactionSettings {
    fn recording(&self) -> Recording {
        Recording::new(self.maximum_recorded_bytes, self.maximum_recorded_calls)
    }

    /// For calls that belong to no transaction.
    pub(super) fn outside() -> Arc<Self> {
        Arc::clone(&OUTSIDE.settings)
    }
}
