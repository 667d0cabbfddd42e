//! FHIR R4's types, from the lines of `r4.txt`; a line is parsed when its type is first needed.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::{Element, Kind, Lazy, TypeDefinition, TypeId, capitalized_equal};

/// See `definitions/generate.py` for its form.
const TEXT: &str = include_str!("../../definitions/r4.txt");

#[derive(Debug)]
pub(super) struct Types {
    lines: Vec<(&'static str, Lazy)>,
    by_name: HashMap<&'static str, TypeId>,
}

pub(super) fn types() -> &'static Types {
    static TYPES: LazyLock<Types> = LazyLock::new(|| {
        let lines: Vec<(&str, Lazy)> = TEXT.lines().map(|line| (line, Lazy::new())).collect();
        let by_name = lines
            .iter()
            .zip(0..)
            .map(|((line, _), id)| (line.split(' ').next().unwrap_or_default(), TypeId(id)))
            .collect();
        Types { lines, by_name }
    });
    &TYPES
}

impl Types {
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    pub(super) fn find(&self, name: &str) -> Option<TypeId> {
        self.by_name.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.by_name.keys().copied()
    }

    /// The type of a suffix such as `DateTime`.
    pub(super) fn find_capitalized(&self, suffix: &str) -> Option<TypeId> {
        let lower = |text: &str| {
            let mut characters = text.chars();
            let first = characters.next().map(|c| c.to_ascii_lowercase());
            first.into_iter().chain(characters).collect::<String>()
        };
        self.find(suffix)
            .or_else(|| self.find(&lower(suffix)))
            .filter(|id| {
                let name = &self.get(id.0 as usize).name;
                capitalized_equal(name, suffix)
            })
    }

    pub(super) fn get(&self, index: usize) -> &TypeDefinition {
        let (line, parsed) = &self.lines[index];
        parsed.get_or_init(|| self.parse(line))
    }

    fn parse(&self, line: &str) -> TypeDefinition {
        let mut words = line.split(' ');
        let name = words.next().unwrap_or_default();
        let kind = match words.next() {
            Some("p") => Kind::Primitive,
            Some("r") => Kind::Resource,
            _ => Kind::Complex,
        };
        let base = words.next().and_then(|base| self.find(base));
        let elements = words.filter_map(|word| self.element(word)).collect();
        TypeDefinition {
            name: name.to_owned(),
            kind,
            base,
            elements,
        }
    }

    fn element(&self, word: &str) -> Option<Element> {
        let (name, types) = word.split_once(':')?;
        let (name, choice) = match name.strip_suffix('?') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let (name, list) = match name.strip_suffix('*') {
            Some(name) => (name, true),
            None => (name, false),
        };
        let types = match types {
            "*" => Vec::new(),
            types => types
                .split(',')
                .filter_map(|name| self.find(name))
                .collect(),
        };
        Some(Element {
            name: name.to_owned(),
            list,
            choice,
            types,
        })
    }
}
