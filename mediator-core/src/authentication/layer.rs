use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use axum::extract::{ConnectInfo, MatchedPath, Request};
use axum::response::{IntoResponse as _, Response};
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method};
use tower::{Layer, Service};

use super::Authentication;
use super::caller::Caller;
use super::failed_attempts::FailedAttempts;
use super::refusal::AccessRefusal;

/// Tells the handlers of a router who sends each request ([`Caller`]). Goes around everything, so
/// around the [`TransactionLayer`](crate::transaction::TransactionLayer) too:
/// [`MediatorBuilder::layer`](crate::mediator::MediatorBuilder::layer).
///
/// Credentials that are not good are refused whatever is asked for. Who shows none goes on, and is
/// refused by [`RequirePermission`](super::RequirePermission) and by handlers that take a
/// [`Caller`].
#[derive(Debug, Clone)]
pub struct AuthenticationLayer {
    authentication: Authentication,
    refusals: AccessRefusals,
    failed_attempts: Option<Arc<FailedAttempts>>,
}

/// A request that was not let in.
#[derive(Debug)]
#[non_exhaustive]
pub struct Refused {
    /// Why.
    pub reason: AccessRefusal,
    /// Who, if that is known: not when what was shown is not good.
    pub caller: Option<Caller>,
    /// What was asked.
    pub method: Method,
    /// The route, as in the router: `/Bundle/{id}`. None outside of every route.
    pub route: Option<String>,
    /// From where, if the server knows: maybe a proxy's.
    pub address: Option<SocketAddr>,
}

type Answer = dyn Fn(&Refused) -> Response + Send + Sync;

/// Turns refusals into answers, as the application wants them.
#[derive(Clone)]
pub(crate) struct AccessRefusals {
    authentication: Arc<Authentication>,
    answer: Arc<Answer>,
}

impl AuthenticationLayer {
    /// Refusals are plain text.
    #[must_use]
    pub fn new(authentication: Authentication) -> Self {
        Self {
            refusals: AccessRefusals::plain(authentication.clone()),
            authentication,
            failed_attempts: None,
        }
    }

    /// Looks at what is shown from an address (of IPv6: a /64) no longer when more than so many each
    /// minute were not good, and answers 429 instead. What was good in the last ten minutes is always
    /// looked at: others may be behind the same proxy. Addresses are known where the server gives
    /// [`ConnectInfo`], as that of this crate does.
    #[must_use]
    pub fn failed_attempts_per_minute(mut self, limit: NonZeroU32) -> Self {
        self.failed_attempts = Some(Arc::new(FailedAttempts::new(limit.get())));
        self
    }

    /// Answers refusals with this body and these headers, and is told of each of them. Status,
    /// `WWW-Authenticate` and `Retry-After` are always the refusal's.
    #[must_use]
    pub fn refusals(
        mut self,
        answer: impl Fn(&Refused) -> Response + Send + Sync + 'static,
    ) -> Self {
        self.refusals.answer = Arc::new(answer);
        self
    }
}

impl AccessRefusals {
    fn plain(authentication: Authentication) -> Self {
        Self {
            authentication: Arc::new(authentication),
            answer: Arc::new(|refused| format!("{}\n", refused.reason).into_response()),
        }
    }

    /// Those of the layer around the routes.
    pub(super) fn of(parts: &Parts) -> Self {
        let none = || Self::plain(Authentication::new("mediator"));
        parts.extensions.get().cloned().unwrap_or_else(none)
    }

    pub(super) fn answer(&self, parts: &Parts, reason: AccessRefusal) -> Response {
        metrics::counter!("access_refused_total", "reason" => reason.kind()).increment(1);
        let extensions = &parts.extensions;
        let address = extensions.get::<ConnectInfo<SocketAddr>>();
        let route = extensions.get::<MatchedPath>();
        let refused = Refused {
            reason,
            caller: extensions.get().cloned(),
            method: parts.method.clone(),
            route: route.map(|path| path.as_str().to_owned()),
            address: address.map(|ConnectInfo(address)| *address),
        };
        let mut response = (self.answer)(&refused);
        let status = refused.reason.status();
        *response.status_mut() = status;
        let headers = response.headers_mut();
        if let Some(challenge) = refused.reason.challenge(&self.authentication) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if let Some(wait) = refused.reason.retry_after() {
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            if let Ok(value) = HeaderValue::try_from(seconds.to_string()) {
                headers.insert(RETRY_AFTER, value);
            }
        }
        response
    }
}

impl std::fmt::Debug for AccessRefusals {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("AccessRefusals")
    }
}

impl<S> Layer<S> for AuthenticationLayer {
    type Service = AuthenticationService<S>;

    fn layer(&self, inner: S) -> AuthenticationService<S> {
        AuthenticationService {
            layer: self.clone(),
            inner,
        }
    }
}

/// The service that [`AuthenticationLayer`] makes.
#[derive(Debug, Clone)]
pub struct AuthenticationService<S> {
    layer: AuthenticationLayer,
    inner: S,
}

impl<S> Service<Request> for AuthenticationService<S>
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
        let mut ready = std::mem::replace(&mut self.inner, next);
        let AuthenticationLayer {
            authentication,
            refusals,
            failed_attempts,
        } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            parts.extensions.insert(refusals.clone());
            let attempt = match failed_attempts
                .as_ref()
                .map(|failed| failed.begin(&parts, Instant::now()))
            {
                Some(Ok(attempt)) => attempt,
                Some(Err(refusal)) => return Ok(refusals.answer(&parts, refusal)),
                None => None,
            };
            match authentication.identify(&mut parts).await {
                Ok(caller) => {
                    if let Some(attempt) = attempt {
                        attempt.succeeded();
                    }
                    if let Some(caller) = caller {
                        parts.extensions.insert(caller);
                    }
                }
                Err(refusal) => {
                    if let Some(attempt) = attempt.filter(|_| refusal.is_failed_attempt()) {
                        attempt.failed();
                    }
                    return Ok(refusals.answer(&parts, refusal));
                }
            }
            ready.call(Request::from_parts(parts, body)).await
        })
    }
}
