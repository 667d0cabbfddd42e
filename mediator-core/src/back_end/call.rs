use std::fmt;
use std::time::Duration;

use axum::body::Bytes;
use backon::{BackoffBuilder as _, ExponentialBuilder};
use chrono::Utc;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, StatusCode};
use reqwest::Request;
use serde::Serialize;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument as _;
use url::Url;

use super::circuit_breaker::Verdict;
use super::retry::{Unanswered, is_passing, retry_after, unanswered};
use super::{BackEnd, BackEndAnswer, BackEndError, Inner, metrics};
use crate::transaction::{CallResponse, Content, RecordedCall, Transaction, exchange};

/// Longest wait between two attempts. A back end that asks for a longer one is not asked again.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// No answer for this long is a failure of the back end, however little time there was for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// One call that is being put together.
#[must_use = "a call is made by `send`"]
pub struct BackEndCall {
    back_end: BackEnd,
    name: String,
    /// Or why it cannot be made.
    request: Result<Request, String>,
    timeout: Duration,
    is_safe_to_repeat: bool,
    takes_internal_errors: bool,
}

impl BackEndCall {
    pub(super) fn new(back_end: BackEnd, name: String, method: Method, path: &str) -> Self {
        let settings = &back_end.inner.settings;
        let url = address(&settings.base_url, path);
        Self {
            name,
            timeout: settings.timeout,
            is_safe_to_repeat: method.is_idempotent(),
            takes_internal_errors: false,
            request: url.map(|url| Request::new(method, url)),
            back_end,
        }
    }

    /// With these parameters after those in the path.
    pub fn query<K: AsRef<str>, V: AsRef<str>>(mut self, parameters: &[(K, V)]) -> Self {
        if let (Ok(request), false) = (&mut self.request, parameters.is_empty()) {
            request.url_mut().query_pairs_mut().extend_pairs(parameters);
        }
        self
    }

    /// With this header, instead of another of its name.
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        if let Ok(request) = &mut self.request {
            request.headers_mut().insert(name, value);
        }
        self
    }

    /// With this body, and `Content-Type: application/json` unless there is another.
    pub fn json(mut self, body: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(body) {
            Ok(json) => self.with_body(json.into(), "application/json", false),
            Err(_) => {
                self.request = Err("what is to be sent is not JSON".to_owned());
                self
            }
        }
    }

    /// With this body of this media type.
    pub fn body(self, body: impl Into<Bytes>, content_type: &str) -> Self {
        self.with_body(body.into(), content_type, true)
    }

    fn with_body(mut self, body: Bytes, content_type: &str, replaces: bool) -> Self {
        let Ok(request) = &mut self.request else {
            return self;
        };
        *request.body_mut() = Some(body.into());
        if replaces || !request.headers().contains_key(CONTENT_TYPE) {
            match HeaderValue::from_str(content_type) {
                Ok(value) => {
                    request.headers_mut().insert(CONTENT_TYPE, value);
                }
                Err(_) => self.request = Err("the media type of its body is none".to_owned()),
            }
        }
        self
    }

    /// Sending it twice is the same as sending it once, although its method does not say so.
    pub fn safe_to_repeat(mut self) -> Self {
        self.is_safe_to_repeat = true;
        self
    }

    /// It must not be sent twice, although its method allows that.
    pub fn not_safe_to_repeat(mut self) -> Self {
        self.is_safe_to_repeat = false;
        self
    }

    /// Status 500 says something about what is sent, as with servers that answer so whatever is
    /// wrong, and not that the back end fails: it does not count for the circuit breaker.
    pub fn internal_errors_are_answers(mut self) -> Self {
        self.takes_internal_errors = true;
        self
    }

    /// At most this long for each attempt, instead of what the settings say.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the call and reads its whole answer.
    ///
    /// # Errors
    /// When there is no answer, or one of 401. An answer of any other status is one.
    pub async fn send(self) -> Result<BackEndAnswer, BackEndError> {
        let inner = &*self.back_end.inner;
        let settings = &inner.settings;
        let mut request = self.request.map_err(|reason| BackEndError::Request {
            back_end: settings.name.clone(),
            reason,
        })?;
        let span = tracing::info_span!(
            "call",
            name = &*self.name,
            method = request.method().as_str(),
            host = request.url().host_str()
        );
        let call = RecordedCall::begin(
            Transaction::current(),
            &self.name,
            Some(&settings.name),
            &mut request,
            Content::LeftOut,
            &span,
        );
        let begun = Instant::now();
        let attempts = Attempts {
            inner,
            name: &self.name,
            request: &request,
            timeout: self.timeout,
            ends_at: call.ends_at(),
            is_safe_to_repeat: self.is_safe_to_repeat,
            takes_internal_errors: self.takes_internal_errors,
        };
        let result = attempts.run().instrument(span).await;
        let label = match &result {
            Ok(answer) => class(answer.status()),
            Err(error) => error.label(),
        };
        metrics::called(&settings.name, label, begun.elapsed());
        inner.breaker.publish();
        match result {
            Ok(answer) => {
                let (status, headers, body) = answer.into_parts();
                call.answered(status, &headers, &body);
                Ok(BackEndAnswer {
                    status,
                    headers,
                    body,
                    back_end: settings.name.as_str().into(),
                })
            }
            Err(error) => {
                call.failed(&error);
                Err(error)
            }
        }
    }
}

