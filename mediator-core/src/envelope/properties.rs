use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Names and values that the console shows beside a transaction, and by which it can be found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, String>")]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Adds a property, or replaces the one of this name.
    ///
    /// `.` and `$` in names are written as core itself writes them, U+FF0E and U+FF04: its
    /// database would refuse them, and with them the whole answer. An empty name becomes
    /// `unnamed`.
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl Into<String>) {
        self.0.insert(storable(name.as_ref()), value.into());
    }

    /// Adds these, replacing those of the same name.
    pub fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// The value of this name.
    #[must_use]
    pub fn get(&self, name: impl AsRef<str>) -> Option<&str> {
        self.0.get(&storable(name.as_ref())).map(String::as_str)
    }

    /// Names and values, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<BTreeMap<String, String>> for Properties {
    fn from(map: BTreeMap<String, String>) -> Self {
        let mut properties = Self::default();
        for (name, value) in map {
            properties.insert(name, value);
        }
        properties
    }
}

/// A name that MongoDB takes as a field's.
pub(super) fn storable(name: &str) -> String {
    if name.is_empty() {
        return "unnamed".to_owned();
    }
    name.chars()
        .map(|character| match character {
            '.' => '\u{ff0e}',
            '$' => '\u{ff04}',
            '\0' => '\u{fffd}',
            other => other,
        })
        .collect()
}
