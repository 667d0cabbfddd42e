//! `translate`: a code by a concept map.

use serde_json::{Value, json};

use super::super::Engine;
use super::super::stop::Stop;
use crate::concept_map::{self, Untranslated};
use crate::definitions::TypeId;
use crate::item::Item;
use crate::program::{TranslationResult, Translator};
use crate::terminology::Code;

impl<'a> Engine<'a, '_> {
    /// `None` when the concept map does not have the code.
    pub(super) fn translate(
        &self,
        item: &Item<'a>,
        translator: &Translator,
        result: TranslationResult,
    ) -> Result<Option<Item<'a>>, Stop> {
        let codings = match item.value().get("coding").and_then(Value::as_array) {
            // A CodeableConcept: the first of its codings that is in the map.
            Some(codings) => codings.as_slice(),
            None => std::slice::from_ref(item.value()),
        };
        let mut translated = None;
        for coding in codings {
            translated = match translator {
                Translator::Loaded(translations) => concept_map::translate(translations, coding)?,
                Translator::Server(url) => self.ask(url, coding)?,
            };
            if translated.is_some() {
                break;
            }
        }
        let Some(mut coding) = translated else {
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
            TranslationResult::Coding => {
                // HL7's engine gives system and code.
                if let Value::Object(coding) = &mut coding {
                    coding.shift_remove("display");
                }
                Some(Item::computed(coding, data_type("Coding")))
            }
            TranslationResult::CodeableConcept => Some(Item::computed(
                json!({ "coding": [coding] }),
                data_type("CodeableConcept"),
            )),
        })
    }

    /// What the terminology server translates a code, or a Coding, to.
    fn ask(&self, url: &str, source: &Value) -> Result<Option<Value>, Stop> {
        let text = |name| source.get(name).and_then(Value::as_str);
        let code = source.as_str().or_else(|| text("code"));
        let code = Code {
            system: text("system").map(ToOwned::to_owned),
            code: code
                .ok_or_else(|| "only a code or a Coding can be translated".to_owned())?
                .to_owned(),
        };
        let Some(terminology) = self.session.terminology else {
            return Err("no terminology server is set".to_owned().into());
        };
        let found = terminology.translate(url, &code);
        let found = found.map_err(|error| Stop::Definitions(error.to_string()))?;
        let is_empty = found.is_empty();
        let mut usable = found.into_iter().filter(|translation| {
            !matches!(
                translation.equivalence.as_str(),
                "narrower" | "specializes" | "unmatched" | "disjoint"
            )
        });
        match (usable.next(), usable.next()) {
            (None, _) if is_empty => Ok(None),
            (None, _) => Err("the concept map has no usable translation of a code"
                .to_owned()
                .into()),
            (Some(_), Some(_)) => Err("the concept map has several translations of a code"
                .to_owned()
                .into()),
            (Some(translation), None) => {
                let mut coding = json!({});
                if let Some(system) = translation.code.system {
                    coding["system"] = system.into();
                }
                coding["code"] = translation.code.code.into();
                if let Some(display) = translation.display {
                    coding["display"] = display.into();
                }
                Ok(Some(coding))
            }
        }
    }
}

impl From<Untranslated> for Stop {
    fn from(untranslated: Untranslated) -> Self {
        match untranslated {
            Untranslated::Code(reason) => Self::Reason(reason.to_owned()),
            Untranslated::Definitions(reason) => Self::Definitions(reason.to_owned()),
        }
    }
}
