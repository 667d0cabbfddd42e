use serde::{Deserialize, Deserializer, Serialize, de};
use url::Url;

use super::{BodyText, RecordedHeaders, Timestamp};

/// What was asked, and when. Only the time is required: a call to a database has no URL.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordedRequest {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "port"
    )]
    port: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "RecordedHeaders::is_empty")]
    headers: RecordedHeaders,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    querystring: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    body: Option<BodyText>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    timestamp: Timestamp,
}

impl RecordedRequest {
    /// A request made at this time.
    #[must_use]
    pub fn new(timestamp: impl Into<Timestamp>) -> Self {
        Self {
            host: None,
            port: None,
            path: None,
            headers: RecordedHeaders::default(),
            querystring: None,
            body: None,
            method: None,
            timestamp: timestamp.into(),
        }
    }

    /// With a URL's host, port, path and query. A user and a password in it are left out.
    #[must_use]
    pub fn url(mut self, url: &Url) -> Self {
        self.host = url.host_str().map(str::to_owned);
        self.port = url.port_or_known_default().map(|port| port.to_string());
        self.path = Some(url.path().to_owned());
        self.querystring = url.query().map(str::to_owned);
        self
    }

    /// With a host that is no URL's, such as a database's.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>, port: Option<u16>) -> Self {
        self.host = Some(host.into());
        self.port = port.map(|port| port.to_string());
        self
    }

    /// With a path that is no URL's, such as a table's name.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// With this query string, without `?`.
    #[must_use]
    pub fn querystring(mut self, querystring: impl Into<String>) -> Self {
        self.querystring = Some(querystring.into());
        self
    }

    /// With these headers.
    #[must_use]
    pub fn headers(mut self, headers: impl Into<RecordedHeaders>) -> Self {
        self.headers = headers.into();
        self
    }

    /// With this method, or whatever the verb is where it is not HTTP.
    #[must_use]
    pub fn method(mut self, method: impl Into<String>) -> Self {
        self.method = Some(method.into());
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: impl Into<BodyText>) -> Self {
        self.body = Some(body.into());
        self
    }

    /// When it was made.
    #[must_use]
    pub fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    /// The method.
    #[must_use]
    pub fn recorded_method(&self) -> Option<&str> {
        self.method.as_deref()
    }

    /// The host.
    #[must_use]
    pub fn recorded_host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The port.
    #[must_use]
    pub fn recorded_port(&self) -> Option<&str> {
        self.port.as_deref()
    }

    /// The path.
    #[must_use]
    pub fn recorded_path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The query string, without `?`.
    #[must_use]
    pub fn recorded_querystring(&self) -> Option<&str> {
        self.querystring.as_deref()
    }

    /// The headers.
    #[must_use]
    pub fn recorded_headers(&self) -> &RecordedHeaders {
        &self.headers
    }

    /// The body.
    #[must_use]
    pub fn recorded_body(&self) -> Option<&str> {
        self.body.as_ref().map(BodyText::as_str)
    }

    pub(super) fn size(&self) -> usize {
        let texts = [&self.host, &self.path, &self.querystring];
        let texts: usize = texts.into_iter().flatten().map(String::len).sum();
        texts + self.headers.size() + self.body_bytes()
    }

    pub(super) fn without_content(self) -> Self {
        Self {
            headers: RecordedHeaders::default(),
            body: self.body.map(BodyText::left_out),
            ..self
        }
    }

    pub(super) fn body_bytes(&self) -> usize {
        self.body.as_ref().map_or(0, BodyText::len)
    }
}

/// Core's schema says text; what mediators send it are numbers too.
fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a port")]
    enum Port {
        Number(u16),
        Text(String),
    }
    match Option::<Port>::deserialize(deserializer) {
        Ok(Some(Port::Number(port))) => Ok(Some(port.to_string())),
        Ok(Some(Port::Text(port))) => Ok(Some(port)),
        Ok(None) => Ok(None),
        Err(error) => Err(de::Error::custom(error)),
    }
}
