//! A client of the API of OpenHIM core.
//!
//! ```no_run
//! use mediator_core::openhim::{OpenHim, OpenHimError, OpenHimSettings, Trust};
//!
//! # async fn example() -> Result<(), OpenHimError> {
//! let settings = OpenHimSettings {
//!     trust: Trust::CertificateAuthority("openhim-ca.pem".into()),
//!     ..OpenHimSettings::new(
//!         "https://openhim-core:8080".parse().unwrap(),
//!         "mediator@example.org",
//!         std::env::var("OPENHIM_PASSWORD").unwrap_or_default().into(),
//!     )
//! };
//! let openhim = OpenHim::new(&settings)?;
//! println!("up for {:?}", openhim.heartbeat().await?.uptime);
//! # Ok(())
//! # }
//! ```
//!
//! Works with OpenHIM 4 to 8: the way of authentication is found out unless it is set. Requests
//! that are safe to repeat are repeated a few times when core cannot be reached; everything is
//! bounded in time and size. No error or log line holds a password.

mod about;
mod audits;
mod authentication;
mod call;
mod channels;
mod clients;
mod core_heartbeat;
mod environment;
mod error;
mod mediators;
mod roles;
mod settings;
mod transactions;
mod trust;
mod users;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use backon::{ExponentialBuilder, Retryable as _};
use chrono::Utc;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;
use url::Url;

pub use about::About;
pub use audits::{
    Audit, AuditCode, AuditEvent, AuditObject, AuditOutcome, AuditParticipant, AuditSearch,
    AuditSource, Audits,
};
pub use channels::{Channel, Channels};
pub use clients::{Client, Clients};
pub use core_heartbeat::CoreHeartbeat;
pub use environment::EnvironmentError;
pub use error::OpenHimError;
pub use mediators::{ConfigurationWanted, RegisteredMediator};
pub use roles::{Permission, Role, RoleChannel, RoleClient, Roles};
pub use settings::{Authentication, OpenHimSettings, Trust};
pub use transactions::{
    Representation, StoredError, StoredOrchestration, StoredRequest, StoredResponse, StoredRoute,
    StoredTransaction, TransactionSearch, TransactionUpdate,
};
pub use users::{User, Users};

pub(crate) use call::{Answer, Call};

use authentication::{Authenticator, Scheme, TokenKey, TokenParameters};
use call::{Repeat, refusal_text};
use error::{Unanswered, unanswered};

/// Core's API, as one of its users. Cloning is cheap; clones share connections and what is known
/// about authentication.
#[derive(Clone)]
pub struct OpenHim {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    api_url: Url,
    /// Scheme, host and port, for messages.
    address: String,
    authenticator: Authenticator,
    attempts: usize,
    first_retry_delay: Duration,
    maximum_answer_bytes: usize,
}

/// An attempt that failed.
struct Failure {
    error: OpenHimError,
    again: bool,
}

impl OpenHim {
    /// A client with these settings. Nothing is sent yet.
    ///
    /// # Errors
    /// [`OpenHimError::Settings`] when the URL is not `http:` or `https:`, or the system has no
    /// certificate authorities; [`OpenHimError::CertificateAuthority`] when the file is no good.
    pub fn new(settings: &OpenHimSettings) -> Result<Self, OpenHimError> {
        let api_url = settings.api_url.clone();
        if !matches!(api_url.scheme(), "http" | "https") || !api_url.has_host() {
            return Err(OpenHimError::Settings(
                "the address must begin with https: (or http:) and name a host".to_owned(),
            ));
        }
        Ok(Self {
            inner: Arc::new(Inner {
                http: trust::http_client(settings)?,
                address: api_url.origin().ascii_serialization(),
                api_url,
                authenticator: Authenticator::new(settings)?,
                attempts: settings.attempts.max(1),
                first_retry_delay: settings.first_retry_delay,
                maximum_answer_bytes: settings.maximum_answer_bytes,
            }),
        })
    }

    /// Sends the request, again if that is safe and may help, and takes any 2xx for an answer.
    pub(crate) async fn send(&self, call: &Call<'_>) -> Result<Answer, OpenHimError> {
        self.answer(call)
            .await
            .and_then(|answer| self.inner.accept(call, answer))
    }

    /// As [`send`](Self::send), with the answer's JSON.
    pub(crate) async fn json<T: DeserializeOwned>(
        &self,
        call: &Call<'_>,
    ) -> Result<T, OpenHimError> {
        self.send(call).await?.json()
    }

    /// Sends the request, again if that is safe and may help. Any status but 401 is an answer.
    pub(crate) async fn answer(&self, call: &Call<'_>) -> Result<Answer, OpenHimError> {
        let backoff = ExponentialBuilder::new()
            .with_min_delay(self.inner.first_retry_delay)
            .with_max_times(self.inner.attempts - 1)
            .with_jitter();
        (|| self.inner.attempt(call))
            .retry(backoff)
            .when(|failure| failure.again)
            .notify(|failure, delay| {
                tracing::debug!(error = %failure.error, ?delay, "OpenHIM core is asked again");
            })
            .await
            .map_err(|failure| failure.error)
    }
}

