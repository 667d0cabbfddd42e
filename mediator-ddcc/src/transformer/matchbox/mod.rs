//! The engine of [Matchbox](https://ahdis.github.io/matchbox/), by its FHIR API.
//!
//! - **Transform**: `POST StructureMap/$transform?source=<url>`, the input in the body. It changes
//!   nothing there, so it is repeated when the connection or the server fails.
//! - **Upload**: when Matchbox lacks a map, the map, what it imports, and the models that it uses
//!   are put there from the [`Definitions`] of this program; what Matchbox has stays as it is,
//!   unless [`Upload::Always`]. Matchbox takes uploads when `matchbox.fhir.context.onlyOneEngine`
//!   is set; it keeps them in memory, so this happens again after it was started anew.
//! - **Errors** (`fault.rs`): only what is wrong with the input is [`TransformerError::Failed`].
//! - **Ids** (`generated_ids.rs`): Matchbox knows no seed, so the UUIDs that it makes at random are
//!   replaced by ones that follow from the seed.
//! - **Logical models**: Matchbox writes the model's name as `resourceType`; it is taken away, as a
//!   model is no resource.

mod fault;
mod generated_ids;
mod result;
mod upload;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use fhir_mapping::MapOutline;
use http::HeaderValue;
use http::header::ACCEPT;
use mediator_core::back_end::{BackEnd, BackEndAnswer, BackEndError};
use serde_json::Value;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::definitions::{OutlinedMap, OutlinedMaps, Written, outline_of_resource};
use super::{Definitions, LoadError, Transformer, TransformerError};
use fault::Verdict;
pub use upload::Upload;

/// Longest result that makes sense, in bytes: for
/// [`maximum_response_bytes`](mediator_core::back_end::BackEndSettings::maximum_response_bytes).
pub const MAXIMUM_RESULT_BYTES: usize = 8 * 1024 * 1024;

const FHIR_JSON: &str = "application/fhir+json";

/// Runs maps by Matchbox.
#[derive(Debug)]
pub struct MatchboxTransformer {
    back_end: BackEnd,
    upload: Upload,
    maps: OutlinedMaps,
    definitions: Definitions,
    /// How often each map was uploaded, so that calls that find it missing at the same time upload
    /// it once.
    uploads: Mutex<HashMap<String, u64>>,
    /// What is known of maps that only Matchbox has.
    remote: Mutex<HashMap<String, Arc<Known>>>,
}

/// What the result of a map is read with.
#[derive(Debug)]
struct Known {
    /// Type or model of the result; unknown when Matchbox does not show its maps.
    target: Option<String>,
    /// UUIDs that the map and its imports have written in them.
    constants: HashSet<Uuid>,
}

impl MatchboxTransformer {
    /// An engine at the base address of Matchbox's FHIR API, which is given what is missing there
    /// from `definitions`. Nothing is sent yet.
    ///
    /// # Errors
    /// [`LoadError`] naming the map that cannot be read.
    pub fn new(
        back_end: BackEnd,
        definitions: Definitions,
        upload: Upload,
    ) -> Result<Self, LoadError> {
        Ok(Self {
            back_end,
            upload,
            maps: definitions.outlined_maps()?,
            definitions,
            uploads: Mutex::default(),
            remote: Mutex::default(),
        })
    }

    async fn run(&self, map_url: &str, body: Vec<u8>) -> Result<BackEndAnswer, BackEndError> {
        self.back_end
            .post("Transform", "StructureMap/$transform")
            .query(&[("source", map_url)])
            .header(ACCEPT, HeaderValue::from_static(FHIR_JSON))
            .body(body, FHIR_JSON)
            .safe_to_repeat()
            .internal_errors_are_answers()
            .send()
            .await
    }

