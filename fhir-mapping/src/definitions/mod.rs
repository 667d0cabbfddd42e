//! Which elements a type has: FHIR R4's own types, and logical models that are loaded.

mod r4;
mod structure_definition;

use std::collections::HashMap;
use std::sync::OnceLock;

use serde_json::Value;

use crate::error::MapError;

/// A type, by its place among the definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct TypeId(u32);

/// The type of what no definition describes.
pub(crate) const UNKNOWN: TypeId = TypeId(u32::MAX);

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
    pub(crate) id: TypeId,
    pub(crate) code: TypeId,
    pub(crate) uri: TypeId,
}

#[derive(Debug)]
pub(crate) struct Definitions {
    r4: &'static r4::Types,
    own: Vec<TypeDefinition>,
    own_by_name: HashMap<String, TypeId>,
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
            primitives: Primitives {
                boolean: id("boolean"),
                integer: id("integer"),
                decimal: id("decimal"),
                string: id("string"),
                date: id("date"),
                date_time: id("dateTime"),
                time: id("time"),
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

    /// The type that a StructureDefinition of this canonical url defines.
    pub(crate) fn by_url(&self, url: &str) -> Option<TypeId> {
        let url = url.split('|').next().unwrap_or_default();
        self.own_by_name.get(url).copied().or_else(|| {
            self.r4
                .find(url.strip_prefix("http://hl7.org/fhir/StructureDefinition/")?)
        })
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

    /// The type of a resource, from its `resourceType`.
    pub(crate) fn of_resource(&self, resource: &Value) -> Option<TypeId> {
        let name = resource.get("resourceType")?.as_str()?;
        self.by_name(name)
    }

    fn next_id(&self) -> TypeId {
        TypeId(u32::try_from(self.r4.len() + self.own.len()).unwrap_or(u32::MAX - 1))
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
