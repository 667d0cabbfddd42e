//! From the text of a map to its resource.

mod concept_map;
mod header;
mod rule;

pub(super) use concept_map::equivalence;
pub(super) use rule::is_word;

use serde_json::{Map, Value, json};

use super::FhirVersion;
use crate::error::MapError;
use crate::language::lexer::{Span, without_byte_order_mark};
use crate::language::map_parser::parse;
use crate::language::spacing::one_line;
use crate::language::syntax::{DefaultFor, Group, Mode, StructureMap, StructureMode};

/// Writes a map in the FHIR Mapping Language as a StructureMap resource.
///
/// # Errors
/// [`MapError::Syntax`], as [`MapLibrary::add_map`](crate::MapLibrary::add_map);
/// [`MapError::Resource`] when a metadata element cannot be set.
pub fn to_json(text: &str, version: FhirVersion) -> Result<Value, MapError> {
    let (map, _) = parse(text).map_err(MapError::Syntax)?;
    let writer = Writer {
        text: without_byte_order_mark(text),
        version,
    };
    writer.map(&map)
}

struct Writer<'t> {
    text: &'t str,
    version: FhirVersion,
}

/// An object of those members that there are.
fn object<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    let present = members.into_iter();
    let present = present.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(present.collect())
}

/// A list, unless it would be empty.
fn list(items: impl Iterator<Item = Value>) -> Option<Value> {
    let items: Vec<Value> = items.collect();
    (!items.is_empty()).then_some(Value::Array(items))
}

fn text(value: impl Into<String>) -> Option<Value> {
    Some(Value::String(value.into()))
}

impl Writer<'_> {
    fn map(&self, map: &StructureMap) -> Result<Value, MapError> {
        let mut resource = self.header(map)?;
        let mut set = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                resource.insert(name.to_owned(), value);
            }
        };
        let concept_maps = map.concept_maps.iter().map(|one| self.concept_map(one));
        set("contained", list(concept_maps));
        let structures = map.structures.iter().map(|used| {
            object([
                ("url", text(&used.url)),
                ("mode", text(structure_mode(used.mode))),
                ("alias", used.alias.as_ref().and_then(text)),
                ("documentation", self.documentation(&used.documentation)),
            ])
        });
        set("structure", list(structures));
        let imports = map.imports.iter().map(|import| json!(import.url));
        set("import", list(imports));
        let constants = map.constants.iter().map(|constant| {
            let value = self.expression(constant.span);
            (constant.name.as_str(), value)
        });
        match self.version {
            FhirVersion::R5 => {
                let constants =
                    constants.map(|(name, value)| json!({"name": name, "value": value}));
                set("const", list(constants));
            }
            FhirVersion::R4 => {
                let constants = constants.map(|(name, value)| {
                    json!({"url": super::extension::CONSTANT, "extension": [
                        {"url": "name", "valueId": name},
                        {"url": "value", "valueString": value},
                    ]})
                });
                let constants: Vec<Value> = constants.collect();
                if !constants.is_empty() {
                    let extensions = resource.entry("extension").or_insert_with(|| json!([]));
                    if let Value::Array(extensions) = extensions {
                        extensions.extend(constants);
                    }
                }
            }
        }
        let groups = map.groups.iter().map(|group| self.group(group));
        let groups = list(groups);
        if let Some(groups) = groups {
            resource.insert("group".to_owned(), groups);
        }
        Ok(Value::Object(in_order(resource)))
    }

    fn group(&self, group: &Group) -> Value {
        let inputs = group.inputs.iter().map(|input| {
            object([
                ("name", text(&input.name)),
                ("type", input.type_name.as_ref().and_then(text)),
                ("mode", text(mode(input.mode))),
            ])
        });
        let type_mode = match (group.default_for, self.version) {
            (DefaultFor::Nothing, FhirVersion::R4) => Some("none"),
            (DefaultFor::Nothing, FhirVersion::R5) => None,
            (DefaultFor::Types, _) => Some("types"),
            (DefaultFor::TypeAndTypes, _) => Some("type-and-types"),
        };
        let extends = group.extends.as_ref();
        object([
            ("name", text(&group.name)),
            ("extends", extends.and_then(|(name, _)| text(name))),
            ("typeMode", type_mode.and_then(text)),
            ("documentation", self.documentation(&group.documentation)),
            ("input", list(inputs)),
            ("rule", list(group.rules.iter().map(|rule| self.rule(rule)))),
        ])
    }

    fn expression(&self, span: Span) -> String {
        one_line(span.of(self.text))
    }

    /// What comments say, a line each.
    fn documentation(&self, comments: &[Span]) -> Option<Value> {
        let mut lines = Vec::new();
        for comment in comments {
            let comment = comment.of(self.text);
            let inner = match comment.strip_prefix("/*") {
                Some(inner) => inner.strip_suffix("*/").unwrap_or(inner).trim(),
                None => comment.trim_start_matches('/'),
            };
            let inner = inner
                .split("\r\n")
                .flat_map(|line| line.split(['\r', '\n']));
            lines.extend(inner.map(str::trim));
        }
        let documentation = lines.join("\r\n");
        let documentation = documentation.trim();
        (!documentation.is_empty()).then(|| json!(documentation))
    }
}

fn structure_mode(mode: StructureMode) -> &'static str {
    match mode {
        StructureMode::Source => "source",
        StructureMode::Queried => "queried",
        StructureMode::Target => "target",
        StructureMode::Produced => "produced",
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Source => "source",
        Mode::Target => "target",
    }
}

/// The resource's elements in the order of their definition.
fn in_order(mut resource: Map<String, Value>) -> Map<String, Value> {
    const ELEMENTS: [&str; 27] = [
        "resourceType",
        "id",
        "meta",
        "implicitRules",
        "language",
        "text",
        "contained",
        "extension",
        "modifierExtension",
        "url",
        "identifier",
        "version",
        "versionAlgorithmString",
        "versionAlgorithmCoding",
        "name",
        "title",
        "status",
        "experimental",
        "date",
        "publisher",
        "contact",
        "description",
        "useContext",
        "jurisdiction",
        "purpose",
        "copyright",
        "copyrightLabel",
    ];
    let mut ordered = Map::new();
    for name in ELEMENTS.into_iter().chain(["structure", "import", "const"]) {
        if let Some(value) = resource.shift_remove(name) {
            ordered.insert(name.to_owned(), value);
        }
    }
    let groups = resource.shift_remove("group");
    ordered.extend(resource);
    ordered.extend(groups.map(|groups| ("group".to_owned(), groups)));
    ordered
}
