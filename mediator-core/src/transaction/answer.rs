use axum::body::{Body, Bytes, HttpBody as _};
use axum::response::Response;
use futures::stream;
use http::response::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;

use super::Transaction;
use super::accept::{IsAccepted, Unfinished};
use super::delivery::Completion;
use super::handler_error::Retry;
use super::recording::Outcome;
use super::settings::TransactionSettings;
use crate::envelope::{BodyText, Envelope, RecordedResponse, Timestamp, TransactionStatus};

const ENVELOPE: HeaderValue = HeaderValue::from_static(Envelope::MEDIA_TYPE);

/// Of one connection (RFC 9110 section 7.6.1), or set by whoever sends the answer on.
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    header::CONTENT_LENGTH,
];

/// The handler's answer as core shall have it; see the table in the [module](super).
pub(super) async fn answer(transaction: &Transaction, response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let limit = transaction.settings().maximum_envelope_body_bytes;
    let text = match read_text(body, limit).await {
        Read::Text(text) => text,
        Read::Other(body) => {
            complete_later(transaction, &mut parts);
            return Response::from_parts(parts, body);
        }
        Read::Broken(error) => {
            tracing::error!(%error, "a handler's answer broke off");
            parts.status = StatusCode::INTERNAL_SERVER_ERROR;
            parts.headers = HeaderMap::new();
            BodyText::from("the answer broke off; the server's log says more\n")
        }
    };
    let outcome = transaction.close().unwrap_or_default();
    envelop(transaction.settings(), parts, text, outcome)
}

/// Core takes this answer as it is, and makes a status of the one of HTTP. What else there is to
/// tell goes another way.
fn complete_later(transaction: &Transaction, parts: &mut Parts) {
    let outcome = transaction.close().unwrap_or_default();
    let retry = parts.extensions.remove::<Retry>();
    if outcome.is_empty() && retry.is_none() {
        return;
    }
    let Some(id) = transaction.id().cloned() else {
        return;
    };
    let Some(store) = transaction.store().cloned() else {
        tracing::warn!(
            transaction = %id,
            "OpenHIM is not told which calls were made: the answer is no text, or too long for \
             an envelope, and there is no user of its API"
        );
        return;
    };
    let completion = Completion {
        status: transaction_status(parts.status, outcome.has_failures),
        response: None,
        outcome,
        error: retry.map(|Retry(error)| error),
    };
    let transaction = transaction.clone();
    let unfinished = Unfinished(Some(id.clone()));
    tokio::spawn(async move {
        transaction.deliver(&*store, &id, &completion).await;
        unfinished.end();
    });
}

fn envelop(
    settings: &TransactionSettings,
    mut parts: Parts,
    text: BodyText,
    outcome: Outcome,
) -> Response {
    drop_hop_by_hop(&mut parts.headers);
    let status = match parts.extensions.remove::<IsAccepted>() {
        Some(IsAccepted) if settings.has_asynchronous_channels => TransactionStatus::PendingAsync,
        Some(IsAccepted) => TransactionStatus::Processing,
        None => transaction_status(parts.status, outcome.has_failures),
    };
    let response = RecordedResponse::new(parts.status, Timestamp::now())
        .headers(parts.headers)
        .body(text);
    let mut envelope = Envelope::new(&*settings.mediator_urn, status, response)
        .orchestrations(outcome.orchestrations)
        .properties(outcome.properties);
    if let Some(Retry(error)) = parts.extensions.remove::<Retry>() {
        envelope = envelope.retried_by_core(error);
    }
    let mut answer = Response::new(Body::from(envelope.to_json()));
    answer.headers_mut().insert(header::CONTENT_TYPE, ENVELOPE);
    *answer.extensions_mut() = parts.extensions;
    // Core ignores it; whoever watches the mediator does not. These have no body, though.
    *answer.status_mut() = match envelope.answer().status() {
        StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT | StatusCode::NOT_MODIFIED => {
            StatusCode::OK
        }
        status => status,
    };
    answer
}

pub(super) fn transaction_status(status: StatusCode, has_failures: bool) -> TransactionStatus {
    if status.as_u16() >= 500 || status.is_informational() {
        TransactionStatus::Failed
    } else if has_failures {
        TransactionStatus::CompletedWithErrors
    } else if status.is_client_error() {
        TransactionStatus::Completed
    } else {
        TransactionStatus::Successful
    }
}

pub(super) fn drop_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_BY_HOP.iter().chain(&named) {
        headers.remove(name);
    }
}

enum Read {
    Text(BodyText),
    /// Too long, or no text.
    Other(Body),
    Broken(axum::Error),
}

async fn read_text(mut body: Body, limit: usize) -> Read {
    if body.size_hint().lower() > limit as u64 {
        return Read::Other(body);
    }
    let mut frames: Vec<Bytes> = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let data = match frame {
            Ok(frame) => frame.into_data().unwrap_or_default(),
            Err(error) => return Read::Broken(error),
        };
        length += data.len();
        frames.push(data);
        if length > limit {
            let beginning = frames.into_iter().map(Ok::<_, axum::Error>);
            let rest = body.into_data_stream();
            let whole = futures::StreamExt::chain(stream::iter(beginning), rest);
            return Read::Other(Body::from_stream(whole));
        }
    }
    let whole = match frames.pop() {
        None => Bytes::new(),
        Some(only) if frames.is_empty() => only,
        Some(last) => {
            frames.push(last);
            frames.concat().into()
        }
    };
    match BodyText::try_from(whole.clone()) {
        Ok(text) => Read::Text(text),
        Err(_) => Read::Other(Body::from(whole)),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(200, false, TransactionStatus::Successful)]
    #[case(302, false, TransactionStatus::Successful)]
    #[case(200, true, TransactionStatus::CompletedWithErrors)]
    #[case(404, false, TransactionStatus::Completed)]
    #[case(404, true, TransactionStatus::CompletedWithErrors)]
    #[case(500, false, TransactionStatus::Failed)]
    #[case(503, true, TransactionStatus::Failed)]
    #[case(799, true, TransactionStatus::Failed)]
    fn outcomes_become_statuses(
        #[case] http: u16,
        #[case] has_failures: bool,
        #[case] expected: TransactionStatus,
    ) {
        let http = StatusCode::from_u16(http).unwrap_or_default();
        assert_eq!(transaction_status(http, has_failures), expected);
    }

    #[test]
    fn headers_of_the_connection_are_dropped() {
        let mut headers: HeaderMap = [
            (header::CONNECTION, "close, X-Mine"),
            (HeaderName::from_static("x-mine"), "1"),
            (HeaderName::from_static("keep-alive"), "timeout=5"),
            (header::CONTENT_LENGTH, "5"),
            (header::ETAG, "\"a\""),
        ]
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect();
        drop_hop_by_hop(&mut headers);
        assert_eq!(headers.len(), 1);
        assert!(headers.contains_key(header::ETAG));
    }
}
