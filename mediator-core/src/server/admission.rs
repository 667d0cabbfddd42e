use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::header;
use http_body_util::Limited;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::body::{Arrival, WatchedBody};
use super::in_flight::InFlight;
use super::refusal::{Refusal, Refusals};
use super::settings::ServerSettings;

/// What a request has to pass before the application sees it.
pub(super) struct Admission {
    pub(super) permits: Arc<Semaphore>,
    pub(super) settings: ServerSettings,
    pub(super) refusals: Refusals,
}

pub(super) async fn admit(
    State(admission): State<Arc<Admission>>,
    mut request: Request,
    next: Next,
) -> Response {
    let Admission {
        permits,
        settings,
        refusals,
    } = &*admission;
    let Ok(permit) = Arc::clone(permits).try_acquire_owned() else {
        return refusals.answer(&Refusal::Overloaded {
            retry_after: settings.retry_after,
        });
    };
    let limit = settings.maximum_body_bytes;
    if announced_length(&request).is_some_and(|length| length > limit as u64) {
        return refusals.answer(&Refusal::BodyTooLarge { limit });
    }
    let arrival = Arc::new(Arrival::new(limit));
    // Kept here too: a handler may drop its request and go on.
    let in_flight = InFlight::new(permit);
    request.extensions_mut().insert(in_flight.clone());
    request.extensions_mut().insert(refusals.clone());
    request.extensions_mut().insert(Arc::clone(&arrival));
    let request = request.map(|body| {
        Body::new(WatchedBody::new(
            Limited::new(body, limit),
            Arc::clone(&arrival),
        ))
    });
    let limit = settings.request_timeout;
    match timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_) if arrival.is_awaited() => refusals.answer(&Refusal::BodyTooSlow { limit }),
        Err(_) => refusals.answer(&Refusal::TimedOut { limit }),
    }
}

fn announced_length(request: &Request) -> Option<u64> {
    request
        .headers()
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}
