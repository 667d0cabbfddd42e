use std::time::Duration;

use chrono::{DateTime, Utc};
use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

use super::BackEndError;
use super::fault::{innermost, tls_fault};
use crate::transaction::CallError;

/// An attempt without answer.
#[derive(Debug)]
pub(super) struct Unanswered {
    pub(super) error: BackEndError,
    /// The back end has certainly not seen the request.
    pub(super) unsent: bool,
}

impl Unanswered {
    pub(super) fn unsent(error: BackEndError) -> Self {
        Self {
            error,
            unsent: true,
        }
    }
}

/// What a failed exchange means. URLs stay out of the message: they can name persons.
pub(super) fn unanswered(back_end: &str, address: &str, error: CallError) -> Unanswered {
    let back_end = back_end.to_owned();
    let address = address.to_owned();
    let mut unsent = false;
    let error = match error {
        CallError::Client { reason, .. } => BackEndError::Request { back_end, reason },
        CallError::Request { source, .. } => BackEndError::Request {
            back_end,
            reason: innermost(&source).to_string(),
        },
        CallError::TimedOut { after, .. } => BackEndError::TimedOut {
            back_end,
            address,
            after,
        },
        CallError::TooLarge { limit, .. } => BackEndError::AnswerTooLarge {
            back_end,
            maximum: limit,
        },
        CallError::Unreachable { source, .. } => {
            unsent = true;
            match tls_fault(&source) {
                Some(reason) => BackEndError::Tls {
                    back_end,
                    address,
                    reason,
                },
                None => BackEndError::Unreachable {
                    back_end,
                    address,
                    reason: innermost(&source).to_string(),
                },
            }
        }
        CallError::Broken { source, .. } => match tls_fault(&source) {
            Some(reason) => BackEndError::Tls {
                back_end,
                address,
                reason,
            },
            None => BackEndError::Broken {
                back_end,
                address,
                reason: innermost(&source).to_string(),
            },
        },
        CallError::Status { .. } | CallError::Unreadable { .. } => BackEndError::NotUnderstood {
            back_end,
            expected: "what was expected".to_owned(),
        },
    };
    Unanswered { error, unsent }
}

/// Statuses that say that it may work a moment later.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// `Retry-After` (RFC 9110, section 10.2.3): seconds, or a date.
pub(super) fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?;
    Some((at.to_utc() - now).to_std().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::seconds("3", Some(3))]
    #[case::date("Tue, 24 Nov 2026 12:00:05 GMT", Some(5))]
    #[case::past_date("Tue, 24 Nov 2026 11:00:00 GMT", Some(0))]
    #[case::rubbish("soon", None)]
    #[case::negative("-1", None)]
    fn both_forms_of_retry_after_are_read(
        #[case] text: &'static str,
        #[case] seconds: Option<u64>,
    ) {
        let now = DateTime::parse_from_rfc3339("2026-11-24T12:00:00Z").map(|time| time.to_utc());
        let headers = [(RETRY_AFTER, HeaderValue::from_static(text))];
        let wait = retry_after(&headers.into_iter().collect(), now.unwrap_or_default());
        assert_eq!(wait, seconds.map(Duration::from_secs));
    }
}
