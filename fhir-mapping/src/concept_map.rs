//! Concept maps: `conceptmap` blocks of a map, and ConceptMap resources of FHIR R4 and R5.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::error::MapError;
use crate::language::syntax;

/// Concept maps by their urls; `#name` for one in a map.
pub(crate) type ConceptMaps = Arc<HashMap<String, Arc<ConceptMap>>>;

/// How many concept maps may refer to one another in turn (`other-map`).
const MAXIMUM_OTHER_MAPS: usize = 8;

#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ConceptMap {
    groups: Vec<Group>,
}

/// What a rule translates with.
#[derive(Debug, Clone)]
pub(crate) struct Translations {
    pub(crate) concept_map: Arc<ConceptMap>,
    /// Those that it may refer to.
    pub(crate) others: ConceptMaps,
}

/// Mappings between two code systems; any, where a name is empty.
#[derive(Debug, Clone, PartialEq, Default)]
struct Group {
    source: String,
    target: String,
    elements: HashMap<String, Vec<Target>>,
    unmapped: Option<Unmapped>,
}

#[derive(Debug, Clone, PartialEq)]
struct Target {
    system: String,
    code: String,
    display: Option<String>,
    /// Whether the target says no more than the source: equivalent, wider or related.
    usable: bool,
}

/// What becomes of a code without mapping.
#[derive(Debug, Clone, PartialEq)]
enum Unmapped {
    Provided,
    Fixed(String, Option<String>),
    OtherMap(String),
}

impl ConceptMap {
    /// A block of a map.
    pub(crate) fn of_block(block: &syntax::ConceptMap) -> Self {
        let mut read = Self::default();
        for mapping in &block.mappings {
            let group = read.group(&mapping.source_system, &mapping.target_system);
            // As in HL7's engine, the first line of a code counts.
            group
                .elements
                .entry(mapping.source_code.clone())
                .or_insert_with(|| {
                    vec![Target {
                        system: mapping.target_system.clone(),
                        code: mapping.target_code.clone(),
                        display: None,
                        usable: mapping.usable,
                    }]
                });
        }
        for unmapped in &block.unmapped {
            let mode = match &unmapped.mode {
                syntax::UnmappedMode::Provided => Unmapped::Provided,
                syntax::UnmappedMode::Fixed(code) => Unmapped::Fixed(code.clone(), None),
                syntax::UnmappedMode::OtherMap(url) => Unmapped::OtherMap(url.clone()),
            };
            let source = &unmapped.source_system;
            let known = read.groups.iter_mut().find(|group| group.source == *source);
            match known {
                Some(group) => group.unmapped = Some(mode),
                None => read.group(source, "").unmapped = Some(mode),
            }
        }
        read
    }

    fn group(&mut self, source: &str, target: &str) -> &mut Group {
        let is_same = |group: &Group| group.source == source && group.target == target;
        let place = self.groups.iter().position(is_same);
        let place = place.unwrap_or_else(|| {
            self.groups.push(Group {
                source: source.to_owned(),
                target: target.to_owned(),
                ..Group::default()
            });
            self.groups.len() - 1
        });
        &mut self.groups[place]
    }

    /// Reads a ConceptMap resource: its url and what it says.
    pub(crate) fn read(resource: &Value) -> Result<(String, Self), MapError> {
        let url = text(resource, "url");
        let refuse = |reason: String| MapError::Resource {
            resource: format!("ConceptMap {}", url.as_deref().unwrap_or("without url")),
            reason,
        };
        if resource.get("resourceType").and_then(Value::as_str) != Some("ConceptMap") {
            return Err(refuse("this is no ConceptMap".to_owned()));
        }
        let groups = list(resource, "group").map(read_group);
        let groups = groups.collect::<Result<_, _>>().map_err(refuse)?;
        let url = url
            .clone()
            .ok_or_else(|| refuse("url is missing".to_owned()))?;
        Ok((url, Self { groups }))
    }
}

fn read_group(group: &Value) -> Result<Group, String> {
    // R5 allows a version after the url.
    let system = |name| {
        let url = text(group, name).unwrap_or_default();
        url.split('|').next().unwrap_or_default().to_owned()
    };
    let mut read = Group {
        source: system("source"),
        target: system("target"),
        ..Group::default()
    };
    for element in list(group, "element") {
        let code = text(element, "code").ok_or("group.element.code is missing")?;
        let targets = list(element, "target").filter_map(|target| {
            Some(Target {
                system: read.target.clone(),
                code: text(target, "code")?,
                display: text(target, "display"),
                usable: is_usable(target),
            })
        });
        let targets = targets.collect();
        read.elements.entry(code).or_insert(targets);
    }
    read.unmapped = match group.get("unmapped") {
        None => None,
        Some(unmapped) => Some(read_unmapped(unmapped)?),
    };
    Ok(read)
}

