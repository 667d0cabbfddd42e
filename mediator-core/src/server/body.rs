use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::response::Response;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use super::refusal::{Refusal, Refusals};

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

/// Whether the application is waiting for the client to send more of the body.
#[derive(Debug)]
pub(super) struct Arrival {
    limit: usize,
    awaited: AtomicBool,
}

impl Arrival {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            limit,
            awaited: AtomicBool::new(false),
        }
    }

    pub(super) fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed)
    }
}

/// A request body that records whether more of it is being waited for.
pub(super) struct WatchedBody {
    body: Limited<Body>,
    arrival: Arc<Arrival>,
}

impl WatchedBody {
    pub(super) fn new(body: Limited<Body>, arrival: Arc<Arrival>) -> Self {
        Self { body, arrival }
    }
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = <Limited<Body> as HttpBody>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        let poll = Pin::new(&mut self.body).poll_frame(context);
        self.arrival
            .awaited
            .store(poll.is_pending(), Ordering::Relaxed);
        poll
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        self.body.size_hint()
    }
}
