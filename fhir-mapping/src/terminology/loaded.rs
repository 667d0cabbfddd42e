//! Terminology from resources that are loaded.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::value_set::{self, Codes, Known, ValueSet, without_version};
use super::{Code, Terminology, TerminologyError, Translation};
use crate::error::MapError;

/// The ValueSets, CodeSystems and ConceptMaps that were added; for others it asks the terminology
/// server that was set.
#[derive(Debug, Clone, Default)]
pub struct LoadedTerminology {
    value_sets: HashMap<String, ValueSet>,
    code_systems: HashMap<String, Codes>,
    concept_maps: HashMap<String, Vec<(Code, Translation)>>,
    server: Option<Arc<dyn Terminology>>,
}

impl LoadedTerminology {
    /// Knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whom to ask about what is not loaded.
    pub fn set_server(&mut self, server: Arc<dyn Terminology>) {
        self.server = Some(server);
    }

    pub(crate) fn has_server(&self) -> bool {
        self.server.is_some()
    }

    /// Adds a ValueSet: its complete expansion, else its definition. One of the same url is
    /// replaced.
    ///
    /// # Errors
    /// [`MapError::Resource`] when it is no ValueSet or has no url.
    pub fn add_value_set(&mut self, resource: &Value) -> Result<(), MapError> {
        let url = url_of(resource, "ValueSet")?;
        self.value_sets.insert(url, ValueSet::read(resource));
        Ok(())
    }

    /// Adds a CodeSystem, for ValueSets that have every code of it. One that does not list all of
    /// its codes is left out.
    ///
    /// # Errors
    /// [`MapError::Resource`] when it is no CodeSystem or has no url.
    pub fn add_code_system(&mut self, resource: &Value) -> Result<(), MapError> {
        let url = url_of(resource, "CodeSystem")?;
        if let Some(codes) = value_set::codes_of(resource) {
            self.code_systems.insert(url, codes);
        }
        Ok(())
    }

    /// Adds a ConceptMap of R4 (`equivalence`) or R5 (`relationship`). One of the same url is
    /// replaced. `unmapped` is not used.
    ///
    /// # Errors
    /// [`MapError::Resource`] when it is no ConceptMap or has no url.
    pub fn add_concept_map(&mut self, resource: &Value) -> Result<(), MapError> {
        let url = url_of(resource, "ConceptMap")?;
        let list = |parent: &Value, name: &str| -> Vec<Value> {
            let list = parent.get(name).and_then(Value::as_array);
            list.cloned().unwrap_or_default()
        };
        let text = |parent: &Value, name: &str| {
            let text = parent.get(name).and_then(Value::as_str);
            text.map(ToOwned::to_owned)
        };
        let mut mappings = Vec::new();
        for group in list(resource, "group") {
            for element in list(&group, "element") {
                let Some(code) = text(&element, "code") else {
                    continue;
                };
                let source = Code {
                    system: text(&group, "source").map(|it| without_version(&it).to_owned()),
                    code,
                };
                for target in list(&element, "target") {
                    let Some(code) = text(&target, "code") else {
                        continue;
                    };
                    let translation = Translation {
                        code: Code {
                            system: text(&group, "target")
                                .map(|it| without_version(&it).to_owned()),
                            code,
                        },
                        display: text(&target, "display"),
                        equivalence: equivalence(&target).to_owned(),
                    };
                    mappings.push((source.clone(), translation));
                }
            }
        }
        self.concept_maps.insert(url, mappings);
        Ok(())
    }
}

impl Terminology for LoadedTerminology {
    fn is_member(&self, value_set: &str, code: &Code) -> Result<bool, TerminologyError> {
        let url = without_version(value_set);
        let known = Known {
            value_sets: &self.value_sets,
            code_systems: &self.code_systems,
        };
        let answer = match self.value_sets.get(url) {
            Some(found) => found.has(url, code, &known, 0),
            None => Err(TerminologyError::Unknown(url.to_owned())),
        };
        match (answer, &self.server) {
            (Err(_), Some(server)) => server.is_member(value_set, code),
            (answer, _) => answer,
        }
    }

    fn translate(
        &self,
        concept_map: &str,
        code: &Code,
    ) -> Result<Vec<Translation>, TerminologyError> {
        let url = without_version(concept_map);
        let Some(mappings) = self.concept_maps.get(url) else {
            return match &self.server {
                Some(server) => server.translate(concept_map, code),
                None => Err(TerminologyError::Unknown(url.to_owned())),
            };
        };
        let mut found: Vec<Translation> = mappings
            .iter()
            .filter(|(source, _)| {
                source.code == code.code && (code.system.is_none() || code.system == source.system)
            })
            .map(|(_, translation)| translation.clone())
            .collect();
        found.sort_by_key(|translation| distance(&translation.equivalence));
        Ok(found)
    }
}

