//! Writing JSON.

use serde_json::Value;

/// The text of a value. `to_string` goes through a formatter, which takes twice as long.
#[must_use]
pub fn json_text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| value.to_string())
}
