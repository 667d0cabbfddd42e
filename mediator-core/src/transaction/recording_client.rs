use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Bytes;
use http::{HeaderMap, Method};
use reqwest::{IntoUrl, Request, Response};
use tokio::time::{Instant, timeout};
use tracing::Instrument as _;

use super::Transaction;
use super::call::{Call, CallError, CallResponse};
use super::recorded_call::{Content, RecordedCall};

/// An HTTP client that shows OpenHIM what it does.
///
/// Every call becomes an orchestration of the transaction it is made for, carries its
/// `X-OpenHIM-*` and `traceparent`, and ends before its deadline. Which transaction that is, a
/// client of [`Transaction::client`] was told; any other takes [`Transaction::current`], so that
/// it can be made once and kept deep inside an application. Without any, it only makes the call.
///
/// A call that is dropped before it was answered is recorded as a failed one.
///
/// ```
/// # use mediator_core::transaction::{CallError, RecordingClient, Transaction};
/// async fn name_of(transaction: &Transaction, id: &str) -> Result<String, CallError> {
///     let url = format!("https://registry.example.org/people/{id}/name");
///     let call = transaction.client().get("Look up the name", url);
///     let name = call.send().await?.error_for_status()?.text()?.to_owned();
///     Ok(name)
/// }
/// ```
#[derive(Debug, Clone)]
pub struct RecordingClient {
    http: Http,
    group: Option<Arc<str>>,
    transaction: Option<Transaction>,
}

/// A client of reqwest's, or why there is none. Made on first use if it was not given: that reads
/// the system's certificates.
#[derive(Debug, Clone)]
struct Http(Arc<OnceLock<Result<reqwest::Client, Arc<str>>>>);

impl Http {
    fn client(&self) -> Result<&reqwest::Client, Arc<str>> {
        let client = self.0.get_or_init(|| {
            let client = reqwest::Client::builder().build();
            client.map_err(|error| error.to_string().into())
        });
        client.as_ref().map_err(Arc::clone)
    }
}

impl RecordingClient {
    /// Calls through this client, with its connections, timeouts and certificates.
    #[must_use]
    pub fn new(http: reqwest::Client) -> Self {
        Self {
            http: Http(Arc::new(OnceLock::from(Ok(http)))),
            group: None,
            transaction: None,
        }
    }

    /// With a client of reqwest's defaults, which fails where it is used if it cannot be made.
    pub(super) fn with_defaults() -> Self {
        Self {
            http: Http(Arc::new(OnceLock::new())),
            group: None,
            transaction: None,
        }
    }

    /// For this transaction only, whatever the current one is.
    #[must_use]
    pub fn for_transaction(mut self, transaction: Transaction) -> Self {
        self.transaction = Some(transaction);
        self
    }

    /// Its calls are shown together in OpenHIM.
    #[must_use]
    pub fn group(mut self, group: &str) -> Self {
        self.group = Some(group.into());
        self
    }

    /// A call with `GET`. The name is what OpenHIM's console shows.
    pub fn get(&self, name: impl Into<String>, url: impl IntoUrl) -> Call {
        self.request(name, Method::GET, url)
    }

    /// A call with `POST`.
    pub fn post(&self, name: impl Into<String>, url: impl IntoUrl) -> Call {
        self.request(name, Method::POST, url)
    }

    /// A call with `PUT`.
    pub fn put(&self, name: impl Into<String>, url: impl IntoUrl) -> Call {
        self.request(name, Method::PUT, url)
    }

    /// A call with any method.
    pub fn request(&self, name: impl Into<String>, method: Method, url: impl IntoUrl) -> Call {
        let http = self.http.client();
        Call {
            client: self.clone(),
            name: name.into(),
            request: http.map(|http| http.request(method, url)),
        }
    }

