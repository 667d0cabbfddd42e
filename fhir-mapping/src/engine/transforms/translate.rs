//! `translate`: a code by a concept map.

use serde_json::{Value, json};

use super::super::Engine;
use crate::concept_map::{self, Translations};
use crate::definitions::TypeId;
use crate::fhirpath::evaluate::Failure;
use crate::item::Item;
use crate::program::TranslationResult;

impl<'a> Engine<'a, '_> {
    /// `None` when the concept map does not have the code.
    pub(super) fn translate(
        &self,
        item: &Item<'a>,
        translations: &Translations,
        result: TranslationResult,
    ) -> Result<Option<Item<'a>>, Failure> {
        let codings = match item.value().get("coding").and_then(Value::as_array) {
            // A CodeableConcept: the first of its codings that is in the map.
            Some(codings) => codings.as_slice(),
            None => std::slice::from_ref(item.value()),
        };
        let mut translated = None;
        for coding in codings {
            translated = concept_map::translate(translations, coding)?;
            if translated.is_some() {
                break;
            }
        }
        let Some(coding) = translated else {
            return Ok(None);
        };
        let primitives = self.definitions.primitives;
        let element = |name, id: TypeId| {
            let value = coding.get(name)?;
            Some(Item::computed(value.clone(), id))
        };
        let data_type = |name| {
            self.definitions
                .by_name(name)
                .unwrap_or(crate::definitions::UNKNOWN)
        };
        Ok(match result {
            TranslationResult::Code => element("code", primitives.code),
            TranslationResult::System => element("system", primitives.uri),
            TranslationResult::Display => element("display", primitives.string),
            TranslationResult::Coding => Some(Item::computed(coding, data_type("Coding"))),
            TranslationResult::CodeableConcept => Some(Item::computed(
                json!({ "coding": [coding] }),
                data_type("CodeableConcept"),
            )),
        })
    }
}
