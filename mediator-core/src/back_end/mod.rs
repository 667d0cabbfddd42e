//! A client for any back end over HTTP: what every call to another system needs, in one place.
//!
//! ```no_run
//! use mediator_core::back_end::{Authentication, BackEnd, BackEndError, BackEndSettings};
//!
//! # async fn example() -> Result<(), BackEndError> {
//! let url = "https://fhir.example.org/fhir".parse().unwrap();
//! let fhir = BackEnd::new(&BackEndSettings {
//!     authentication: Authentication::Basic {
//!         username: "mediator".to_owned(),
//!         password: std::env::var("FHIR_PASSWORD").unwrap_or_default().into(),
//!     },
//!     ..BackEndSettings::new("FHIR server", url)
//! })
//! .unwrap();
//! let answer = fhir.get("Read the patient", "Patient/1").send().await?;
//! println!("{}: {}", answer.status, answer.json::<serde_json::Value>()?["resourceType"]);
//! # Ok(())
//! # }
//! ```
//!
//! - **Connections** are kept and shared; clones of a [`BackEnd`] share everything.
//! - **Time**: connecting, each attempt, and the whole call are bounded; none goes beyond the
//!   deadline of the request that it is made for.
//! - **Repeats**: what is safe to repeat (`GET`, `HEAD`, `PUT`, `DELETE`, or said by
//!   [`BackEndCall::safe_to_repeat`]) is, after failures of the connection and 502, 503 and 504;
//!   anything is when the back end has certainly not worked on it: not connected, or 429. The
//!   wait doubles, with jitter, and is at least what `Retry-After` asks for.
//! - **Circuit breaker**: after some failures in a row calls fail at once for a while; then one call
//!   probes. Answers below 500 are no failures.
//! - **Authentication**: none, Basic, a bearer token (also from a file that somebody renews), OAuth2
//!   client credentials, client certificates. Files of certificates are read again when they change.
//! - **OpenHIM** sees each call as an orchestration of the
//!   [current transaction](crate::transaction::Transaction::current): once, whatever the number of
//!   attempts, and without bodies and values of queries, which are about persons.
//! - **Metrics**: `back_end_calls_total`, `back_end_call_duration_seconds`, `back_end_retries_total`,
//!   `back_end_circuit_state`.

mod answer;
mod authorization;
mod call;
mod certificate_validity;
mod circuit_breaker;
mod client_credentials;
mod connections;
mod error;
mod fault;
mod metrics;
mod retry;
mod settings;
mod trust;

use std::fmt;
use std::sync::Arc;

use http::Method;
use url::Url;

pub use answer::BackEndAnswer;
pub use call::BackEndCall;
pub use certificate_validity::{CertificateValidity, CertificateValidityError};
pub use circuit_breaker::CircuitBreakerSettings;
pub use error::BackEndError;
pub use settings::{
    Authentication, BackEndSettings, BackEndSettingsError, ClientCertificate, Token, Trust,
};

pub(crate) use fault::{certificate_fault, innermost};
pub(crate) use metrics::describe as describe_metrics;
pub(crate) use trust::authorities;

use authorization::Authorization;
use circuit_breaker::CircuitBreaker;
use connections::Connections;

/// Another system, reached over HTTP. Cheap to clone; clones share connections, tokens, and what is
/// known about its failures.
#[derive(Clone)]
pub struct BackEnd {
    inner: Arc<Inner>,
}

struct Inner {
    settings: BackEndSettings,
    /// Scheme, host and port, for messages.
    address: String,
    connections: Connections,
    authorization: Authorization,
    breaker: CircuitBreaker,
}

impl BackEnd {
    /// A client with these settings. Nothing is sent yet; files of certificates are read.
    ///
    /// # Errors
    /// When the settings contradict each other, or a file cannot be used.
    pub fn new(settings: &BackEndSettings) -> Result<Self, BackEndSettingsError> {
        settings.check()?;
        Ok(Self {
            inner: Arc::new(Inner {
                address: settings.base_url.origin().ascii_serialization(),
                connections: Connections::new(settings)?,
                authorization: Authorization::new(settings),
                breaker: CircuitBreaker::new(&settings.name, settings.circuit_breaker),
                settings: settings.clone(),
            }),
        })
    }

    /// A call with `GET`. OpenHIM's console shows the name; `path` is relative to the base URL and
    /// escaped, and may have a query. A whole URL, such as that of a further page, must begin with
    /// the base URL.
    pub fn get(&self, name: impl Into<String>, path: &str) -> BackEndCall {
        self.request(name, Method::GET, path)
    }

    /// A call with `POST`.
    pub fn post(&self, name: impl Into<String>, path: &str) -> BackEndCall {
        self.request(name, Method::POST, path)
    }

    /// A call with `PUT`.
    pub fn put(&self, name: impl Into<String>, path: &str) -> BackEndCall {
        self.request(name, Method::PUT, path)
    }

    /// A call with `DELETE`.
    pub fn delete(&self, name: impl Into<String>, path: &str) -> BackEndCall {
        self.request(name, Method::DELETE, path)
    }

    /// A call with any method.
    pub fn request(&self, name: impl Into<String>, method: Method, path: &str) -> BackEndCall {
        BackEndCall::new(self.clone(), name.into(), method, path)
    }

    /// What it is called in messages and metrics.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.inner.settings.name
    }

    /// Where it is.
    #[must_use]
    pub fn base_url(&self) -> &Url {
        &self.inner.settings.base_url
    }
}

/// Without credentials.
impl fmt::Debug for BackEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BackEnd")
            .field("name", &self.inner.settings.name)
            .field("address", &self.inner.address)
            .finish_non_exhaustive()
    }
}
