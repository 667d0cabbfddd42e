//! `conceptmap` blocks as contained ConceptMaps.

use serde_json::{Value, json};

use super::super::FhirVersion;
use super::super::extension::{EQUIVALENCE, extended};
use super::{Writer, list, object, text};
use crate::language::syntax::{ConceptMap, Relation, UnmappedMode};

#[derive(Default)]
struct Group<'m> {
    source: &'m str,
    target: &'m str,
    elements: Vec<Value>,
    unmapped: Option<Value>,
}

impl Writer<'_> {
    pub(super) fn concept_map(&self, map: &ConceptMap) -> Value {
        let mut groups: Vec<Group<'_>> = Vec::new();
        for unmapped in &map.unmapped {
            group(&mut groups, &unmapped.source_system, "").unmapped =
                Some(self.unmapped(&unmapped.mode));
        }
        for (mapping, relation) in map.mappings.iter().zip(&map.relations) {
            let group = group(&mut groups, &mapping.source_system, &mapping.target_system);
            let code = &mapping.target_code;
            group.elements.push(match (relation, self.version) {
                (Relation::Unmatched, FhirVersion::R5) => {
                    json!({"code": mapping.source_code, "noMap": true})
                }
                (Relation::Unmatched, FhirVersion::R4) => json!({
                    "code": mapping.source_code,
                    "target": [{"equivalence": "unmatched"}],
                }),
                (relation, FhirVersion::R4) => json!({
                    "code": mapping.source_code,
                    "target": [{"code": code, "equivalence": equivalence(*relation)}],
                }),
                (relation, FhirVersion::R5) => {
                    let (relationship, is_exact) = relationship(*relation);
                    let r4 = || extended(EQUIVALENCE, "valueCode", json!(equivalence(*relation)));
                    let target = object([
                        ("code", text(code)),
                        ("relationship", text(relationship)),
                        ("_relationship", (!is_exact).then(r4)),
                    ]);
                    json!({"code": mapping.source_code, "target": [target]})
                }
            });
        }
        let groups = groups.into_iter().map(|group| {
            object([
                ("source", named(group.source)),
                ("target", named(group.target)),
                ("element", list(group.elements.into_iter())),
                ("unmapped", group.unmapped),
            ])
        });
        object([
            ("resourceType", text("ConceptMap")),
            ("id", text(map.url.trim_start_matches('#'))),
            ("status", text("draft")),
            ("group", list(groups)),
        ])
    }

    fn unmapped(&self, mode: &UnmappedMode) -> Value {
        match (mode, self.version) {
            (UnmappedMode::Provided, FhirVersion::R4) => json!({"mode": "provided"}),
            (UnmappedMode::Provided, FhirVersion::R5) => json!({"mode": "use-source-code"}),
            (UnmappedMode::Fixed(code), _) => json!({"mode": "fixed", "code": code}),
            (UnmappedMode::OtherMap(url), FhirVersion::R4) => {
                json!({"mode": "other-map", "url": url})
            }
            (UnmappedMode::OtherMap(url), FhirVersion::R5) => {
                json!({"mode": "other-map", "otherMap": url})
            }
        }
    }
}

fn named(system: &str) -> Option<Value> {
    (!system.is_empty()).then(|| json!(system))
}

/// The group of the two systems; one without a target takes the first there is.
fn group<'g, 'm>(
    groups: &'g mut Vec<Group<'m>>,
    source: &'m str,
    target: &'m str,
) -> &'g mut Group<'m> {
    let known = groups.iter().position(|group| {
        let fits = group.target.is_empty() || target.is_empty() || group.target == target;
        group.source == source && fits
    });
    let index = known.unwrap_or_else(|| {
        groups.push(Group {
            source,
            ..Group::default()
        });
        groups.len() - 1
    });
    let group = &mut groups[index];
    if !target.is_empty() {
        group.target = target;
    }
    group
}

/// R4's code: how the target relates to the source.
pub(in crate::structure_map) fn equivalence(relation: Relation) -> &'static str {
    match relation {
        Relation::Related => "relatedto",
        Relation::Equal => "equal",
        Relation::Equivalent => "equivalent",
        Relation::Wider => "wider",
        Relation::Subsumes => "subsumes",
        Relation::Narrower => "narrower",
        Relation::Specializes => "specializes",
        Relation::Inexact => "inexact",
        Relation::Unmatched => "unmatched",
        Relation::Disjoint => "disjoint",
    }
}

/// R5's code, and whether it says as much.
fn relationship(relation: Relation) -> (&'static str, bool) {
    match relation {
        Relation::Related => ("related-to", true),
        Relation::Equivalent => ("equivalent", true),
        Relation::Wider => ("source-is-narrower-than-target", true),
        Relation::Narrower => ("source-is-broader-than-target", true),
        Relation::Disjoint => ("not-related-to", true),
        Relation::Equal => ("equivalent", false),
        Relation::Subsumes => ("source-is-narrower-than-target", false),
        Relation::Specializes => ("source-is-broader-than-target", false),
        Relation::Inexact | Relation::Unmatched => ("related-to", false),
    }
}
