use std::error::Error;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::{Frame, SizeHint};
use tokio::time::timeout;

use super::refusal::{Refusal, Refusals};

/// How long a body that nobody wants is read on.
const DISCARD_TIME: Duration = Duration::from_secs(5);

/// The whole request body. What goes wrong is answered as [`Refusal::BodyTooLarge`] or
/// [`Refusal::BodyIncomplete`], in the application's form of refusals.
///
/// Unlike axum's `Bytes`, whose rejection is plain text.
#[derive(Debug, Clone)]
pub struct RequestBody(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for RequestBody {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Self::Rejection> {
        let (parts, body) = request.into_parts();
        match body.collect().await {
            Ok(collected) => Ok(Self(collected.to_bytes())),
            Err(error) => {
                let limit = parts.extensions.get::<Arc<Arrival>>();
                let refusal = match limit {
                    Some(arrival) if is_length_limit(&error) => Refusal::BodyTooLarge {
                        limit: arrival.limit,
                    },
                    _ => Refusal::BodyIncomplete,
                };
                Err(parts
                    .extensions
                    .get::<Refusals>()
                    .cloned()
                    .unwrap_or_default()
                    .answer(&refusal))
            }
        }
    }
}

fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.is::<LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// How a request's body arrives, as seen from outside the application.
#[derive(Debug)]
pub(crate) struct Arrival {
    limit: usize,
    awaited: AtomicBool,
    unread: Mutex<Option<Limited<Body>>>,
}

impl Arrival {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            awaited: AtomicBool::new(false),
            unread: Mutex::new(None),
        }
    }

    /// Whether the application is waiting for the client to send more.
    pub(crate) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }

    /// Reads what the application left, for a while. Many clients read an answer only when they
    /// have sent everything, and would otherwise see a broken connection in its place.
    pub(super) async fn discard_rest(&self) {
        let unread = self
            .unread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some(mut body) = unread else {
            return;
        };
        let discard = async {
            while let Some(frame) = body.frame().await {
                // Beyond its limit the body goes on, with an error for each frame.
                if frame.is_err_and(|error| !error.is::<LengthLimitError>()) {
                    return;
                }
            }
        };
        // Whoever is not done by then has to live with it.
        let _ = timeout(DISCARD_TIME, discard).await;
    }
}

/// A request body that tells how it arrives.
pub(super) struct WatchedBody {
    body: Option<Limited<Body>>,
    arrival: Arc<Arrival>,
}

impl WatchedBody {
    pub(super) fn new(body: Limited<Body>, arrival: Arc<Arrival>) -> Self {
        Self {
            body: Some(body),
            arrival,
        }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = <Limited<Body> as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let poll = Pin::new(body).poll_frame(context);
        if let Poll::Ready(None) = poll {
            self.body = None;
        }
        self.arrival
            .awaited
            .store(poll.is_pending(), Ordering::Relaxed);
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        let rest = self.body.take().filter(|body| !body.is_end_stream());
        *self
            .arrival
            .unread
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = rest;
    }
}
