//! Which groups begin with another one.

use super::Loaded;
use super::map_scope::MapScope;
use crate::language::syntax;
use crate::program::findings::MapFindings;
use crate::program::scope::Refusal;
use crate::program::{Extended, Group, Program};

impl MapScope<'_> {
    /// The group that is extended, with the inputs that it gets: by their names, else by their
    /// places.
    pub(super) fn extended(&self, group: &syntax::Group) -> Result<Option<Extended>, Refusal> {
        let Some((name, position)) = &group.extends else {
            return Ok(None);
        };
        let base = self.find_group(name, *position)?;
        let mut inputs = Vec::new();
        for (place, input) in base.group.inputs.iter().enumerate() {
            let own = group.inputs.iter();
            let named = own
                .clone()
                .position(|own| own.name == input.name && own.mode == input.mode);
            let placed = group.inputs.get(place);
            let placed = placed.filter(|own| own.mode == input.mode).map(|_| place);
            let Some(slot) = named.or(placed) else {
                let mode = match input.mode {
                    syntax::Mode::Source => "source",
                    syntax::Mode::Target => "target",
                };
                return Err((
                    *position,
                    format!(
                        "{} has no {mode} {}, which {name} needs",
                        group.name, input.name
                    ),
                ));
            };
            inputs.push(slot);
        }
        Ok(Some(Extended {
            group: base.id,
            inputs,
        }))
    }
}

/// Refuses groups that extend themselves, by however many steps and in however many maps.
pub(super) fn check(
    loaded: &Loaded<'_>,
    first_group: &[usize],
    program: &mut Program,
    findings: &[MapFindings],
) {
    let extended = |group: &Group| Some(group.extends.as_ref()?.group.0);
    let extended: Vec<Option<usize>> = program.groups.iter().map(extended).collect();
    let next = |id: usize| extended.get(id).copied().flatten();
    for ((map, first), findings) in loaded.maps.iter().zip(first_group).zip(findings) {
        for (offset, group) in map.groups.iter().enumerate() {
            let Some((_, position)) = &group.extends else {
                continue;
            };
            let own = first + offset;
            let mut at = next(own);
            // Another cycle that this group leads to is told where it is.
            let mut steps = 0;
            while let Some(id) = at
                && steps <= extended.len()
            {
                if id == own {
                    let reason = format!("{} extends itself", group.name);
                    if let Some(group) = program.groups.get_mut(own) {
                        group.failure = Some(reason.clone());
                    }
                    findings.error((*position, reason));
                    break;
                }
                steps += 1;
                at = next(id);
            }
        }
    }
}
