use serde::Deserialize;

use super::{Call, OpenHim, OpenHimError};

/// Which core it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct About {
    /// Core's version.
    #[serde(rename = "currentCoreVersion")]
    pub version: semver::Version,
    /// The time zone of its schedules, such as `Africa/Johannesburg`.
    #[serde(default)]
    pub server_timezone: String,
}

impl OpenHim {
    /// Asks core for its version.
    ///
    /// # Errors
    /// As any call.
    pub async fn about(&self) -> Result<About, OpenHimError> {
        self.json(&Call::get("tell its version", &["about"])).await
    }
}
