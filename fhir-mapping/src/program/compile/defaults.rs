//! The groups that rules without `then` use (`<<types>>` and `<<type+>>`).

use std::collections::HashMap;

use super::map_scope::{MapScope, Visible};
use super::named_type::named_type;
use crate::definitions::TypeId;
use crate::language::syntax::{DefaultFor, Mode};
use crate::program::Defaults;

impl MapScope<'_> {
    /// What is the default for which types: the map's own groups before those that it imports, and
    /// of several the first.
    pub(super) fn defaults(&self) -> Defaults {
        let mut defaults = Defaults::default();
        let mut from: HashMap<(TypeId, TypeId), Visible<'_>> = HashMap::new();
        for visible in &self.groups {
            let group = visible.group;
            if group.default_for == DefaultFor::Nothing {
                continue;
            }
            let is_own = visible.map == self.index;
            let Some((source, target)) = self.types_of_default(visible) else {
                continue;
            };
            if let Some(first) = from.get(&(source, target)) {
                if is_own {
                    let definitions = self.loaded.definitions;
                    let reason = format!(
                        "{} is the default for {} to {}, too: this group is never a default",
                        first.group.name,
                        definitions.name(source),
                        definitions.name(target)
                    );
                    self.findings.warn(group.position, reason);
                }
                continue;
            }
            from.insert((source, target), *visible);
            defaults.by_types.insert((source, target), visible.id);
            if group.default_for == DefaultFor::TypeAndTypes {
                defaults.by_source.entry(source).or_insert(target);
            }
        }
        defaults
    }

    /// The types that a group is the default for. One of another shape never is.
    fn types_of_default(&self, visible: &Visible<'_>) -> Option<(TypeId, TypeId)> {
        let group = visible.group;
        let warn = |reason: String| {
            if visible.map == self.index {
                self.findings.warn(group.position, reason);
            }
        };
        let (source, target) = match group.inputs.as_slice() {
            [source, target] if (source.mode, target.mode) == (Mode::Source, Mode::Target) => {
                (source, target)
            }
            _ => {
                warn(format!(
                    "{} is never a default: that has one source and then one target",
                    group.name
                ));
                return None;
            }
        };
        let (Some(source), Some(target)) = (&source.type_name, &target.type_name) else {
            warn(format!(
                "{} is never a default: its source and its target need types",
                group.name
            ));
            return None;
        };
        let definitions = self.loaded.definitions;
        let structures = &self.loaded.maps[visible.map].structures;
        // A type that is not known is told where it stands.
        let source = named_type(definitions, structures, source, &[]).ok()?;
        let target = named_type(definitions, structures, target, &[]).ok()?;
        Some((source, target))
    }
}