impl Inner {
    async fn attempt(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let answer = self.exchange(call).await.map_err(|failed| Failure {
            again: match call.repeat {
                Repeat::Safe => failed.error.is_transient(),
                Repeat::Unsent => failed.unsent && failed.error.is_transient(),
                Repeat::Never => false,
            },
            error: failed.error,
        })?;
        let passing = matches!(
            answer.status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        if passing && call.repeat == Repeat::Safe {
            return Err(Failure {
                error: self.refusal(call, &answer),
                again: true,
            });
        }
        Ok(answer)
    }

    async fn exchange(&self, call: &Call<'_>) -> Result<Answer, Unanswered> {
        if !call.authenticated {
            return self.transmit(call, HeaderMap::new()).await;
        }
        for &scheme in self.authenticator.schemes() {
            let answer = match scheme {
                Scheme::Basic => Some(self.transmit(call, self.authenticator.basic()).await?),
                Scheme::Token => self.exchange_with_token(call).await?,
            };
            if let Some(answer) = answer
                && answer.status != StatusCode::UNAUTHORIZED
            {
                self.authenticator.accepted(scheme);
                return Ok(answer);
            }
        }
        Err(Unanswered::of(OpenHimError::WrongCredentials))
    }

    /// Nothing when core has no tokens for this user.
    async fn exchange_with_token(&self, call: &Call<'_>) -> Result<Option<Answer>, Unanswered> {
        if let Some(key) = self.authenticator.token_key() {
            let answer = self.transmit(call, self.authenticator.token(&key)).await?;
            if answer.status != StatusCode::UNAUTHORIZED {
                return Ok(Some(answer));
            }
            // The password's salt or the clock may have changed since.
        }
        let Some(key) = self.fetch_token_key().await? else {
            return Ok(None);
        };
        let answer = self.transmit(call, self.authenticator.token(&key)).await?;
        Ok(Some(answer))
    }

    async fn fetch_token_key(&self) -> Result<Option<TokenKey>, Unanswered> {
        let path = ["authenticate", self.authenticator.username()];
        let call = Call::get("authenticate with tokens", &path).anonymous();
        let asked = Utc::now();
        let answer = self.transmit(&call, HeaderMap::new()).await?;
        let answered = Utc::now();
        if matches!(
            answer.status,
            StatusCode::NOT_FOUND | StatusCode::UNAUTHORIZED
        ) {
            return Ok(None);
        }
        let parameters: TokenParameters = self
            .accept(&call, answer)
            .and_then(|answer| answer.json())
            .map_err(Unanswered::of)?;
        Ok(self.authenticator.learn(&parameters, asked, answered))
    }

    async fn transmit(&self, call: &Call<'_>, headers: HeaderMap) -> Result<Answer, Unanswered> {
        let mut request = self
            .http
            .request(call.method.clone(), self.url(call.path))
            .query(&call.query)
            .header(ACCEPT, "application/json")
            .headers(headers);
        if let Some(body) = &call.body {
            request = request
                .header(CONTENT_TYPE, "application/json")
                .body(body.clone());
        }
        let failed = |error: reqwest::Error| unanswered(&self.address, &error);
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > self.maximum_answer_bytes {
                return Err(Unanswered::of(OpenHimError::AnswerTooLong {
                    operation: call.operation,
                    maximum: self.maximum_answer_bytes,
                }));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer {
            status: response.status(),
            body: Bytes::from(body),
            operation: call.operation,
        })
    }

    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.api_url.clone();
        // Never Err: the constructor only takes URLs with a host.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        url
    }

    fn accept(&self, call: &Call<'_>, answer: Answer) -> Result<Answer, OpenHimError> {
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(self.refusal(call, &answer))
        }
    }

    fn refusal(&self, call: &Call<'_>, answer: &Answer) -> OpenHimError {
        let operation = call.operation;
        let status = answer.status;
        let text = || {
            self.authenticator
                .without_password(refusal_text(&answer.body))
        };
        match (status, call.mediator) {
            (StatusCode::UNAUTHORIZED, _) => OpenHimError::WrongCredentials,
            (StatusCode::FORBIDDEN, _) => OpenHimError::NotAllowed {
                operation,
                text: text(),
            },
            (StatusCode::NOT_FOUND, Some(urn)) => OpenHimError::UnknownMediator {
                urn: urn.to_owned(),
            },
            (StatusCode::NOT_FOUND, None) => OpenHimError::NotFound { operation },
            (StatusCode::TOO_MANY_REQUESTS, _) => OpenHimError::CoreFailed {
                operation,
                status,
                text: text(),
            },
            _ if status.is_server_error() => OpenHimError::CoreFailed {
                operation,
                status,
                text: text(),
            },
            _ => OpenHimError::Refused {
                operation,
                status,
                text: text(),
            },
        }
    }
}

/// Without credentials.
impl fmt::Debug for OpenHim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenHim")
            .field("api_url", &self.inner.address)
            .finish_non_exhaustive()
    }
}