/// Whether the target can stand for the source, by R4's `equivalence` or R5's `relationship`.
fn is_usable(target: &Value) -> bool {
    let relation = text(target, "equivalence").or_else(|| text(target, "relationship"));
    !matches!(
        relation.as_deref(),
        Some(
            "narrower"
                | "specializes"
                | "unmatched"
                | "disjoint"
                | "source-is-broader-than-target"
                | "not-related-to"
        )
    )
}

fn read_unmapped(unmapped: &Value) -> Result<Unmapped, String> {
    match text(unmapped, "mode").as_deref() {
        Some("provided" | "use-source-code") => Ok(Unmapped::Provided),
        Some("fixed") => {
            let code = text(unmapped, "code").ok_or("group.unmapped.code is missing")?;
            Ok(Unmapped::Fixed(code, text(unmapped, "display")))
        }
        Some("other-map") => {
            let url = text(unmapped, "url").or_else(|| text(unmapped, "otherMap"));
            let url = url.ok_or("group.unmapped.url is missing")?;
            Ok(Unmapped::OtherMap(url))
        }
        _ => Err(
            "group.unmapped.mode is not provided (use-source-code), fixed or other-map".to_owned(),
        ),
    }
}

fn text(parent: &Value, name: &str) -> Option<String> {
    parent
        .get(name)
        .and_then(Value::as_str)
        .map(ToOwned::to_owned)
}

fn list<'v>(parent: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    let list = parent.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}

