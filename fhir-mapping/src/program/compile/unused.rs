//! What stands in a map and is never used.

use std::collections::HashSet;

use super::Loaded;
use super::map_scope::{MapScope, matches};
use crate::language::syntax::{DefaultFor, Import};
use crate::program::GroupId;
use crate::program::findings::MapFindings;

impl MapScope<'_> {
    /// What there is to say about the map when all its groups are compiled.
    pub(super) fn finish(self) -> MapFindings {
        for constant in &self.map.constants {
            if !self.used_constants.borrow().contains(&constant.name) {
                let reason = format!("{} is never used", constant.name);
                self.findings.warn(constant.expression.position, reason);
            }
        }
        for (import, maps) in self.map.imports.iter().zip(&self.imported) {
            self.import(import, maps);
        }
        self.findings
    }

    fn import(&self, import: &Import, maps: &[usize]) {
        if maps.is_empty() {
            let reason = if import.url == self.map.url {
                "the map imports itself".to_owned()
            } else {
                format!(
                    "the map {} is imported, but not loaded; add it to the maps",
                    import.url
                )
            };
            // HL7's engine looks for it when a group is not in the map itself.
            if self.needs_imports.get() && import.url != self.map.url {
                self.findings.error((import.position, reason));
            } else {
                self.findings.warn(import.position, reason);
            }
            return;
        }
        let is_used = maps.iter().any(|map| {
            let groups = &self.loaded.maps[*map].groups;
            let has_default = groups
                .iter()
                .any(|group| group.default_for != DefaultFor::Nothing);
            self.used_maps.borrow().contains(map) || has_default
        });
        if !is_used {
            let reason = format!("nothing of {} is used", import.url);
            self.findings.warn(import.position, reason);
        }
    }
}

/// Warns of groups that nothing can run: no rule calls them, no group extends them, they are no
/// default, and their map begins with another one and is imported by none.
pub(super) fn groups(
    loaded: &Loaded<'_>,
    first_group: &[usize],
    called: &HashSet<GroupId>,
    findings: &[MapFindings],
) {
    for (index, map) in loaded.maps.iter().enumerate() {
        let mut others = loaded.maps.iter().enumerate();
        let is_imported = others.any(|(other, importing)| {
            other != index
                && importing
                    .imports
                    .iter()
                    .any(|import| matches(&import.url, &map.url))
        });
        let is_library = map
            .groups
            .first()
            .is_some_and(|first| first.default_for != DefaultFor::Nothing);
        if is_imported || is_library {
            continue;
        }
        for (offset, group) in map.groups.iter().enumerate().skip(1) {
            let id = GroupId(first_group[index] + offset);
            if group.default_for == DefaultFor::Nothing && !called.contains(&id) {
                let reason = format!("nothing calls the group {}", group.name);
                findings[index].warn(group.position, reason);
            }
        }
    }
}
