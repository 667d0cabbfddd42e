use http::StatusCode;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::headers::SentHeaders;
use super::{BodyText, RecordedHeaders, Timestamp};

/// What was answered, and when. The body is always written, if empty: core makes 204 of an answer
/// without one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedResponse {
    #[serde(serialize_with = "write_status", deserialize_with = "read_status")]
    status: StatusCode,
    #[serde(default)]
    headers: RecordedHeaders,
    #[serde(default)]
    body: BodyText,
    timestamp: Timestamp,
}

impl RecordedResponse {
    /// A response of this status without headers and body.
    #[must_use]
    pub fn new(status: StatusCode, timestamp: impl Into<Timestamp>) -> Self {
        Self {
            status,
            headers: RecordedHeaders::default(),
            body: BodyText::default(),
            timestamp: timestamp.into(),
        }
    }

    /// With these headers.
    #[must_use]
    pub fn headers(mut self, headers: impl Into<RecordedHeaders>) -> Self {
        self.headers = headers.into();
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<BodyText>) -> Self {
        self.body = body.into();
        self
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// When it was complete.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The headers.
    #[must_use]
    pub fn recorded_headers(&self) -> &RecordedHeaders {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn recorded_body(&self) -> &str {
        self.body.as_str()
    }

    /// As an answer that core can give: a 1xx is none, and some have no body.
    pub(super) fn into_answer(mut self) -> Self {
        if self.status.is_informational() {
            self.status = StatusCode::INTERNAL_SERVER_ERROR;
        }
        if matches!(self.status.as_u16(), 204 | 205 | 304) {
            self.body = BodyText::default();
        }
        self
    }

    pub(super) fn size(&self) -> usize {
        self.headers.size() + self.body_bytes()
    }

    pub(super) fn without_content(self) -> Self {
        Self {
            headers: RecordedHeaders::default(),
            body: self.body.left_out(),
            ..self
        }
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.body.len()
    }
}

/// As what core gives to clients: it makes the names storable itself, when it stores them.
pub(super) fn write_answer<S: Serializer>(
    response: &RecordedResponse,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Answer<'a> {
        #[serde(serialize_with = "write_status")]
        status: StatusCode,
        headers: SentHeaders<'a>,
        body: &'a BodyText,
        timestamp: Timestamp,
    }
    Answer {
        status: response.status,
        headers: SentHeaders(&response.headers),
        body: &response.body,
        timestamp: response.timestamp,
    }
    .serialize(serializer)
}

fn write_status<S: Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

fn read_status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<StatusCode, D::Error> {
    let status = u16::deserialize(deserializer)?;
    StatusCode::from_u16(status).map_err(|_| de::Error::custom("an HTTP status has three digits"))
}
