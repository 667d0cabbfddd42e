use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use tokio::time::Instant;

/// Extractor, and an extension of every request of the application: when the server gives the
/// request up, [`ServerSettings::request_timeout`](super::ServerSettings::request_timeout) after
/// its head. What a handler asks of others has no use beyond it.
///
/// ```
/// # use mediator_core::server::RequestDeadline;
/// # async fn ask() -> &'static str { "" }
/// async fn handler(deadline: RequestDeadline) -> &'static str {
///     match deadline.at() {
///         Some(at) => tokio::time::timeout_at(at, ask()).await.unwrap_or("not known yet"),
///         None => ask().await,
///     }
/// }
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RequestDeadline(Option<Instant>);

impl RequestDeadline {
    pub(super) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// The moment; `None` in a router that no [`Server`](super::Server) serves.
    #[must_use]
    pub fn at(&self) -> Option<Instant> {
        self.0
    }

    /// What is left until then; nothing when it is over, `None` as in [`RequestDeadline::at`].
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0
            .map(|at| at.saturating_duration_since(Instant::now()))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestDeadline {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().copied().unwrap_or_default())
    }
}
