//! Functions that ask a terminology: `memberOf`, and `validateVS` and `translate` of
//! `%terminologies` (FHIR's FHIRPath page).

use serde_json::{Value, json};

use crate::definitions::UNKNOWN;
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables, boolean, single};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::Item;
use crate::item::Item as MapItem;
use crate::terminology::{Code, Terminology};

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn code_function(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let url = match parameters.first() {
            Some(url) => self.string(url, focus, "a canonical url")?,
            None => None,
        };
        let Some(url) = url else {
            return Ok(Vec::new());
        };
        if function == Function::MemberOf {
            let Some(item) = single(items, "memberOf")? else {
                return Ok(Vec::new());
            };
            return Ok(boolean(Some(self.is_member(&url, item)?)));
        }
        if !matches!(items, [Item::Terminologies]) {
            return Err("it is a function of %terminologies".to_owned());
        }
        let coded = match parameters.get(1) {
            Some(coded) => self.eval(coded, focus)?,
            None => Vec::new(),
        };
        let Some(coded) = single(&coded, "a code")? else {
            return Ok(Vec::new());
        };
        let answer = if function == Function::ValidateValueSet {
            let result = self.is_member(&url, coded)?;
            json!([{"name": "result", "valueBoolean": result}])
        } else {
            self.translated(&url, coded)?
        };
        let parameters = json!({"resourceType": "Parameters", "parameter": answer});
        let id = self.definitions.by_name("Parameters").unwrap_or(UNKNOWN);
        Ok(vec![Item::Element(MapItem::computed(parameters, id))])
    }
    fn terminology(&self) -> Result<&'a dyn Terminology, Failure> {
        let reason = "no ValueSets or ConceptMaps are loaded, and no terminology server is set";
        self.session.terminology.ok_or_else(|| reason.to_owned())
    }

    /// A CodeableConcept is in a ValueSet when one of its codings is.
    fn is_member(&self, value_set: &str, item: &Item<'_>) -> Result<bool, Failure> {
        let terminology = self.terminology()?;
        for code in codes_of(item)? {
            let member = terminology.is_member(value_set, &code);
            if member.map_err(|error| self.session.unanswered(&error))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn translated(&self, concept_map: &str, item: &Item<'_>) -> Result<Value, Failure> {
        let terminology = self.terminology()?;
        let mut matches = Vec::new();
        for code in codes_of(item)? {
            let found = terminology.translate(concept_map, &code);
            for translation in found.map_err(|error| self.session.unanswered(&error))? {
                let mut coding = json!({"code": translation.code.code});
                if let Some(system) = translation.code.system {
                    coding["system"] = system.into();
                }
                if let Some(display) = translation.display {
                    coding["display"] = display.into();
                }
                matches.push((translation.equivalence, coding));
            }
        }
        let usable = |equivalence: &str| !matches!(equivalence, "unmatched" | "disjoint");
        let result = matches.iter().any(|(equivalence, _)| usable(equivalence));
        let mut parameters = vec![json!({"name": "result", "valueBoolean": result})];
        parameters.extend(matches.into_iter().map(|(equivalence, coding)| {
            json!({"name": "match", "part": [
                {"name": "equivalence", "valueCode": equivalence},
                {"name": "concept", "valueCoding": coding},
            ]})
        }));
        Ok(Value::Array(parameters))
    }
}

/// The codes of a code, a Coding or a CodeableConcept.
fn codes_of(item: &Item<'_>) -> Result<Vec<Code>, Failure> {
    let text = |parent: &Value, name: &str| {
        let text = parent.get(name).and_then(Value::as_str);
        text.map(ToOwned::to_owned)
    };
    let coding = |coding: &Value| {
        Some(Code {
            system: text(coding, "system"),
            code: text(coding, "code")?,
        })
    };
    if let Some(code) = item.str() {
        return Ok(vec![Code {
            system: None,
            code: code.to_owned(),
        }]);
    }
    let Some(value @ Value::Object(object)) = item.json() else {
        return Err("only a code, a Coding or a CodeableConcept can be looked up".to_owned());
    };
    Ok(match object.get("coding").and_then(Value::as_array) {
        Some(codings) => codings.iter().filter_map(coding).collect(),
        None => coding(value).into_iter().collect(),
    })
}
