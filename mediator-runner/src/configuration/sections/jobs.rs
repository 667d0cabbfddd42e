use serde::Serialize;

use super::super::reader::Section;
use super::value;

/// Work on a schedule.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Jobs {
    /// Cron expression with seconds, or `never`.
    pub(crate) finish_interrupted: String,
    /// IANA name.
    pub(crate) time_zone: String,
}

impl Jobs {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            finish_interrupted: value(
                section.parsed("finish_interrupted", |text| Ok(text.to_owned())),
            )
            .unwrap_or_else(|| "0 */5 * * * *".to_owned()),
            time_zone: value(section.text("time_zone")).unwrap_or_else(|| "UTC".to_owned()),
        }
    }
}
