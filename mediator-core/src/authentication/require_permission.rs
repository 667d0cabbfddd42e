use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::Request;
use axum::response::Response;
use tower::{Layer, Service};

use super::caller::Caller;
use super::layer::AccessRefusals;
use super::refusal::AccessRefusal;

/// Lets nobody through to a route who has not this permission. Needs an
/// [`AuthenticationLayer`](super::AuthenticationLayer) further out; without one, nobody gets through.
#[derive(Debug, Clone)]
pub struct RequirePermission {
    permission: Arc<str>,
}

impl RequirePermission {
    /// This permission.
    #[must_use]
    pub fn new(permission: &str) -> Self {
        Self {
            permission: permission.into(),
        }
    }

    /// The request, if who sends it has the permission; else what it is answered with. For
    /// middleware that finds out for each request which permission it takes.
    ///
    /// # Errors
    /// The answer: 401 for who has shown nothing, 403 for everyone else.
    pub fn check(&self, request: Request) -> Result<Request, Box<Response>> {
        let reason = match request.extensions().get::<Caller>() {
            Some(caller) if caller.has(&self.permission) => return Ok(request),
            Some(_) => AccessRefusal::MissingPermission(Arc::clone(&self.permission)),
            None => AccessRefusal::NothingShown,
        };
        let (parts, _) = request.into_parts();
        Err(Box::new(AccessRefusals::of(&parts).answer(&parts, reason)))
    }
}

impl<S> Layer<S> for RequirePermission {
    type Service = RequirePermissionService<S>;

    fn layer(&self, inner: S) -> RequirePermissionService<S> {
        RequirePermissionService {
            required: self.clone(),
            inner,
        }
    }
}

/// The service that [`RequirePermission`] makes.
#[derive(Debug, Clone)]
pub struct RequirePermissionService<S> {
    required: RequirePermission,
    inner: S,
}

impl<S> Service<Request> for RequirePermissionService<S>
where
    S: Service<Request, Response = Response, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        match self.required.check(request) {
            Ok(request) => Box::pin(self.inner.call(request)),
            Err(refused) => Box::pin(std::future::ready(Ok(*refused))),
        }
    }
}
