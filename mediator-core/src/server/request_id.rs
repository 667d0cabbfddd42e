use std::convert::Infallible;
use std::fmt;

use axum::extract::FromRequestParts;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// Longest id that is taken over from a client.
const MAXIMUM_LENGTH: usize = 64;

/// What names one request in the log: the client's `X-Request-Id` if it is a plain one, else a
/// new UUID. Extractor; also in the answer's header of that name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(HeaderValue);

impl RequestId {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        headers
            .get(HEADER)
            .filter(|value| is_plain(value.as_bytes()))
            .map_or_else(Self::new, |value| Self(value.clone()))
    }

    fn new() -> Self {
        let id = Uuid::new_v4().to_string();
        Self(HeaderValue::try_from(id).unwrap_or(HeaderValue::from_static("unknown")))
    }

    pub(super) fn header_value(&self) -> HeaderValue {
        self.0.clone()
    }

    /// The id; ASCII letters, digits, `-`, `_` and `.`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// Ids go into log lines: nothing that could break one or hide a text in it.
fn is_plain(id: &[u8]) -> bool {
    (1..=MAXIMUM_LENGTH).contains(&id.len())
        && id
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(parts
            .extensions
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::of(&parts.headers)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &'static [u8]) -> RequestId {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_bytes(value).unwrap());
        RequestId::of(&headers)
    }

    #[test]
    fn a_plain_id_is_kept() {
        assert_eq!(of(b"abc-1_2.Z").as_str(), "abc-1_2.Z");
    }

    #[test]
    fn any_other_is_replaced() {
        for value in [
            b"".as_slice(),
            b"a b",
            b"x=1",
            b"\xc3\xbc",
            &[b'a'; MAXIMUM_LENGTH + 1],
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(HEADER, HeaderValue::from_bytes(value).unwrap());
            let id = RequestId::of(&headers);
            assert!(id.as_str().parse::<Uuid>().is_ok(), "{value:?}: {id}");
        }
    }
}
