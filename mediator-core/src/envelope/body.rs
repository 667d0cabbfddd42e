use std::fmt;

use axum::body::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text of a body. Cheap to clone: shares the bytes it was made of.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct BodyText(Bytes);

/// A body that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the body is not UTF-8")]
pub struct NotText;

impl BodyText {
    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn left_out(self) -> Self {
        if self.is_empty() {
            return self;
        }
        Self::from(format!(
            "[{} bytes that are not recorded: the transaction has too many]",
            self.len()
        ))
    }

    /// Whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for BodyText {
    fn from(text: String) -> Self {
        Self(Bytes::from(text))
    }
}

impl From<&str> for BodyText {
    fn from(text: &str) -> Self {
        Self(Bytes::copy_from_slice(text.as_bytes()))
    }
}

impl TryFrom<Bytes> for BodyText {
    type Error = NotText;

    fn try_from(bytes: Bytes) -> Result<Self, NotText> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(NotText),
        }
    }
}

impl fmt::Debug for BodyText {
    // Bodies name persons.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BodyText({} bytes)", self.len())
    }
}

impl Serialize for BodyText {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for BodyText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}
