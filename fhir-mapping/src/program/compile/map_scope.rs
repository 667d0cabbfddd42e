//! What the rules of a map see: its groups and imports, constants and concept maps.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::Loaded;
use super::named_type::named_type;
use crate::concept_map::{ConceptMap, ConceptMaps};
use crate::definitions::TypeId;
use crate::fhirpath::syntax::Expression;
use crate::language::lexer::Position;
use crate::language::syntax::{self, StructureMap, StructureMode};
use crate::program::GroupId;
use crate::program::findings::MapFindings;
use crate::program::scope::Refusal;
use crate::program::suggestion::did_you_mean;

/// A group that rules can call.
#[derive(Clone, Copy)]
pub(super) struct Visible<'l> {
    /// The place of its map.
    pub(super) map: usize,
    pub(super) id: GroupId,
    pub(super) group: &'l syntax::Group,
}

/// A map while its rules are compiled.
pub(super) struct MapScope<'l> {
    pub(super) index: usize,
    pub(super) map: &'l StructureMap,
    pub(super) loaded: &'l Loaded<'l>,
    /// The map's own groups, then those that it imports, in the order of the imports.
    pub(super) groups: Vec<Visible<'l>>,
    by_name: HashMap<&'l str, Vec<Visible<'l>>>,
    /// For each import the places of the maps that it names.
    pub(super) imported: Vec<Vec<usize>>,
    pub(super) constants: HashMap<String, Expression>,
    /// Those that are loaded, and those in the map.
    pub(super) concept_maps: ConceptMaps,
    pub(super) has_terminology_server: bool,
    pub(super) findings: MapFindings,
    pub(super) called: RefCell<HashSet<GroupId>>,
    pub(super) used_constants: RefCell<HashSet<String>>,
    pub(super) used_maps: RefCell<HashSet<usize>>,
    /// Whether a group is looked for that the map itself does not have, or by types.
    pub(super) needs_imports: Cell<bool>,
}

impl<'l> MapScope<'l> {
    pub(super) fn new(loaded: &'l Loaded<'l>, first_group: &[usize], index: usize) -> Self {
        let map = &loaded.maps[index];
        let mut scope = Self {
            index,
            map,
            loaded,
            groups: Vec::new(),
            by_name: HashMap::new(),
            imported: Vec::new(),
            constants: HashMap::new(),
            concept_maps: Arc::clone(loaded.concept_maps),
            has_terminology_server: loaded.has_terminology_server,
            findings: MapFindings::default(),
            called: RefCell::default(),
            used_constants: RefCell::default(),
            used_maps: RefCell::default(),
            needs_imports: Cell::new(false),
        };
        for constant in &map.constants {
            let expression = constant.expression.clone();
            let replaced = scope.constants.insert(constant.name.clone(), expression);
            if replaced.is_some() {
                let reason = format!("{} is defined before: this is what counts", constant.name);
                scope.findings.warn(constant.expression.position, reason);
            }
        }
        for concept_map in &map.concept_maps {
            let read = Arc::new(ConceptMap::of_block(concept_map));
            Arc::make_mut(&mut scope.concept_maps).insert(concept_map.url.clone(), read);
        }
        scope.see_groups(first_group);
        scope
    }

    /// Finds the map's own groups and those of the maps it imports.
    fn see_groups(&mut self, first_group: &[usize]) {
        let maps = self.loaded.maps;
        for import in &self.map.imports {
            let named =
                |other: &usize| *other != self.index && matches(&import.url, &maps[*other].url);
            self.imported.push((0..maps.len()).filter(named).collect());
        }
        let mut seen = HashSet::new();
        let imported = self.imported.iter().flatten().copied();
        for map in std::iter::once(self.index).chain(imported) {
            if !seen.insert(map) {
                continue;
            }
            for (offset, group) in maps[map].groups.iter().enumerate() {
                let id = GroupId(first_group[map] + offset);
                let visible = Visible { map, id, group };
                let named = self.by_name.entry(group.name.as_str()).or_default();
                let is_own = |known: &Visible<'_>| known.map == self.index;
                if map == self.index && named.iter().any(is_own) {
                    let reason = format!(
                        "there are two groups named {}: neither can be called; rename one",
                        group.name
                    );
                    self.findings.warn(group.position, reason);
                }
                // The map's own groups hide those of the same name.
                if map == self.index || !named.iter().any(is_own) {
                    named.push(visible);
                }
                self.groups.push(visible);
            }
        }
    }

    /// The group of this name, which is called or extended at the position.
    ///
    /// # Errors
    /// There is none, or more than one.
    pub(super) fn find_group(
        &self,
        name: &str,
        position: Position,
    ) -> Result<Visible<'l>, Refusal> {
        let named = self.by_name.get(name).map_or(&[][..], Vec::as_slice);
        match named {
            [found] => {
                self.called.borrow_mut().insert(found.id);
                self.used_maps.borrow_mut().insert(found.map);
                if found.map != self.index {
                    self.needs_imports.set(true);
                }
                Ok(*found)
            }
            [first, _, ..] if first.map == self.index => Err((
                position,
                format!("there are two groups named {name}; rename one"),
            )),
            [_, _, ..] => {
                let urls: Vec<&str> = named
                    .iter()
                    .map(|visible| self.loaded.maps[visible.map].url.as_str())
                    .collect();
                Err((
                    position,
                    format!(
                        "several imported maps have a group named {name}: {}; import one of them, or rename the group",
                        urls.join(", ")
                    ),
                ))
            }
            [] => {
                self.needs_imports.set(true);
                let suggestion = did_you_mean(name, self.by_name.keys().copied());
                Err((
                    position,
                    format!(
                        "there is no group named {name}, here or in an imported map{suggestion}"
                    ),
                ))
            }
        }
    }

    /// The concept map of this url: a resource, a block of this map (`#name`), or a block of another
    /// one (`url-of-the-map#name`).
    pub(super) fn concept_map(&self, url: &str) -> Option<Arc<ConceptMap>> {
        if let Some(known) = self.concept_maps.get(url.split('|').next()?) {
            return Some(Arc::clone(known));
        }
        let (map, _) = url.split_once('#')?;
        let block = url.strip_prefix(map)?;
        let map = self.loaded.maps.iter().find(|other| other.url == map)?;
        let block = map.concept_maps.iter().find(|other| other.url == block)?;
        Some(Arc::new(ConceptMap::of_block(block)))
    }

    /// The type of this name, which may have to be the alias of something with one of the modes.
    ///
    /// # Errors
    /// What to mend.
    pub(super) fn type_named(&self, name: &str, modes: &[StructureMode]) -> Result<TypeId, String> {
        named_type(self.loaded.definitions, &self.map.structures, name, modes)
    }

    /// The type that is written behind a group's input, if one is.
    pub(super) fn type_of_input(&self, input: &syntax::Input) -> Option<Result<TypeId, String>> {
        let name = input.type_name.as_ref()?;
        Some(self.type_named(name, &[]))
    }
}

/// Whether an import names the url; `*` stands for anything, and `|` begins a version.
pub(super) fn matches(import: &str, url: &str) -> bool {
    match import.split_once('*') {
        None => import.split('|').next() == Some(url),
        Some((begin, end)) => {
            url.len() >= begin.len() + end.len() && url.starts_with(begin) && url.ends_with(end)
        }
    }
}