/// The attempts of a call.
struct Attempts<'a> {
    inner: &'a Inner,
    name: &'a str,
    request: &'a Request,
    timeout: Duration,
    ends_at: Option<Instant>,
    is_safe_to_repeat: bool,
    takes_internal_errors: bool,
}

impl Attempts<'_> {
    async fn run(&self) -> Result<CallResponse, BackEndError> {
        let settings = &self.inner.settings;
        let attempts = usize::try_from(settings.attempts.max(1)).unwrap_or(usize::MAX);
        let mut waits = ExponentialBuilder::new()
            .with_min_delay(settings.first_retry_delay)
            .with_max_delay(LONGEST_WAIT)
            .with_max_times(attempts - 1)
            .with_jitter()
            .build();
        let mut has_renewed = false;
        loop {
            let authorization = self.authorization().await;
            let result = match &authorization {
                Ok(header) => self.attempt(header.as_ref()).await,
                Err(error) => Err(Unanswered::unsent(error.clone())),
            };
            if let Ok(answer) = &result
                && answer.status() == StatusCode::UNAUTHORIZED
            {
                let refused = authorization.unwrap_or_default();
                if !has_renewed && self.inner.authorization.renew(refused.as_ref()).await {
                    has_renewed = true;
                    metrics::retried(&settings.name, "401");
                    continue;
                }
                return Err(self.inner.authorization.refusal());
            }
            let Some((reason, asked)) = self.again(&result) else {
                return result.map_err(|unanswered| unanswered.error);
            };
            let wait = waits.next().map(|wait| wait + asked);
            match wait.filter(|wait| self.has_time_for(*wait)) {
                Some(wait) => {
                    metrics::retried(&settings.name, reason);
                    tracing::debug!(reason, ?wait, "a back end is asked again");
                    sleep(wait).await;
                }
                None => return result.map_err(|unanswered| unanswered.error),
            }
        }
    }

    /// Why it may be tried again, and the wait that was asked for.
    fn again(&self, result: &Result<CallResponse, Unanswered>) -> Option<(&'static str, Duration)> {
        match result {
            Ok(answer) => {
                let status = answer.status();
                let was_refused = status == StatusCode::TOO_MANY_REQUESTS;
                let may = is_passing(status) && (self.is_safe_to_repeat || was_refused);
                let asked = retry_after(answer.headers(), Utc::now()).unwrap_or_default();
                may.then(|| (class(status), asked))
            }
            Err(unanswered) => {
                let error = &unanswered.error;
                let is_open = matches!(error, BackEndError::CircuitOpen { .. });
                let may = self.is_safe_to_repeat || unanswered.unsent;
                (may && error.is_transient() && !is_open).then(|| (error.label(), Duration::ZERO))
            }
        }
    }

    fn has_time_for(&self, wait: Duration) -> bool {
        wait <= LONGEST_WAIT && self.ends_at.is_none_or(|end| Instant::now() + wait < end)
    }

    async fn authorization(&self) -> Result<Option<HeaderValue>, BackEndError> {
        let inner = self.inner;
        let client = inner.connections.client().await;
        let header = inner.authorization.header(&client);
        match self.ends_at {
            None => header.await,
            Some(end) => timeout_at(end, header)
                .await
                .unwrap_or_else(|_| Err(self.timed_out(Duration::ZERO))),
        }
    }

    async fn attempt(
        &self,
        authorization: Option<&HeaderValue>,
    ) -> Result<CallResponse, Unanswered> {
        let inner = self.inner;
        let name = &inner.settings.name;
        let request = self.request.try_clone().map(|mut request| {
            if let Some(header) = authorization {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
            }
            request
        });
        let Some(request) = request else {
            return Err(Unanswered::unsent(BackEndError::Request {
                back_end: name.clone(),
                reason: "its body is a stream".to_owned(),
            }));
        };
        let permit = inner.breaker.permit().map_err(|retry_after| {
            Unanswered::unsent(BackEndError::CircuitOpen {
                back_end: name.clone(),
                retry_after,
            })
        })?;
        let limit = match self.ends_at {
            Some(end) => self
                .timeout
                .min(end.saturating_duration_since(Instant::now())),
            None => self.timeout,
        };
        let client = inner.connections.client().await;
        let maximum = inner.settings.maximum_response_bytes;
        let result = exchange(&client, self.name, request, limit, maximum)
            .await
            .map_err(|error| unanswered(name, &inner.address, error));
        let had_time = limit >= self.timeout.min(PATIENCE);
        permit.conclude(match &result {
            Ok(answer)
                if self.takes_internal_errors
                    && answer.status() == StatusCode::INTERNAL_SERVER_ERROR =>
            {
                Verdict::Works
            }
            result => verdict(result, had_time),
        });
        result
    }

    fn timed_out(&self, after: Duration) -> BackEndError {
        BackEndError::TimedOut {
            back_end: self.inner.settings.name.clone(),
            address: self.inner.address.clone(),
            after,
        }
    }
}