    /// What is needed to read results of the map.
    async fn known(&self, map_url: &str) -> Result<Arc<Known>, TransformerError> {
        if let Some(map) = self.maps.get(map_url) {
            let mut constants = HashSet::new();
            for map in self.maps.with_imports(map_url) {
                constants.extend(uuids_written_in(map));
            }
            return Ok(Arc::new(Known {
                target: map.outline.target.clone(),
                constants,
            }));
        }
        let mut remote = self.remote.lock().await;
        if let Some(known) = remote.get(map_url) {
            return Ok(Arc::clone(known));
        }
        let (known, was_found) = self.ask_for(map_url).await?;
        let known = Arc::new(known);
        if was_found {
            remote.insert(map_url.to_owned(), Arc::clone(&known));
        }
        Ok(known)
    }

    /// Reads the map and its imports, as far as Matchbox shows them.
    async fn ask_for(&self, map_url: &str) -> Result<(Known, bool), TransformerError> {
        let mut outline: Option<MapOutline> = None;
        let mut constants = HashSet::new();
        let mut seen = HashSet::new();
        let mut wanted = vec![map_url.to_owned()];
        while let Some(url) = wanted.pop() {
            if url.contains('*') || !seen.insert(url.clone()) {
                continue;
            }
            let Some(map) = self.search("StructureMap", &url, map_url).await? else {
                continue;
            };
            constants.extend(generated_ids::in_json(&map));
            if let Some(found) = outline_of_resource(&map) {
                wanted.extend(found.imports.iter().cloned());
                outline = outline.or(Some(found));
            }
        }
        let was_found = outline.is_some();
        let target = outline.and_then(|outline| outline.target);
        Ok((Known { target, constants }, was_found))
    }

    /// The resource of this type and url.
    async fn search(
        &self,
        resource_type: &str,
        url: &str,
        map_url: &str,
    ) -> Result<Option<Value>, TransformerError> {
        let answer = self
            .back_end
            .get("Look for a definition", resource_type)
            .query(&[("url", url)])
            .header(ACCEPT, HeaderValue::from_static(FHIR_JSON))
            .send()
            .await
            .map_err(|error| fault::of_call(map_url, &error))?;
        if !answer.status.is_success() {
            return Err(fault::of_status(map_url, &answer));
        }
        let bundle: Value = answer
            .json()
            .map_err(|error| fault::of_call(map_url, &error))?;
        let entries = bundle["entry"].as_array().into_iter().flatten();
        let mut resources = entries.map(|entry| &entry["resource"]);
        Ok(resources.find(|found| found["url"] == url).cloned())
    }
}

fn uuids_written_in(map: &OutlinedMap) -> HashSet<Uuid> {
    match &map.written {
        Written::Language(text) => generated_ids::in_text(text),
        Written::Resource(resource) => generated_ids::in_json(resource),
    }
}

#[async_trait]
impl Transformer for MatchboxTransformer {
    async fn transform(
        &self,
        map_url: &str,
        input: &Value,
        seed: Uuid,
    ) -> Result<Value, TransformerError> {
        let body = input.to_string().into_bytes();
        let mut uploaded = self.uploaded(map_url).await;
        if self.upload == Upload::Always && uploaded == 0 {
            self.provide(map_url, uploaded).await?;
            uploaded = self.uploaded(map_url).await;
        }
        let mut verdict = fault::verdict(map_url, self.run(map_url, body.clone()).await);
        if matches!(verdict, Verdict::MapMissing) {
            self.provide(map_url, uploaded).await?;
            verdict = fault::verdict(map_url, self.run(map_url, body).await);
        }
        let text = match verdict {
            Verdict::Result(text) => text,
            Verdict::MapMissing => return Err(fault::still_missing(map_url)),
            Verdict::Error(error) => return Err(error),
        };
        let known = self.known(map_url).await?;
        let mut result = result::read(map_url, &text, known.target.as_deref())?;
        generated_ids::replace(&mut result, input, &known.constants, seed);
        Ok(result)
    }
}