    /// Makes a call that is put together elsewhere, and reads its whole answer. A body that is a
    /// stream is not recorded.
    ///
    /// # Errors
    /// When there is no answer; an answer of any status is one.
    pub async fn execute(
        &self,
        name: &str,
        mut request: Request,
    ) -> Result<CallResponse, CallError> {
        let http = self.http.client().map_err(|reason| CallError::Client {
            name: name.to_owned(),
            reason: reason.to_string(),
        })?;
        let transaction = self.transaction.clone().or_else(Transaction::current);
        let span = tracing::info_span!(
            "call",
            name,
            method = request.method().as_str(),
            host = request.url().host_str()
        );
        let call = RecordedCall::begin(
            transaction,
            name,
            self.group.as_deref(),
            &mut request,
            Content::WithoutSecrets,
            &span,
        );
        let limit = time_for(&request, &call);
        let maximum = call.settings().maximum_call_body_bytes;
        let sent = exchange(http, name, request, limit, maximum).instrument(span);
        let result = sent.await;
        match &result {
            Ok(answer) => call.answered(answer.status, &answer.headers, &answer.body),
            Err(error) => call.failed(error),
        }
        result
    }
}

fn time_for(request: &Request, call: &RecordedCall) -> Duration {
    let limit = call.settings().call_timeout;
    let limit = request.timeout().map_or(limit, |asked| limit.min(*asked));
    match call.ends_at() {
        Some(end) => limit.min(end.saturating_duration_since(Instant::now())),
        None => limit,
    }
}

/// Makes a call, once, and reads its whole answer of at most `maximum` bytes within `limit`.
pub(crate) async fn exchange(
    http: &reqwest::Client,
    name: &str,
    request: Request,
    limit: Duration,
    maximum: usize,
) -> Result<CallResponse, CallError> {
    let timed_out = || CallError::TimedOut {
        name: name.to_owned(),
        after: limit,
    };
    if limit.is_zero() {
        return Err(timed_out());
    }
    match timeout(limit, send(http, name, request, maximum)).await {
        Ok(result) => result,
        Err(_) => Err(timed_out()),
    }
}

async fn send(
    http: &reqwest::Client,
    name: &str,
    mut request: Request,
    limit: usize,
) -> Result<CallResponse, CallError> {
    // The time is watched over here, and told better.
    *request.timeout_mut() = None;
    let failed = |error: reqwest::Error| failure(name, error.without_url());
    let response = http.execute(request).await.map_err(failed)?;
    let status = response.status();
    let (headers, body) = read(name, response, limit).await?;
    Ok(CallResponse {
        name: name.to_owned(),
        status,
        headers,
        body,
    })
}

async fn read(
    name: &str,
    mut response: Response,
    limit: usize,
) -> Result<(HeaderMap, Bytes), CallError> {
    let failed = |error: reqwest::Error| failure(name, error.without_url());
    let too_large = || CallError::TooLarge {
        name: name.to_owned(),
        limit,
    };
    if response.content_length() > Some(limit as u64) {
        return Err(too_large());
    }
    let headers = std::mem::take(response.headers_mut());
    let Some(first) = response.chunk().await.map_err(failed)? else {
        return Ok((headers, Bytes::new()));
    };
    if first.len() > limit {
        return Err(too_large());
    }
    let Some(second) = response.chunk().await.map_err(failed)? else {
        return Ok((headers, first));
    };
    let mut body = Vec::with_capacity(first.len() + second.len());
    body.extend_from_slice(&first);
    let mut next = Some(second);
    while let Some(chunk) = next {
        if body.len() + chunk.len() > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
        next = response.chunk().await.map_err(failed)?;
    }
    Ok((headers, body.into()))
}

fn failure(name: &str, source: reqwest::Error) -> CallError {
    let name = name.to_owned();
    if source.is_connect() {
        CallError::Unreachable { name, source }
    } else if source.is_builder() {
        CallError::Request { name, source }
    } else {
        CallError::Broken { name, source }
    }
}
