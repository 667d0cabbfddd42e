use std::sync::Arc;

use axum::body::Bytes;
use http::header::Entry;
use http::{HeaderMap, StatusCode};
use reqwest::Request;
use tokio::time::Instant;
use tracing::Span;
use url::{Url, form_urlencoded};

use super::Transaction;
use super::recorded_body::{Recordable, recorded_body};
use super::redaction::REDACTED;
use super::settings::TransactionSettings;
use super::trace_context::{TRACEPARENT, TRACESTATE};
use crate::envelope::{
    BodyText, ErrorDetails, Orchestration, RecordedRequest, RecordedResponse, Timestamp,
};
use crate::telemetry;

/// What is shown of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// Everything but secrets.
    WithoutSecrets,
    /// What was called and how it went: no bodies, no values in the query, and of the headers those
    /// that cannot be about a person.
    LeftOut,
}

/// Headers that say how a call was made, and nothing of what it was about.
const PLAIN_HEADERS: [&str; 18] = [
    "accept",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "etag",
    "if-match",
    "last-modified",
    "prefer",
    "retry-after",
    "server",
    "traceparent",
    "tracestate",
    "user-agent",
    "x-openhim-clientid",
    "x-openhim-transactionid",
    "x-request-id",
    "x-vault-request",
];

/// A call that is being made. Whatever happens to it is recorded, also that nobody waits for it.
pub(crate) struct RecordedCall {
    record: Option<(Transaction, Orchestration)>,
    settings: Arc<TransactionSettings>,
    ends_at: Option<Instant>,
    content: Content,
}

impl RecordedCall {
    /// Begins a call for this transaction, and gives the request what has to be passed on.
    pub(crate) fn begin(
        transaction: Option<Transaction>,
        name: &str,
        group: Option<&str>,
        request: &mut Request,
        content: Content,
        span: &Span,
    ) -> Self {
        let settings = match &transaction {
            Some(transaction) => {
                propagate(transaction, span, request.headers_mut());
                Arc::clone(transaction.settings())
            }
            None => TransactionSettings::outside(),
        };
        let ends_at = transaction.as_ref().and_then(Transaction::calls_end_at);
        let record = transaction
            .filter(Transaction::is_recorded)
            .map(|transaction| {
                let recorded = recorded_request(request, &settings, content);
                let orchestration = Orchestration::new(name, recorded);
                let orchestration = match group {
                    Some(group) => orchestration.group(group),
                    None => orchestration,
                };
                (transaction, orchestration)
            });
        Self {
            record,
            settings,
            ends_at,
            content,
        }
    }

    pub(crate) fn settings(&self) -> &TransactionSettings {
        &self.settings
    }

    /// When it has no use any more.
    pub(crate) fn ends_at(&self) -> Option<Instant> {
        self.ends_at
    }

    /// It was answered.
    pub(crate) fn answered(mut self, status: StatusCode, headers: &HeaderMap, body: &Bytes) {
        let Some((transaction, orchestration)) = self.record.take() else {
            return;
        };
        let response = RecordedResponse::new(status, Timestamp::now());
        let response = match self.content {
            Content::WithoutSecrets => {
                let mut headers = headers.clone();
                self.settings.redaction.redact_headers(&mut headers);
                let body = recorded_body(
                    &headers,
                    Recordable::Shared(body),
                    self.settings.maximum_recorded_body_bytes,
                    &self.settings.redaction,
                );
                response.headers(headers).body(body)
            }
            Content::LeftOut => response.headers(plain(headers)).body(left_out(body.len())),
        };
        let orchestration = orchestration.response(response);
        transaction.record(if status.is_server_error() {
            orchestration.error(ErrorDetails::new(format!("answered {status}")))
        } else {
            orchestration
        });
    }

    /// It was not answered.
    pub(crate) fn failed(mut self, error: &(dyn std::error::Error + 'static)) {
        if let Some((transaction, orchestration)) = self.record.take() {
            transaction.record(orchestration.error(ErrorDetails::of(error)));
        }
    }
}

impl Drop for RecordedCall {
    fn drop(&mut self) {
        if let Some((transaction, orchestration)) = self.record.take() {
            let error = ErrorDetails::new("given up before it was answered");
            transaction.record(orchestration.error(error));
        }
    }
}

fn propagate(transaction: &Transaction, span: &Span, headers: &mut HeaderMap) {
    let trace = telemetry::traceparent(span).or_else(|| transaction.trace().child().header_value());
    let trace = trace.map(|value| (TRACEPARENT, value));
    let state = transaction.trace_state().cloned();
    let state = state.map(|value| (TRACESTATE, value));
    let of_openhim = transaction.propagated().iter().cloned();
    for (name, value) in of_openhim.chain(trace).chain(state) {
        if let Entry::Vacant(entry) = headers.entry(name) {
            entry.insert(value);
        }
    }
}

fn recorded_request(
    request: &Request,
    settings: &TransactionSettings,
    content: Content,
) -> RecordedRequest {
    let recorded = RecordedRequest::new(Timestamp::now()).method(request.method().as_str());
    let mut url = request.url().clone();
    let body = request.body().map(reqwest::Body::as_bytes);
    if content == Content::LeftOut {
        without_values(&mut url);
        let recorded = recorded.url(&url).headers(plain(request.headers()));
        return match body.flatten() {
            Some(body) => recorded.body(left_out(body.len())),
            None => recorded,
        };
    }
    settings.redaction.redact_url(&mut url);
    let mut headers = request.headers().clone();
    settings.redaction.redact_headers(&mut headers);
    let recorded = recorded.url(&url);
    match body {
        None => recorded,
        Some(Some(body)) => recorded.body(recorded_body(
            &headers,
            Recordable::Borrowed(body),
            settings.maximum_recorded_body_bytes,
            &settings.redaction,
        )),
        Some(None) => recorded.body("[a stream, which is not recorded]"),
    }
    .headers(headers)
}

fn plain(headers: &HeaderMap) -> HeaderMap {
    let kept = PLAIN_HEADERS.iter().filter_map(|&name| {
        Some((
            http::HeaderName::from_static(name),
            headers.get(name)?.clone(),
        ))
    });
    kept.collect()
}

/// A search names persons.
fn without_values(url: &mut Url) {
    let Some(query) = url.query() else { return };
    let names: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(names.iter().map(|name| (name, REDACTED)));
}

fn left_out(bytes: usize) -> BodyText {
    match bytes {
        0 => BodyText::default(),
        _ => format!("[{bytes} bytes, which are not recorded]").into(),
    }
}