fn verdict(result: &Result<CallResponse, Unanswered>, had_time: bool) -> Verdict {
    match result {
        // 501 and 505 are about the request.
        Ok(answer) => match answer.status().as_u16() {
            ..=499 | 501 | 505 => Verdict::Works,
            _ => Verdict::Fails,
        },
        Err(unanswered) => match &unanswered.error {
            BackEndError::TimedOut { .. } if !had_time => Verdict::Unknown,
            BackEndError::TimedOut { .. }
            | BackEndError::Unreachable { .. }
            | BackEndError::Broken { .. }
            | BackEndError::Tls { .. } => Verdict::Fails,
            BackEndError::AnswerTooLarge { .. } => Verdict::Works,
            _ => Verdict::Unknown,
        },
    }
}

fn class(status: StatusCode) -> &'static str {
    match status.as_u16() {
        429 => "429",
        502 => "502",
        503 => "503",
        504 => "504",
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

/// Where a call goes. Never elsewhere than behind the base URL: credentials are sent along.
fn address(base: &Url, path: &str) -> Result<Url, String> {
    let mut folder = base.clone();
    folder.set_query(None);
    folder.set_fragment(None);
    let root = folder.path().trim_end_matches('/').to_owned();
    if path.starts_with("http:") || path.starts_with("https:") {
        let url = Url::parse(path).map_err(|_| "its address is no URL".to_owned())?;
        let is_behind = url
            .path()
            .strip_prefix(&root)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        let is_same =
            url.origin() == base.origin() && url.username().is_empty() && url.password().is_none();
        return (is_same && is_behind)
            .then_some(url)
            .ok_or_else(|| "its address is not behind the base URL that is set".to_owned());
    }
    let (path, query) = match path.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (path, None),
    };
    let path = path.trim_start_matches('/');
    if path.split('/').any(is_dots) {
        return Err("its path has a segment of dots".to_owned());
    }
    match path {
        "" => folder.set_path(base.path()),
        path => folder.set_path(&format!("{root}/{path}")),
    }
    folder.set_query(query);
    Ok(folder)
}

/// What URLs take for this folder, or the one above.
fn is_dots(segment: &str) -> bool {
    let segment = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(&*segment, "." | "..")
}

/// Without headers and body.
impl fmt::Debug for BackEndCall {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BackEndCall")
            .field("back_end", &self.back_end)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::relative("Patient/1", "https://h/fhir/Patient/1")]
    #[case::from_the_root("/Patient/1", "https://h/fhir/Patient/1")]
    #[case::the_base("", "https://h/fhir")]
    #[case::with_query("Patient?a=b%20c", "https://h/fhir/Patient?a=b%20c")]
    #[case::operation("Composition/1/$document", "https://h/fhir/Composition/1/$document")]
    #[case::page("https://h/fhir?_getpages=1", "https://h/fhir?_getpages=1")]
    fn paths_are_behind_the_base(#[case] path: &str, #[case] expected: &str) {
        for base in ["https://h/fhir", "https://h:443/fhir?x=y"] {
            let base = base.parse().unwrap();
            assert_eq!(address(&base, path).unwrap().as_str(), expected);
        }
    }

    #[rstest]
    #[case::other_host("https://other/fhir/Patient")]
    #[case::other_scheme("http://h/fhir/Patient")]
    #[case::beside_it("https://h/fhirs/Patient")]
    #[case::above_it("https://h/fhir/../secret")]
    #[case::with_user("https://u@h/fhir/Patient")]
    #[case::up("../secret")]
    #[case::up_escaped("a/%2E./secret")]
    fn nothing_else_is(#[case] path: &str) {
        address(&"https://h/fhir".parse().unwrap(), path).unwrap_err();
    }
}
