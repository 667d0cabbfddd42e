//! Types by the names that maps give them.

use crate::definitions::{Definitions, TypeId};
use crate::language::syntax::{Structure, StructureMode};
use crate::program::suggestion::did_you_mean;

/// The type of this name: an alias of `uses`, with one of the modes if any is asked for, a type's
/// own name, or its url.
///
/// # Errors
/// What to mend.
pub(super) fn named_type(
    definitions: &Definitions,
    structures: &[Structure],
    name: &str,
    modes: &[StructureMode],
) -> Result<TypeId, String> {
    let aliased = |used: &&Structure| used.alias.as_deref() == Some(name);
    let in_mode = |used: &&Structure| modes.is_empty() || modes.contains(&used.mode);
    if let Some(used) = structures.iter().filter(aliased).find(in_mode) {
        return definitions.by_url(&used.url).ok_or_else(|| {
            format!(
                "{} is not known; add its StructureDefinition to the maps",
                used.url
            )
        });
    }
    let known = definitions
        .by_name(name)
        .or_else(|| definitions.by_url(name));
    known.ok_or_else(|| {
        if structures.iter().any(|used| aliased(&used)) {
            return format!(
                "{name} is the alias of something that is read only; a `uses … as target` is missing"
            );
        }
        let aliases = structures.iter().filter_map(|used| used.alias.as_deref());
        let suggestion = did_you_mean(name, aliases.chain(definitions.names()));
        format!(
            "there is no type {name}; name one of FHIR R4, or an alias of `uses`{suggestion}"
        )
    })
}
