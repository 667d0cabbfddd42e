//! `[transformer]`: who runs the maps.

use std::collections::HashSet;

use mediator_ddcc::transformer::MapSelection;
use mediator_ddcc::transformer::matchbox::Upload;
use serde::{Serialize, Serializer};

use super::super::reader::Section;
use super::back_end::BackEnd;
use super::value;

const UPLOADS: [(&str, Upload); 3] = [
    ("missing", Upload::Missing),
    ("always", Upload::Always),
    ("never", Upload::Never),
];

/// Matchbox, if it is configured; without it this program runs all maps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Transformer {
    #[serde(flatten)]
    pub(crate) matchbox: BackEnd,
    /// Canonical urls of the maps that Matchbox runs; without them all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) maps: Option<Vec<String>>,
    #[serde(serialize_with = "upload_name")]
    pub(crate) upload: Upload,
}

impl Transformer {
    pub(super) fn read(mut section: Section<'_>) -> Self {
        let has_url = section.is_set("url");
        // Maps that have not run for a while are compiled first.
        let matchbox = BackEnd::read(&mut section, 30);
        let is_url = |word: &str| word.contains(':').then(|| word.to_owned());
        let maps = section.words("maps", is_url, "canonical urls of StructureMaps");
        if let (Some(maps), false) = (&maps, has_url) {
            let text = "is of no use without transformer.url, the address of Matchbox";
            section.mistake("maps", &maps.place, text);
        }
        Self {
            matchbox,
            maps: value(maps),
            upload: value(section.one_of("upload", &UPLOADS)).unwrap_or_default(),
        }
    }

    /// Which maps Matchbox runs, where it is configured.
    pub(crate) fn selection(&self) -> MapSelection {
        match &self.maps {
            None => MapSelection::All,
            Some(maps) => MapSelection::Only(HashSet::from_iter(maps.iter().cloned())),
        }
    }
}

fn upload_name<S: Serializer>(upload: &Upload, serializer: S) -> Result<S::Ok, S::Error> {
    let named = UPLOADS.iter().find(|(_, value)| value == upload);
    serializer.serialize_str(named.map_or("", |(name, _)| name))
}
