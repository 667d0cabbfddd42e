//! Which elements a type has: FHIR R4's own types, and logical models that are loaded.

mod pending;
mod r4;
mod structure_definition;

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::error::MapError;
use pending::AllPending;

/// A type, by its place among the definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(u32);

/// The type of what no definition describes.
pub(crate) const UNKNOWN: TypeId = TypeId(u32::MAX);

/// The type of nothing at all.
pub(crate) const NONE: TypeId = TypeId(u32::MAX - 1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Primitive,
    Complex,
    Resource,
    Logical,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TypeDefinition {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) base: Option<TypeId>,
    pub(crate) elements: Vec<Element>,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Element {
    /// Without `[x]`.
    pub(crate) name: String,
    /// Whether its JSON is an array.
    pub(crate) list: bool,
    /// Whether its JSON name ends with its type.
    pub(crate) choice: bool,
    /// The types it may have; none: every type.
    pub(crate) types: Vec<TypeId>,
}

/// An element of a type, and the type that its name asked for, as `valueCoding` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ElementIndex {
    pub(crate) index: usize,
    pub(crate) choice: Option<TypeId>,
}

/// FHIR primitives that the engine makes itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Primitives {
    pub(crate) boolean: TypeId,
    pub(crate) integer: TypeId,
    pub(crate) decimal: TypeId,
    pub(crate) string: TypeId,
    pub(crate) date: TypeId,
    pub(crate) date_time: TypeId,
    pub(crate) time: TypeId,
    pub(crate) instant: TypeId,
    pub(crate) id: TypeId,
    pub(crate) code: TypeId,
    pub(crate) uri: TypeId,
}

#[derive(Debug, Clone)]
pub(crate) struct Definitions {
    r4: &'static r4::Types,
    own: Vec<TypeDefinition>,
    own_by_name: HashMap<String, TypeId>,
    /// Urls of profiles, and the type that each constrains.
    profiles: HashMap<String, String>,
    pending: AllPending,
    pub(crate) primitives: Primitives,
}

impl Definitions {
    pub(crate) fn new() -> Self {
        let r4 = r4::types();
        let id = |name| r4.find(name).unwrap_or(UNKNOWN);
        Self {
            r4,
            own: Vec::new(),
            own_by_name: HashMap::new(),
            profiles: HashMap::new(),
            pending: AllPending::default(),
            primitives: Primitives {
                boolean: id("boolean"),
                integer: id("integer"),
                decimal: id("decimal"),
                string: id("string"),
                date: id("date"),
                date_time: id("dateTime"),
                time: id("time"),
                instant: id("instant"),
                id: id("id"),
                code: id("code"),
                uri: id("uri"),
            },
        }
    }

    /// Adds a logical model or a profile.
    pub(crate) fn add(&mut self, resource: &Value) -> Result<(), MapError> {
        structure_definition::add(self, resource)
    }

    /// The type of this name; `FHIR.` before it is allowed.
    pub(crate) fn by_name(&self, name: &str) -> Option<TypeId> {
        let name = name.strip_prefix("FHIR.").unwrap_or(name);
        self.own_by_name
            .get(name)
            .copied()
            .or_else(|| self.r4.find(name))
    }

    /// The type that a StructureDefinition of this canonical url defines, or constrains. FHIR's own
    /// may have the version in it: `http://hl7.org/fhir/4.0/StructureDefinition/Patient`.
    pub(crate) fn by_url(&self, url: &str) -> Option<TypeId> {
        let url = url.split('|').next().unwrap_or_default();
        if let Some(id) = self.own_by_name.get(url) {
            return Some(*id);
        }
        if let Some(constrained) = self.profiles.get(url) {
            // No profile constrains another one by its `type`.
            return self.by_code(constrained);
        }
        let name = url.strip_prefix("http://hl7.org/fhir/")?;
        let name = name.strip_prefix("4.0/").unwrap_or(name);
        self.r4.find(name.strip_prefix("StructureDefinition/")?)
    }

    /// The type of a `type.code`: a name, or a url.
    fn by_code(&self, code: &str) -> Option<TypeId> {
        if code.contains(':') {
            let known = self.own_by_name.get(code).copied();
            return known.or_else(|| {
                self.r4
                    .find(code.strip_prefix("http://hl7.org/fhir/StructureDefinition/")?)
            });
        }
        // What every type is derived from since R5.
        self.by_name(code)
            .or_else(|| (code == "Base").then_some(UNKNOWN))
    }

    fn is_built_in(&self, url: &str) -> bool {
        let name = url.strip_prefix("http://hl7.org/fhir/StructureDefinition/");
        name.is_some_and(|name| self.r4.find(name).is_some())
    }

