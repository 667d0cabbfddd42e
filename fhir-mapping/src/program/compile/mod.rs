//! Compiles parsed maps: groups and imports first, so that calls find them, then their rules.
//!
//! Whatever HL7's engine can run is no error here; what certainly fails there is one.

mod defaults;
mod extends;
mod group;
mod map_scope;
mod named_type;
mod source;
mod target;
mod transform;
mod unused;

use std::collections::{HashMap, HashSet};

use self::map_scope::MapScope;
use super::findings::MapFindings;
use super::{Entry, GroupId, MapEntry, Program};
use crate::concept_map::ConceptMaps;
use crate::definitions::{Definitions, UNKNOWN};
use crate::error::Findings;
use crate::language::syntax::{Mode, StructureMap, StructureMode};

/// What is loaded.
pub(crate) struct Loaded<'l> {
    pub(crate) maps: &'l [StructureMap],
    pub(crate) definitions: &'l Definitions,
    pub(crate) concept_maps: &'l ConceptMaps,
    /// Whether it can be asked about concept maps that are not loaded.
    pub(crate) has_terminology_server: bool,
}

/// Compiles everything. What has an error fails when a transform reaches it.
pub(crate) fn compile(loaded: &Loaded<'_>) -> (Program, Findings) {
    let mut program = Program {
        maps: Vec::new(),
        by_url: HashMap::new(),
        groups: Vec::new(),
    };
    let mut first_group = Vec::new();
    let mut count = 0;
    for map in loaded.maps {
        first_group.push(count);
        count += map.groups.len();
    }
    let mut called = HashSet::new();
    let mut of_maps: Vec<MapFindings> = Vec::new();
    for (index, map) in loaded.maps.iter().enumerate() {
        let scope = MapScope::new(loaded, &first_group, index);
        let defaults = scope.defaults();
        scope.constants();
        for (offset, group) in map.groups.iter().enumerate() {
            let group = scope.group(offset, group);
            program.groups.push(group);
        }
        program.by_url.insert(map.url.clone(), index);
        program.maps.push(MapEntry {
            url: map.url.clone(),
            entry: entry(&scope, GroupId(first_group[index])),
            defaults,
        });
        called.extend(scope.called.borrow().iter().copied());
        of_maps.push(scope.finish());
    }
    extends::check(loaded, &first_group, &mut program, &of_maps);
    unused::groups(loaded, &first_group, &called, &of_maps);
    let mut findings = Findings::default();
    for (map, of_map) in loaded.maps.iter().zip(of_maps) {
        of_map.tell(&map.url, &mut findings);
    }
    (program, findings)
}

/// Where a transform by this map begins.
fn entry(scope: &MapScope<'_>, group: GroupId) -> Result<Entry, String> {
    let map = scope.map;
    let only_imported = |reason: &str| format!("{reason}; it can only be imported");
    let inputs = map.groups.first().map(|first| first.inputs.as_slice());
    let Some([source, target]) = inputs else {
        return Err(only_imported(
            "its first group has not one source and one target",
        ));
    };
    if source.mode != Mode::Source || target.mode != Mode::Target {
        return Err(only_imported(
            "its first group has not a source and then a target",
        ));
    }
    let of = |input: &crate::language::syntax::Input, mode| {
        if let Some(Ok(id)) = scope.type_of_input(input) {
            return Ok(id);
        }
        let used = map.structures.iter().find(|used| used.mode == mode);
        let Some(used) = used else {
            // Any JSON may be read, but what is made has a type.
            return match mode {
                StructureMode::Source => Ok(UNKNOWN),
                _ => Err(only_imported(&format!(
                    "the type of {} is not known: name it in `uses` as target",
                    input.name
                ))),
            };
        };
        let known = scope.loaded.definitions.by_url(&used.url);
        match (known, mode) {
            (Some(id), _) => Ok(id),
            // A profile, perhaps: the input tells its own type.
            (None, StructureMode::Source) => Ok(UNKNOWN),
            (None, _) => Err(format!(
                "{} is not known; add its StructureDefinition",
                used.url
            )),
        }
    };
    Ok(Entry {
        group,
        source: of(source, StructureMode::Source)?,
        target: of(target, StructureMode::Target)?,
    })
}