/// The code of R4 for how a target relates to its source.
fn equivalence(target: &Value) -> &str {
    let text = |name: &str| target.get(name).and_then(Value::as_str);
    match (text("equivalence"), text("relationship")) {
        (Some(equivalence), _) => equivalence,
        (None, Some("equivalent")) => "equivalent",
        (None, Some("source-is-narrower-than-target")) => "wider",
        (None, Some("source-is-broader-than-target")) => "narrower",
        (None, Some("not-related-to")) => "disjoint",
        (None, _) => "relatedto",
    }
}

/// How far a translation is from its source; the least is the best.
fn distance(equivalence: &str) -> usize {
    const ORDER: [&str; 10] = [
        "equal",
        "equivalent",
        "relatedto",
        "subsumes",
        "wider",
        "specializes",
        "narrower",
        "inexact",
        "unmatched",
        "disjoint",
    ];
    ORDER
        .iter()
        .position(|known| *known == equivalence)
        .unwrap_or(ORDER.len())
}

fn url_of(resource: &Value, resource_type: &str) -> Result<String, MapError> {
    let text = |name: &str| resource.get(name).and_then(Value::as_str);
    let refuse = |reason: String| MapError::Resource {
        resource: format!("{resource_type} {}", text("url").unwrap_or("without url")),
        reason,
    };
    if text("resourceType") != Some(resource_type) {
        return Err(refuse(format!("this is no {resource_type}")));
    }
    let url = text("url").ok_or_else(|| refuse("url is missing".to_owned()))?;
    Ok(url.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    const VACCINES: &str = "http://example.org/ValueSet/vaccines";
    const SYSTEM: &str = "http://example.org/vaccines";

    fn value_set(content: &Value) -> LoadedTerminology {
        let mut resource = json!({"resourceType": "ValueSet", "url": VACCINES});
        for (name, value) in content.as_object().unwrap() {
            resource[name] = value.clone();
        }
        let mut terminology = LoadedTerminology::new();
        terminology.add_value_set(&resource).unwrap();
        terminology
    }

    fn code(system: Option<&str>, code: &str) -> Code {
        Code {
            system: system.map(ToOwned::to_owned),
            code: code.to_owned(),
        }
    }

    #[test]
    fn a_definition_lists_codes_and_leaves_some_out() {
        let terminology = value_set(&json!({"compose": {
            "include": [{"system": SYSTEM, "concept": [{"code": "A"}, {"code": "B"}]}],
            "exclude": [{"system": SYSTEM, "concept": [{"code": "B"}]}],
        }}));
        let has = |asked| terminology.is_member(VACCINES, &asked);
        assert_eq!(has(code(Some(SYSTEM), "A")), Ok(true));
        assert_eq!(has(code(None, "A")), Ok(true));
        assert_eq!(has(code(Some(SYSTEM), "B")), Ok(false));
        assert_eq!(has(code(Some("http://example.org/other"), "A")), Ok(false));
        let versioned = format!("{VACCINES}|1.0.0");
        assert_eq!(
            terminology.is_member(&versioned, &code(None, "A")),
            Ok(true)
        );
    }

    #[test]
    fn an_expansion_counts_before_the_definition_when_it_is_complete() {
        let mut content = json!({
            "compose": {"include": [{"system": SYSTEM, "filter": [{"property": "concept", "op": "is-a", "value": "A"}]}]},
            "expansion": {"total": 3, "contains": [
                {"system": SYSTEM, "code": "group", "abstract": true, "contains": [{"system": SYSTEM, "code": "A"}]},
                {"system": SYSTEM, "code": "B"}]},
        });
        let terminology = value_set(&content);
        let has = |asked| terminology.is_member(VACCINES, &asked);
        assert_eq!(has(code(Some(SYSTEM), "A")), Ok(true));
        assert_eq!(has(code(Some(SYSTEM), "group")), Ok(false));
        assert_eq!(has(code(Some(SYSTEM), "C")), Ok(false));
        content["expansion"]["total"] = json!(4);
        let error = value_set(&content)
            .is_member(VACCINES, &code(Some(SYSTEM), "C"))
            .unwrap_err();
        assert!(matches!(error, TerminologyError::NeedsServer { .. }));
    }

    #[test]
    fn every_code_of_a_system_needs_the_code_system() {
        let mut terminology = value_set(&json!({"compose": {"include": [{"system": SYSTEM}]}}));
        let asked = code(Some(SYSTEM), "A1");
        assert!(terminology.is_member(VACCINES, &asked).is_err());
        let mut system = json!({"resourceType": "CodeSystem", "url": SYSTEM, "content": "fragment",
            "concept": [{"code": "A", "concept": [{"code": "A1"}]}]});
        terminology.add_code_system(&system).unwrap();
        assert!(terminology.is_member(VACCINES, &asked).is_err());
        system["content"] = json!("complete");
        terminology.add_code_system(&system).unwrap();
        assert_eq!(terminology.is_member(VACCINES, &asked), Ok(true));
        assert_eq!(
            terminology.is_member(VACCINES, &code(Some(SYSTEM), "A2")),
            Ok(false)
        );
    }

    #[test]
    fn value_sets_of_value_sets() {
        let mut terminology = value_set(&json!({"compose": {"include": [
            {"valueSet": ["http://example.org/ValueSet/a|2", "http://example.org/ValueSet/b"]}]}}));
        let asked = code(Some(SYSTEM), "A");
        assert!(terminology.is_member(VACCINES, &asked).is_err());
        for (name, codes) in [
            ("a", json!([{"code": "A"}, {"code": "B"}])),
            ("b", json!([{"code": "A"}])),
        ] {
            let resource = json!({"resourceType": "ValueSet", "url": format!("http://example.org/ValueSet/{name}"),
                "compose": {"include": [{"system": SYSTEM, "concept": codes}]}});
            terminology.add_value_set(&resource).unwrap();
        }
        assert_eq!(terminology.is_member(VACCINES, &asked), Ok(true));
        assert_eq!(
            terminology.is_member(VACCINES, &code(Some(SYSTEM), "B")),
            Ok(false)
        );
        let itself = value_set(&json!({"compose": {"include": [{"valueSet": [VACCINES]}]}}));
        assert!(itself.is_member(VACCINES, &asked).is_err());
    }

    #[test]
    fn translations_best_first_in_both_versions() {
        let mut terminology = LoadedTerminology::new();
        let map = json!({"resourceType": "ConceptMap", "url": "http://example.org/ConceptMap/m",
            "group": [{"source": SYSTEM, "target": "http://example.org/t", "element": [
                {"code": "A", "target": [
                    {"code": "x", "relationship": "source-is-narrower-than-target"},
                    {"code": "y", "display": "Y", "equivalence": "equal"}]}]}]});
        terminology.add_concept_map(&map).unwrap();
        let found = terminology
            .translate("http://example.org/ConceptMap/m", &code(None, "A"))
            .unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|it| (it.code.code.as_str(), it.equivalence.as_str()))
            .collect();
        assert_eq!(found, [("y", "equal"), ("x", "wider")]);
        assert_eq!(
            terminology.translate("http://example.org/ConceptMap/m", &code(None, "B")),
            Ok(Vec::new())
        );
        assert!(terminology.translate("m", &code(None, "A")).is_err());
    }

    #[test]
    fn what_is_not_known_is_asked_of_the_server() {
        #[derive(Debug)]
        struct Server;
        impl Terminology for Server {
            fn is_member(&self, value_set: &str, code: &Code) -> Result<bool, TerminologyError> {
                Ok(value_set == "http://example.org/ValueSet/there" && code.code == "A")
            }
            fn translate(
                &self,
                concept_map: &str,
                _: &Code,
            ) -> Result<Vec<Translation>, TerminologyError> {
                Err(TerminologyError::Failed(concept_map.to_owned()))
            }
        }
        let mut terminology = value_set(&json!({"compose": {"include": [
            {"system": SYSTEM, "concept": [{"code": "B"}]}]}}));
        terminology.set_server(Arc::new(Server));
        let asked = code(None, "A");
        assert_eq!(
            terminology.is_member("http://example.org/ValueSet/there", &asked),
            Ok(true)
        );
        assert_eq!(terminology.is_member(VACCINES, &asked), Ok(false));
        assert_eq!(
            terminology.translate("m", &asked),
            Err(TerminologyError::Failed("m".to_owned()))
        );
    }

    #[test]
    fn other_resources_are_refused() {
        let mut terminology = LoadedTerminology::new();
        let error = terminology
            .add_value_set(&json!({"resourceType": "Patient"}))
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "ValueSet without url: this is no ValueSet"
        );
        let error = terminology
            .add_code_system(&json!({"resourceType": "CodeSystem"}))
            .unwrap_err();
        assert_eq!(error.to_string(), "CodeSystem without url: url is missing");
    }
}
