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
use super::deadline::RequestDeadline;
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
    let arrival = Arc::new(Arrival::new(settings.maximum_body_bytes));
    let is_awaiting_go_ahead = request.headers().contains_key(header::EXPECT);
    let announced_length = announced_length(&request);
    let body = Limited::new(
        std::mem::take(request.body_mut()),
        settings.maximum_body_bytes,
    );
    *request.body_mut() = Body::new(WatchedBody::new(body, Arc::clone(&arrival)));

    let response = match Arc::clone(permits).try_acquire_owned() {
        Err(_) => {
            drop(request);
            refusals.answer(&Refusal::Overloaded {
                retry_after: settings.retry_after,
            })
        }
        Ok(_) if announced_length > Some(settings.maximum_body_bytes as u64) => {
            drop(request);
            refusals.answer(&Refusal::BodyTooLarge {
                limit: settings.maximum_body_bytes,
            })
        }
        Ok(permit) => {
            // Kept here too: a handler may drop its request and go on.
            let in_flight = InFlight::new(permit);
            let limit = settings.request_timeout;
            let extensions = request.extensions_mut();
            extensions.insert(in_flight.clone());
            extensions.insert(RequestDeadline::after(limit));
            extensions.insert(refusals.clone());
            extensions.insert(Arc::clone(&arrival));
            match timeout(limit, next.run(request)).await {
                Ok(response) => response,
                Err(_) if arrival.is_awaited() => {
                    return refusals.answer(&Refusal::BodyTooSlow { limit });
                }
                Err(_) => refusals.answer(&Refusal::TimedOut { limit }),
            }
        }
    };
    // With `Expect: 100-continue`, reading would ask for what is not wanted.
    if !is_awaiting_go_ahead {
        arrival.discard_rest().await;
    }
    response
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
