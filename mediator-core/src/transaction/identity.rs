use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::openhim_headers::{CLIENT_ID, is_of_openhim};

const TRANSACTION_ID: HeaderName = HeaderName::from_static("x-openhim-transactionid");
const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Longest transaction id that is taken for one. Core's have 24 characters.
const MAXIMUM_ID_LENGTH: usize = 64;

/// The id of a transaction in OpenHIM: ASCII letters, digits and `-`, so that it can stand in a
/// URL and in a log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TransactionId(HeaderValue);

impl TransactionId {
    /// The id in `text`, if it is one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        HeaderValue::from_str(text).ok().and_then(Self::of)
    }

    fn of(value: HeaderValue) -> Option<Self> {
        let bytes = value.as_bytes();
        let is_id = (1..=MAXIMUM_ID_LENGTH).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        is_id.then_some(Self(value))
    }

    /// The id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

impl fmt::Display for TransactionId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What core says in a request's headers about whom it comes from.
#[derive(Debug, Default)]
pub(super) struct Identity {
    pub(super) transaction_id: Option<TransactionId>,
    pub(super) client_id: Option<HeaderValue>,
    pub(super) forwarded_for: Option<HeaderValue>,
    /// `X-OpenHIM-*`, for the calls that are made for this transaction.
    pub(super) propagated: Vec<(HeaderName, HeaderValue)>,
}

impl Identity {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let propagated = headers
            .iter()
            .filter(|(name, _)| is_of_openhim(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        Self {
            transaction_id: headers
                .get(TRANSACTION_ID)
                .cloned()
                .and_then(TransactionId::of),
            client_id: headers.get(CLIENT_ID).cloned(),
            forwarded_for: headers.get(FORWARDED_FOR).cloned(),
            propagated,
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn an_id_can_stand_in_a_path() {
        let id = TransactionId::parse("65f1c0a2b3d4e5f601234567").unwrap();
        assert_eq!(id.to_string(), "65f1c0a2b3d4e5f601234567");
        for text in ["", "a/b", "..", "a b", "ü", &"a".repeat(65)] {
            assert_eq!(TransactionId::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_headers_of_openhim_are_propagated() {
        let headers: HeaderMap = [
            (TRANSACTION_ID, HeaderValue::from_static("abc")),
            (CLIENT_ID, HeaderValue::from_static("lab")),
            (
                http::header::AUTHORIZATION,
                HeaderValue::from_static("secret"),
            ),
        ]
        .into_iter()
        .collect();
        let identity = Identity::of(&headers);
        assert_eq!(identity.propagated.len(), 2);
        assert_eq!(identity.client_id.unwrap(), "lab");
    }
}
