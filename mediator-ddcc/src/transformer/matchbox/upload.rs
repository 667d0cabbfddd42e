//! Gives Matchbox the maps that it lacks.

use std::collections::HashSet;

use mediator_core::back_end::BackEndAnswer;
use serde_json::Value;

use super::{FHIR_JSON, MatchboxTransformer, fault};
use crate::transformer::TransformerError;
use crate::transformer::definitions::Written;
use crate::transformer::uploaded::id_of;

/// Media type of the FHIR Mapping Language.
const MAPPING_LANGUAGE: &str = "text/fhir-mapping";

/// What begins the urls of FHIR's own types, which every engine knows.
const FHIR_TYPES: &str = "http://hl7.org/fhir/StructureDefinition/";

/// When maps and models are put into Matchbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Upload {
    /// Never: they come with a package that Matchbox has loaded.
    Never,
    /// When Matchbox says that it does not have them.
    #[default]
    Missing,
    /// Also before a map is used for the first time, so that what is there is replaced.
    Always,
}

impl MatchboxTransformer {
    /// How often the map was uploaded.
    pub(super) async fn uploaded(&self, map_url: &str) -> u64 {
        let uploads = self.uploads.lock().await;
        uploads.get(map_url).copied().unwrap_or_default()
    }

    /// Uploads a map with all that it refers to, unless that has happened since `seen` uploads of
    /// it.
    pub(super) async fn provide(&self, map_url: &str, seen: u64) -> Result<(), TransformerError> {
        let maps = self.maps.with_imports(map_url);
        if maps.is_empty() {
            return Err(TransformerError::UnknownMap(map_url.to_owned()));
        }
        if self.upload == Upload::Never {
            let reason = "Matchbox does not have it, and is not to be given it: load a package \
                          with it there, or set another upload";
            return Err(fault::engine(map_url, reason));
        }
        // One at a time: what several maps import is uploaded once.
        let mut uploads = self.uploads.lock().await;
        let count = uploads.entry(map_url.to_owned()).or_default();
        if *count > seen {
            return Ok(());
        }
        tracing::info!(map = map_url, "uploading a map to Matchbox");
        let resources = self.definitions.resources();
        let used: HashSet<&str> = maps
            .iter()
            .flat_map(|map| &map.outline.structures)
            .map(String::as_str)
            .filter(|url| !url.starts_with(FHIR_TYPES))
            .collect();
        for (url, resource) in resources {
            // Which ConceptMaps a map uses is known to its expressions only.
            if resource["resourceType"] == "ConceptMap" || used.contains(url) {
                self.put_resource(map_url, url, resource).await?;
            }
        }
        for map in maps {
            match &map.written {
                Written::Resource(resource) => {
                    self.put_resource(map_url, map.url(), resource).await?;
                }
                Written::Language(text)
                    if self
                        .is_to_be_put("StructureMap", map.url(), map_url)
                        .await? =>
                {
                    let path = format!("StructureMap/{}", id_of(map.url()));
                    self.put(map_url, &path, text.clone().into_bytes(), MAPPING_LANGUAGE)
                        .await?;
                }
                Written::Language(_) => {}
            }
        }
        *count += 1;
        Ok(())
    }

    async fn put_resource(
        &self,
        map_url: &str,
        url: &str,
        resource: &Value,
    ) -> Result<(), TransformerError> {
        let resource_type = resource["resourceType"].as_str().unwrap_or_default();
        if !self.is_to_be_put(resource_type, url, map_url).await? {
            return Ok(());
        }
        let id = id_of(url);
        let path = format!("{resource_type}/{id}");
        let mut resource = resource.clone();
        resource["id"] = Value::from(id);
        let body = resource.to_string().into_bytes();
        self.put(map_url, &path, body, FHIR_JSON).await
    }

    async fn is_to_be_put(
        &self,
        resource_type: &str,
        url: &str,
        map_url: &str,
    ) -> Result<bool, TransformerError> {
        Ok(self.upload == Upload::Always
            || self.search(resource_type, url, map_url).await?.is_none())
    }

    async fn put(
        &self,
        map_url: &str,
        path: &str,
        body: Vec<u8>,
        content_type: &str,
    ) -> Result<(), TransformerError> {
        let answer = self
            .back_end
            .put("Upload a definition", path)
            .body(body, content_type)
            .internal_errors_are_answers()
            .send()
            .await
            .map_err(|error| fault::of_call(map_url, &error))?;
        if answer.status.is_success() {
            return Ok(());
        }
        Err(refusal(map_url, path, &answer))
    }
}

fn refusal(map_url: &str, path: &str, answer: &BackEndAnswer) -> TransformerError {
    match answer.status.as_u16() {
        403 | 405 | 501 => fault::engine(
            map_url,
            format!(
                "Matchbox does not have it and takes no uploads (status {}): set \
                 matchbox.fhir.context.onlyOneEngine there, or load a package with the map",
                answer.status.as_u16()
            ),
        ),
        429 | 500.. => match fault::said(answer) {
            // Definitions are about nobody: what is wrong with them may be told.
            Some(diagnostics) if answer.status == 500 => fault::engine(
                map_url,
                format!("Matchbox does not take {path}: {diagnostics}"),
            ),
            _ => fault::of_status(map_url, answer),
        },
        status => fault::engine(
            map_url,
            format!(
                "Matchbox does not take {path} (status {status}): {}",
                fault::said(answer).unwrap_or_else(|| "it does not say why".to_owned())
            ),
        ),
    }
}