    /// What a StructureDefinition refers to that nobody has defined.
    pub(crate) fn unresolved(&self, url: &str) -> Option<String> {
        self.pending.unresolved(url)
    }

    fn own_mut(&mut self, id: TypeId) -> Option<&mut TypeDefinition> {
        let index = (id.0 as usize).checked_sub(self.r4.len())?;
        self.own.get_mut(index)
    }

    /// The names of all types that are not parts of others.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        let own = self.own.iter().map(|definition| definition.name.as_str());
        let r4 = self.r4.names().map(|name| -> &str { name });
        own.chain(r4).filter(|name| !name.contains('.'))
    }

    pub(crate) fn get(&self, id: TypeId) -> Option<&TypeDefinition> {
        let index = id.0 as usize;
        if index < self.r4.len() {
            Some(self.r4.get(index))
        } else {
            self.own.get(index - self.r4.len())
        }
    }

    /// The type's name, for messages.
    pub(crate) fn name(&self, id: TypeId) -> &str {
        self.get(id).map_or("an unknown type", |found| &found.name)
    }

    pub(crate) fn kind(&self, id: TypeId) -> Option<Kind> {
        self.get(id).map(|found| found.kind)
    }

    pub(crate) fn is_primitive(&self, id: TypeId) -> bool {
        self.kind(id) == Some(Kind::Primitive)
    }

    /// Finds an element by name: `value` for `value[x]`, and `valueCoding` too.
    pub(crate) fn element(&self, id: TypeId, name: &str) -> Option<ElementIndex> {
        let definition = self.get(id)?;
        let elements = &definition.elements;
        if let Some(index) = elements.iter().position(|element| element.name == name) {
            return Some(ElementIndex {
                index,
                choice: None,
            });
        }
        elements.iter().enumerate().find_map(|(index, element)| {
            let choice = self.choice_of(element, name)?;
            Some(ElementIndex {
                index,
                choice: Some(choice),
            })
        })
    }

    /// The type in a JSON name such as `valueCoding`, if the choice allows it.
    pub(crate) fn choice_of(&self, element: &Element, json_name: &str) -> Option<TypeId> {
        if !element.choice {
            return None;
        }
        let suffix = json_name.strip_prefix(element.name.as_str())?;
        if element.types.is_empty() {
            return self.r4.find_capitalized(suffix);
        }
        element
            .types
            .iter()
            .copied()
            .find(|id| capitalized_equal(self.name(*id), suffix))
    }

    /// Whether the type is `base` or derived from it.
    pub(crate) fn is_a(&self, id: TypeId, base: TypeId) -> bool {
        let mut next = Some(id);
        while let Some(id) = next {
            if id == base {
                return true;
            }
            next = self.get(id).and_then(|definition| definition.base);
        }
        false
    }

    /// Whether the type is this one, as HL7's engine compares types: by name, so that an element
    /// with elements of its own is a BackboneElement. Of an abstract type, whether it is derived
    /// from it.
    pub(crate) fn is_exactly(&self, id: TypeId, wanted: TypeId) -> bool {
        id == wanted
            || self.published(id) == wanted
            || (self.is_abstract(wanted) && self.is_a(id, wanted))
    }

    /// Whether what is of this type has elements that only its own type tells.
    pub(crate) fn is_abstract(&self, id: TypeId) -> bool {
        matches!(
            self.name(id),
            "Element" | "BackboneElement" | "Resource" | "DomainResource"
        )
    }

    /// The type by which an element is known outside of its resource: for an element with elements
    /// of its own it is what that is derived from.
    pub(crate) fn published(&self, id: TypeId) -> TypeId {
        match self.get(id) {
            Some(definition)
                if definition.kind == Kind::Complex && definition.name.contains('.') =>
            {
                definition.base.unwrap_or(id)
            }
            _ => id,
        }
    }

    /// The type, and the types that it is derived from, as far as something can be of them.
    pub(crate) fn concrete_bases(&self, id: TypeId) -> impl Iterator<Item = TypeId> {
        let base = |id: &TypeId| self.get(*id).and_then(|definition| definition.base);
        std::iter::successors(Some(id), base).filter(|id| !self.is_abstract(*id))
    }

    /// The type of a resource, from its `resourceType`.
    pub(crate) fn of_resource(&self, resource: &Value) -> Option<TypeId> {
        let name = resource.get("resourceType")?.as_str()?;
        self.by_name(name)
    }

    fn next_id(&self) -> TypeId {
        TypeId(u32::try_from(self.r4.len() + self.own.len()).unwrap_or(u32::MAX - 2))
    }
}