/// Why a code has no translation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untranslated {
    /// The code is none, or the concept map has not one translation of it.
    Code(&'static str),
    /// The concept map lacks another one.
    Definitions(&'static str),
}

/// The Coding that a code, or a Coding, is translated to; `None` when it is not in the map.
pub(crate) fn translate(
    translations: &Translations,
    source: &Value,
) -> Result<Option<Value>, Untranslated> {
    let (system, code) = match source {
        Value::String(code) => (None, Some(code.as_str())),
        Value::Object(coding) => (
            // CDA's CE has the system's OID in another element.
            coding
                .get("system")
                .or_else(|| coding.get("codeSystem"))
                .and_then(Value::as_str),
            coding.get("code").and_then(Value::as_str),
        ),
        _ => (None, None),
    };
    let code = code.ok_or(Untranslated::Code(
        "only a code or a Coding can be translated",
    ))?;
    let mut concept_map = &translations.concept_map;
    for _ in 0..MAXIMUM_OTHER_MAPS {
        let groups = concept_map.groups.iter();
        let of_system = groups.filter(|group| system.is_none_or(|system| system == group.source));
        if let Some(targets) = of_system.clone().find_map(|group| group.elements.get(code)) {
            return only_usable(targets).map(|target| Some(target.coding()));
        }
        let unmapped = of_system
            .filter_map(|group| Some((group, group.unmapped.as_ref()?)))
            .next();
        match unmapped {
            None => return Ok(None),
            Some((group, Unmapped::Provided)) => {
                let provided = group.coding(system.unwrap_or(&group.source), code, None);
                return Ok(Some(provided));
            }
            Some((group, Unmapped::Fixed(code, display))) => {
                return Ok(Some(group.coding("", code, display.as_deref())));
            }
            Some((_, Unmapped::OtherMap(url))) => {
                let url = url.split('|').next().unwrap_or_default();
                concept_map = (translations.others.get(url)).ok_or(Untranslated::Definitions(
                    "the concept map refers to another one, which is not loaded",
                ))?;
            }
        }
    }
    Err(Untranslated::Definitions(
        "concept maps refer to too many others",
    ))
}

/// The one target that may stand for the source.
fn only_usable(targets: &[Target]) -> Result<&Target, Untranslated> {
    let mut usable = targets.iter().filter(|target| target.usable);
    match (usable.next(), usable.next()) {
        (Some(target), None) => Ok(target),
        (None, _) => Err(Untranslated::Code(
            "the concept map has no usable translation of a code",
        )),
        (Some(_), Some(_)) => Err(Untranslated::Code(
            "the concept map has several translations of a code",
        )),
    }
}

impl Group {
    /// A code without mapping: of the group's target system, else of another.
    fn coding(&self, other_system: &str, code: &str, display: Option<&str>) -> Value {
        let system = match self.target.as_str() {
            "" => other_system,
            target => target,
        };
        coding(system, code, display)
    }
}

impl Target {
    fn coding(&self) -> Value {
        coding(&self.system, &self.code, self.display.as_deref())
    }
}

fn coding(system: &str, code: &str, display: Option<&str>) -> Value {
    let mut coding = Map::new();
    if !system.is_empty() {
        coding.insert("system".to_owned(), system.into());
    }
    coding.insert("code".to_owned(), code.into());
    if let Some(display) = display {
        coding.insert("display".to_owned(), display.into());
    }
    Value::Object(coding)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

    use serde_json::json;

    use super::*;

    /// A map of `a` codes to `b` codes, with what is unmapped.
    fn resource(name: &str, unmapped: Value) -> Value {
        let mut resource = json!({"resourceType": "ConceptMap", "url": format!("http://example.org/{name}"), "group": [{
            "source": "http://example.org/a|1", "target": "http://example.org/b",
            "element": [
                {"code": "1", "target": [{"code": "one", "display": "One", "relationship": "equivalent"}]},
                {"code": "2", "target": [{"code": "x", "equivalence": "narrower"}, {"code": "two", "equivalence": "wider"}]},
                {"code": "3", "target": [{"code": "x", "relationship": "source-is-broader-than-target"}]},
                {"code": "4", "target": [{"code": "x"}, {"code": "y", "relationship": "related-to"}]},
                {"code": "5", "noMap": true}
            ]
        }]});
        if !unmapped.is_null() {
            resource["group"][0]["unmapped"] = unmapped;
        }
        resource
    }

    fn translations(resources: &[Value]) -> Translations {
        let read = |resource: &Value| {
            let (url, map) = ConceptMap::read(resource).unwrap();
            (url, Arc::new(map))
        };
        let maps: HashMap<String, Arc<ConceptMap>> = resources.iter().map(read).collect();
        Translations {
            concept_map: Arc::clone(&maps["http://example.org/first"]),
            others: Arc::new(maps),
        }
    }

    fn of(translations: &Translations, code: &str) -> Result<Option<Value>, Untranslated> {
        translate(
            translations,
            &json!({"system": "http://example.org/a", "code": code}),
        )
    }

    #[test]
    fn relations_of_both_versions_tell_which_target_is_usable() {
        let map = translations(&[resource("first", Value::Null)]);
        let coding = |code: &str| json!({"system": "http://example.org/b", "code": code});
        let mut one = coding("one");
        one["display"] = json!("One");
        assert_eq!(of(&map, "1"), Ok(Some(one.clone())));
        assert_eq!(translate(&map, &json!("1")), Ok(Some(one)));
        assert_eq!(of(&map, "2"), Ok(Some(coding("two"))));
        for (code, expected) in [
            ("3", "no usable translation"),
            ("4", "several translations"),
            ("5", "no usable translation"),
        ] {
            let Err(Untranslated::Code(reason)) = of(&map, code) else {
                panic!("{code}");
            };
            assert!(reason.contains(expected), "{code}");
        }
        assert_eq!(of(&map, "6"), Ok(None));
        let other = json!({"system": "http://example.org/other", "code": "1"});
        assert_eq!(translate(&map, &other), Ok(None));
        assert!(translate(&map, &json!(1)).is_err());
    }

    #[test]
    fn codes_without_mapping() {
        for (unmapped, expected) in [
            (
                json!({"mode": "provided"}),
                json!({"system": "http://example.org/b", "code": "9"}),
            ),
            (
                json!({"mode": "use-source-code"}),
                json!({"system": "http://example.org/b", "code": "9"}),
            ),
            (
                json!({"mode": "fixed", "code": "other", "display": "Other"}),
                json!({"system": "http://example.org/b", "code": "other", "display": "Other"}),
            ),
        ] {
            let map = translations(&[resource("first", unmapped)]);
            assert_eq!(of(&map, "9"), Ok(Some(expected)));
        }
    }

    #[test]
    fn another_map_is_asked_and_cycles_end() {
        let next = json!({"mode": "other-map", "url": "http://example.org/second|2"});
        let fixed = json!({"mode": "fixed", "code": "last"});
        let map = translations(&[resource("first", next.clone()), resource("second", fixed)]);
        assert_eq!(of(&map, "9").unwrap().unwrap()["code"], "last");
        assert_eq!(of(&map, "1").unwrap().unwrap()["code"], "one");

        let lacks = |map: &Translations, expected: &str| {
            let Err(Untranslated::Definitions(reason)) = of(map, "9") else {
                panic!("{expected}");
            };
            assert!(reason.contains(expected), "{reason}");
        };
        lacks(
            &translations(&[resource("first", next.clone())]),
            "not loaded",
        );
        let back = json!({"mode": "other-map", "otherMap": "http://example.org/first"});
        let cycle = translations(&[resource("first", next), resource("second", back)]);
        lacks(&cycle, "too many");
    }

    #[test]
    fn a_concept_map_that_cannot_be_used_is_named() {
        for (resource, reason) in [
            (json!({"resourceType": "ValueSet"}), "this is no ConceptMap"),
            (json!({"resourceType": "ConceptMap"}), "url is missing"),
            (
                resource("first", json!({"mode": "guess"})),
                "group.unmapped.mode is not",
            ),
            (
                resource("first", json!({"mode": "fixed"})),
                "group.unmapped.code is missing",
            ),
            (
                resource("first", json!({"mode": "other-map"})),
                "group.unmapped.url is missing",
            ),
        ] {
            let error = ConceptMap::read(&resource).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
