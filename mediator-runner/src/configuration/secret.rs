//! Settings that must not be shown.
use std::fmt;

use serde::{Serialize, Serializer};

/// A text that is neither printed nor shown: whatever is of this type, `config show` redacts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

const REDACTED: &str = "<secret>";

impl Secret {
    /// The secret itself, for the one place that uses it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(REDACTED)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_not_shown_in_any_way() {
        #[derive(Debug, Serialize)]
        struct Section {
            password: Secret,
        }
        let section = Section {
            password: Secret::from("hunter2".to_owned()),
        };
        assert_eq!(section.password.expose(), "hunter2");
        for shown in [
            format!("{section:?}"),
            toml::to_string(&section).unwrap(),
            serde_json::to_string(&section).unwrap(),
        ] {
            assert!(
                shown.contains(REDACTED) && !shown.contains("hunter2"),
                "{shown}"
            );
        }
    }
}