/// Whether `suffix` is `name` with a capital letter, as in `valueDateTime`.
fn capitalized_equal(name: &str, suffix: &str) -> bool {
    let (name, suffix) = (name.as_bytes(), suffix.as_bytes());
    name.len() == suffix.len()
        && !name.is_empty()
        && suffix[0].is_ascii_uppercase()
        && name[0].eq_ignore_ascii_case(&suffix[0])
        && name[1..] == suffix[1..]
}

/// A lazily parsed line of definitions.
type Lazy = OnceLock<TypeDefinition>;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn every_line_of_r4_is_read_whole() {
        let definitions = Definitions::new();
        let text = include_str!("../../definitions/r4.txt");
        for (line, id) in text.lines().zip(0..) {
            let definition = definitions.get(TypeId(id)).unwrap();
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!(definition.name, words[0]);
            assert_eq!(definition.base.is_none(), words[2] == "-", "{line}");
            assert_eq!(definition.elements.len(), words.len() - 3);
            for (element, word) in definition.elements.iter().zip(&words[3..]) {
                let types = word.rsplit(':').next().unwrap();
                let count = if types == "*" {
                    0
                } else {
                    types.split(',').count()
                };
                assert_eq!(element.types.len(), count, "{line}");
            }
        }
    }

    #[test]
    fn elements_by_name_and_by_the_name_of_a_choice() {
        let definitions = Definitions::new();
        let id = |name| definitions.by_name(name).unwrap();
        let element = |type_name, name| {
            let found = definitions.element(id(type_name), name)?;
            let element = &definitions.get(id(type_name))?.elements[found.index];
            Some((element.name.as_str(), element.list, found.choice))
        };
        assert_eq!(element("Patient", "name"), Some(("name", true, None)));
        assert_eq!(
            element("Patient", "deceased"),
            Some(("deceased", false, None))
        );
        assert_eq!(
            element("Patient", "deceasedDateTime"),
            Some(("deceased", false, Some(id("dateTime"))))
        );
        assert_eq!(element("Patient", "deceasedString"), None);
        assert_eq!(
            element("Extension", "valueCodeableConcept"),
            Some(("value", false, Some(id("CodeableConcept"))))
        );
        assert_eq!(element("Extension", "valuestring"), None);
        assert_eq!(element("Extension", "valueNothing"), None);
    }

    #[test]
    fn types_are_derived_from_their_bases() {
        let definitions = Definitions::new();
        let is_a = |id, base| {
            let id = definitions.by_name(id).unwrap();
            definitions.is_a(id, definitions.by_name(base).unwrap())
        };
        assert!(is_a("Patient", "Resource"));
        assert!(is_a("code", "string"));
        assert!(is_a("Age", "Quantity"));
        assert!(is_a("Patient.contact", "BackboneElement"));
        assert!(!is_a("string", "code"));
        assert!(!is_a("Patient", "Observation"));
    }

    #[test]
    fn a_structure_definition_that_cannot_be_used_is_named() {
        let base = json!({"resourceType": "StructureDefinition", "url": "http://example.org/x",
            "kind": "logical", "derivation": "specialization", "name": "X",
            "differential": {"element": [{"path": "X"}, {"path": "X.a", "type": [{"code": "string"}]}]}});
        assert_eq!(Definitions::new().add(&base), Ok(()));
        for (pointer, value, reason) in [
            (
                "/resourceType",
                json!("Patient"),
                "this is no StructureDefinition",
            ),
            (
                "/kind",
                json!("other"),
                "its kind is none that has elements",
            ),
            ("/derivation", json!("constraint"), "type is missing"),
            ("/url", json!(null), "url is missing"),
            (
                "/differential",
                json!({}),
                "differential.element is missing",
            ),
            (
                "/differential/element/1/path",
                json!(null),
                "an element has no path",
            ),
            (
                "/differential/element/1/contentReference",
                json!("#X.b"),
                "X.b is not defined",
            ),
        ] {
            let mut resource = base.clone();
            match pointer.rsplit_once('/') {
                Some((parent, name)) => resource.pointer_mut(parent).unwrap()[name] = value,
                None => unreachable!(),
            }
            let error = Definitions::new().add(&resource).unwrap_err().to_string();
            assert!(error.ends_with(reason), "{error}");
        }
    }

    fn model(name: &str, base: &str, elements: &[(&str, &str)]) -> Value {
        let mut all = vec![json!({ "path": name })];
        for (element, code) in elements {
            all.push(
                json!({"path": format!("{name}.{element}"), "max": "1", "type": [{"code": code}]}),
            );
        }
        json!({"resourceType": "StructureDefinition", "kind": "logical", "name": name, "type": name,
            "url": format!("http://example.org/{name}"), "derivation": "specialization",
            "baseDefinition": base, "differential": {"element": all}})
    }

    fn elements_of(definitions: &Definitions, name: &str) -> Vec<(String, String)> {
        let id = definitions.by_name(name).unwrap();
        let elements = &definitions.get(id).unwrap().elements;
        let described = elements.iter().map(|element| {
            let types = element.types.iter().map(|id| definitions.name(*id));
            let types: Vec<&str> = types.collect();
            (element.name.clone(), types.join(" "))
        });
        described.collect()
    }

    #[test]
    fn models_refer_to_models_that_are_added_later() {
        let element = "http://hl7.org/fhir/StructureDefinition/Element";
        let mut definitions = Definitions::new();
        for (name, other, url) in [("A", "B", "http://example.org/B"), ("B", "A", "A")] {
            let added = model(name, element, &[("own", "string"), (other, url)]);
            definitions.add(&added).unwrap();
            let unresolved = definitions.unresolved("http://example.org/A");
            assert_eq!(
                unresolved.as_deref(),
                (name == "A")
                    .then_some("A.B has the type http://example.org/B, which is not known")
            );
        }
        let own = |name: &str| (name.to_owned(), name.to_owned());
        let elements = elements_of(&definitions, "A");
        assert!(elements.contains(&own("B")), "{elements:?}");
        assert!(elements_of(&definitions, "B").contains(&own("A")));
    }

    #[test]
    fn a_model_has_what_it_is_derived_from() {
        let mut definitions = Definitions::new();
        let element = "http://hl7.org/fhir/StructureDefinition/Element";
        definitions
            .add(&model("C", "http://example.org/B", &[("c", "string")]))
            .unwrap();
        definitions
            .add(&model(
                "B",
                "http://example.org/A",
                &[("b", "string"), ("a", "code")],
            ))
            .unwrap();
        definitions
            .add(&model("A", element, &[("a", "string"), ("z", "string")]))
            .unwrap();
        let elements = elements_of(&definitions, "C");
        let names: Vec<&str> = elements.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["id", "extension", "a", "z", "b", "c"]);
        assert_eq!(elements[2].1, "code", "B's own");
        let id = |name| definitions.by_name(name).unwrap();
        assert!(definitions.is_a(id("C"), id("A")));
    }

    #[test]
    fn types_of_another_version_are_known_by_their_version() {
        let mut definitions = Definitions::new();
        let r4 = definitions.by_name("Patient").unwrap();
        let url = "http://hl7.org/fhir/StructureDefinition/Patient";
        let patient = |version: &str| {
            json!({"resourceType": "StructureDefinition", "kind": "resource", "type": "Patient",
                "name": "Patient", "url": url, "fhirVersion": version, "derivation": "specialization",
                "baseDefinition": "http://hl7.org/fhir/StructureDefinition/DomainResource",
                "snapshot": {"element": [{"path": "Patient"},
                    {"path": "Patient.id", "max": "1", "type": [{"code": "http://hl7.org/fhirpath/System.String"}]},
                    {"path": "Patient.new", "max": "*", "type": [{"code": "BackboneElement"}]},
                    {"path": "Patient.new.inner", "max": "3", "base": {"max": "*"}, "type": [{"code": "code"}]}]}})
        };
        definitions.add(&patient("4.0.1")).unwrap();
        assert_eq!(definitions.by_name("Patient"), Some(r4), "it is built in");
        definitions.add(&patient("5.0.0")).unwrap();
        let r5 = definitions.by_name("Patient").unwrap();
        assert_ne!(r5, r4);
        for (url, expected) in [
            (
                "http://hl7.org/fhir/4.0/StructureDefinition/Patient",
                Some(r4),
            ),
            (
                "http://hl7.org/fhir/5.0/StructureDefinition/Patient",
                Some(r5),
            ),
            ("http://hl7.org/fhir/StructureDefinition/Patient", Some(r5)),
            ("http://hl7.org/fhir/3.0/StructureDefinition/Patient", None),
        ] {
            assert_eq!(definitions.by_url(url), expected, "{url}");
        }
        let new = definitions.element(r5, "new").unwrap();
        let new = &definitions.get(r5).unwrap().elements[new.index];
        assert!(new.list);
        assert_eq!(definitions.name(new.types[0]), "Patient.new");
        assert!(definitions.get(new.types[0]).unwrap().elements[0].list);
        assert_eq!(definitions.kind(r5), Some(Kind::Resource));
    }

    #[test]
    fn a_profile_stands_for_its_type() {
        let mut definitions = Definitions::new();
        let profile = json!({"resourceType": "StructureDefinition", "url": "http://example.org/p",
            "kind": "resource", "derivation": "constraint", "type": "Patient"});
        definitions.add(&profile).unwrap();
        assert_eq!(
            definitions.by_url("http://example.org/p|1.0.0"),
            definitions.by_name("Patient")
        );
    }
}
