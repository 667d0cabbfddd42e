//! What a map says of itself.

use crate::error::MapError;
use crate::language::map_parser;
use crate::language::syntax::StructureMode;

/// A map's url, and what it refers to: enough to look after maps that another engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapOutline {
    /// Canonical url of the map.
    pub url: String,
    /// Canonical urls of all types and models that it uses, in its order.
    pub structures: Vec<String>,
    /// Canonical url of the type or model that it makes: the first target.
    pub target: Option<String>,
    /// Canonical urls of the maps that it imports; each may have `*`.
    pub imports: Vec<String>,
}

impl MapOutline {
    /// Reads a map in the FHIR Mapping Language.
    ///
    /// # Errors
    /// [`MapError::Syntax`], as [`MapLibrary::add_map`](crate::MapLibrary::add_map).
    pub fn of(text: &str) -> Result<Self, MapError> {
        let (map, _) = map_parser::parse(text).map_err(MapError::Syntax)?;
        let target = map
            .structures
            .iter()
            .find(|structure| structure.mode == StructureMode::Target);
        Ok(Self {
            target: target.map(|structure| structure.url.clone()),
            structures: map.structures.into_iter().map(|used| used.url).collect(),
            imports: map.imports.into_iter().map(|import| import.url).collect(),
            url: map.url,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn tells_what_a_map_refers_to() {
        let outline = MapOutline::of(
            r#"map "http://x/StructureMap/a" = "a"
            uses "http://x/StructureDefinition/Model" alias Model as source
            uses "http://hl7.org/fhir/StructureDefinition/Patient" alias Patient as produced
            uses "http://hl7.org/fhir/StructureDefinition/Bundle" alias Bundle as target
            imports "http://x/StructureMap/b"
            group a(source s : Model, target b : Bundle) { s -> b.type = 'batch' "type"; }"#,
        );
        assert_eq!(
            outline.unwrap(),
            MapOutline {
                url: "http://x/StructureMap/a".to_owned(),
                structures: vec![
                    "http://x/StructureDefinition/Model".to_owned(),
                    "http://hl7.org/fhir/StructureDefinition/Patient".to_owned(),
                    "http://hl7.org/fhir/StructureDefinition/Bundle".to_owned(),
                ],
                target: Some("http://hl7.org/fhir/StructureDefinition/Bundle".to_owned()),
                imports: vec!["http://x/StructureMap/b".to_owned()],
            }
        );
        MapOutline::of("map (").unwrap_err();
    }
}
