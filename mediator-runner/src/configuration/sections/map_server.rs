use serde::Serialize;

use super::super::reader::Section;
use super::value;

/// `/fhir`, where other programs have maps run, as they did by Matchbox.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct MapServer {
    pub(crate) enabled: bool,
}

impl MapServer {
    pub(super) fn read(section: &mut Section<'_>) -> Self {
        Self {
            enabled: value(section.boolean("enabled")).unwrap_or(false),
        }
    }
}
