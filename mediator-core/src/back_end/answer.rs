use std::fmt;
use std::sync::Arc;

use axum::body::Bytes;
use http::{HeaderMap, StatusCode};
use serde::de::DeserializeOwned;

use super::BackEndError;

/// What a back end answered, whole.
#[derive(Clone)]
#[non_exhaustive]
pub struct BackEndAnswer {
    /// HTTP status; any but 401.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    pub(super) back_end: Arc<str>,
}

impl BackEndAnswer {
    /// The value of a header, if it is there and text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as JSON of this type.
    ///
    /// # Errors
    /// [`BackEndError::NotUnderstood`] when it is not; says where, and not what is there.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, BackEndError> {
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let expected = match error.inner().classify() {
                serde_json::error::Category::Data => {
                    format!("the JSON that was expected, at {}", error.path())
                }
                _ => "JSON".to_owned(),
            };
            self.not_understood(expected)
        })
    }

    /// The body as text.
    ///
    /// # Errors
    /// [`BackEndError::NotUnderstood`] when it is not UTF-8.
    pub fn text(&self) -> Result<&str, BackEndError> {
        std::str::from_utf8(&self.body).map_err(|_| self.not_understood("text".to_owned()))
    }

    fn not_understood(&self, expected: String) -> BackEndError {
        BackEndError::NotUnderstood {
            back_end: self.back_end.to_string(),
            expected,
        }
    }
}

/// Without headers and body.
impl fmt::Debug for BackEndAnswer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BackEndAnswer")
            .field("status", &self.status)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}
