//! What definitions refer to before it is added: they come in any order.

use super::{Definitions, TypeId, UNKNOWN};

/// What one StructureDefinition refers to that is not known yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Pending {
    /// A type, and the url of the one whose elements it has, too.
    pub(super) base: Option<(TypeId, String)>,
    types: Vec<PendingType>,
}

/// A type of an element.
#[derive(Debug, Clone)]
struct PendingType {
    /// The type that has the element, and its place among the elements.
    element: (TypeId, usize),
    /// The place among the element's types.
    index: usize,
    path: String,
    code: String,
}

impl Pending {
    pub(super) fn add_type(
        &mut self,
        element: (TypeId, usize),
        index: usize,
        path: &str,
        code: &str,
    ) {
        self.types.push(PendingType {
            element,
            index,
            path: path.to_owned(),
            code: code.to_owned(),
        });
    }
}

/// By the url of the StructureDefinition.
#[derive(Debug, Clone, Default)]
pub(super) struct AllPending(Vec<(String, Pending)>);

impl AllPending {
    pub(super) fn push(&mut self, url: &str, pending: Pending) {
        self.0.retain(|(other, _)| other != url);
        if pending.base.is_some() || !pending.types.is_empty() {
            self.0.push((url.to_owned(), pending));
        }
    }

    /// The first type that a StructureDefinition names and nobody has defined.
    pub(super) fn unresolved(&self, url: &str) -> Option<String> {
        let (_, pending) = self.0.iter().find(|(other, _)| other == url)?;
        let first = pending.types.first()?;
        Some(format!(
            "{} has the type {}, which is not known",
            first.path, first.code
        ))
    }

    fn waits_for_base(&self, id: TypeId) -> bool {
        self.0.iter().any(|(_, pending)| {
            let base = pending.base.as_ref();
            base.is_some_and(|(waiting, _)| *waiting == id)
        })
    }
}

impl Definitions {
    /// Looks again for what was not known.
    pub(super) fn complete(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        for (_, pending) in &mut pending.0 {
            pending.types.retain(|waiting| {
                let Some(found) = self.by_code(&waiting.code) else {
                    return true;
                };
                let (parent, index) = waiting.element;
                let types = self
                    .own_mut(parent)
                    .and_then(|parent| parent.elements.get_mut(index))
                    .and_then(|element| element.types.get_mut(waiting.index));
                if let Some(known) = types {
                    *known = found;
                }
                false
            });
        }
        // A model may be derived from one that is derived itself: the innermost first.
        for _ in 0..pending.0.len() {
            let ready = pending.0.iter().position(|(_, waiting)| {
                let base = waiting.base.as_ref();
                let base = base.and_then(|(_, url)| self.by_url(url));
                // Places of elements are as they were read until every type of them is known.
                waiting.types.is_empty() && base.is_some_and(|base| !pending.waits_for_base(base))
            });
            let Some((_, waiting)) = ready.and_then(|index| pending.0.get_mut(index)) else {
                break;
            };
            if let Some((id, url)) = waiting.base.take()
                && let Some(base) = self.by_url(&url)
            {
                self.inherit(id, base);
            }
        }
        pending
            .0
            .retain(|(_, waiting)| waiting.base.is_some() || !waiting.types.is_empty());
        self.pending = pending;
    }

    /// Puts the elements of a base before those that the type adds.
    fn inherit(&mut self, id: TypeId, base: TypeId) {
        if id == base || base == UNKNOWN {
            return;
        }
        let mut elements = match self.get(base) {
            Some(definition) => definition.elements.clone(),
            None => return,
        };
        let Some(definition) = self.own_mut(id) else {
            return;
        };
        definition.base = Some(base);
        for element in std::mem::take(&mut definition.elements) {
            match elements.iter_mut().find(|known| known.name == element.name) {
                Some(known) => *known = element,
                None => elements.push(element),
            }
        }
        definition.elements = elements;
    }
}
