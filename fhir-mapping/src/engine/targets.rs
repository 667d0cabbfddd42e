//! Where what a rule makes goes to.

use super::stop::Stop;
use super::trace::{GroupCall, TraceEvent};
use super::{Engine, Slot};
use crate::item::{Item, Member};
use crate::output::NodeId;
use crate::program::{Group, Operand, Target, Transform};

/// What a transform gives.
pub(super) enum Made<'a> {
    Nothing,
    Item(Item<'a>),
    /// A node that stands nowhere yet.
    Created(NodeId),
    /// A node that stands where it belongs, or a variable's.
    Node(NodeId),
}

impl<'a> Engine<'a, '_> {
    pub(super) fn target(
        &mut self,
        group: &'a Group,
        target: &'a Target,
        base: usize,
    ) -> Result<(), Stop> {
        let place = match &target.place {
            None => None,
            Some((slot, member)) => match &self.stack[base + slot] {
                Slot::Target(node) => Some((*node, member)),
                _ => return Err(format!("there is nothing to write {} to", member.name).into()),
            },
        };
        if let Some((node, _)) = place
            && target.is_whole
            && !self.definitions.is_primitive(self.output.type_of(node))
        {
            return Err("it writes a value to what is no primitive; name an element"
                .to_owned()
                .into());
        }
        if let (Transform::Default(slot), Some((node, member))) = (&target.transform, place) {
            return self.default_copy(group, *slot, node, member, base);
        }
        let made = match (&target.transform, place) {
            (Transform::Make, Some((node, member))) => Made::Node(self.output.make(node, member)?),
            (Transform::Share(slots), Some((node, member))) => {
                Made::Node(self.share(slots, node, member, base)?)
            }
            (Transform::Create(id), _) => Made::Created(self.output.create(*id)?),
            (Transform::CreateImplied(source), Some((node, member))) => {
                let known = self.output.type_of_element(node, member)?;
                let id = match (known, source.map(|slot| &self.stack[base + slot])) {
                    (Some(id), _) => id,
                    (None, Some(Slot::Source(item))) => {
                        self.default_type(group, item.type_id()).ok_or_else(|| {
                            format!("no default group tells which type {} has", member.name)
                        })?
                    }
                    _ => {
                        return Err(format!("nothing tells which type {} has", member.name).into());
                    }
                };
                Made::Created(self.output.create(id)?)
            }
            (Transform::Copy(Operand::Slot(slot)), None) => match &self.stack[base + slot] {
                Slot::Target(node) => Made::Node(*node),
                Slot::Source(item) => Made::Item(item.clone()),
                Slot::Unset => return Err(not_set()),
            },
            (transform, _) => self.compute(transform, base)?,
        };
        let is_nothing = matches!(made, Made::Nothing);
        let slot = match (made, place) {
            (Made::Nothing, _) => Slot::Unset,
            (Made::Node(node), _) | (Made::Created(node), None) => Slot::Target(node),
            (Made::Created(created), Some((node, member))) => {
                Slot::Target(self.output.attach(node, member, created)?)
            }
            (Made::Item(item), None) => Slot::Source(item),
            (Made::Item(item), Some((node, member))) => {
                Slot::Target(self.output.set(node, member, item)?)
            }
        };
        if self.trace.is_some() {
            let node = match slot {
                Slot::Target(node) => Some(node),
                _ => None,
            };
            self.trace_target(place, node, target.transform.name(), is_nothing);
        }
        if let Some(variable) = target.variable {
            self.stack[base + variable] = slot;
        }
        Ok(())
    }

    /// The item that the rules of a list share, from the innermost list that has one.
    fn share(
        &mut self,
        slots: &[usize],
        node: NodeId,
        member: &Member,
        base: usize,
    ) -> Result<NodeId, Stop> {
        for slot in slots {
            if let Slot::Target(shared) = self.stack[base + slot] {
                return Ok(shared);
            }
        }
        let made = self.output.make(node, member)?;
        if let Some(slot) = slots.first() {
            self.stack[base + slot] = Slot::Target(made);
        }
        Ok(made)
    }

    /// `source.a -> target.b`: by the default group of the types, or as it is.
    fn default_copy(
        &mut self,
        group: &'a Group,
        slot: usize,
        node: NodeId,
        member: &Member,
        base: usize,
    ) -> Result<(), Stop> {
        let Slot::Source(item) = self.stack[base + slot].clone() else {
            return Err(not_set());
        };
        let source_type = item.type_id();
        let target_type = self
            .output
            .type_of_element(node, member)?
            .or_else(|| self.default_type(group, source_type));
        let called = target_type
            .and_then(|target| Some((target, self.default_group(group, source_type, target)?)));
        let Some((target_type, called)) = called else {
            if let Some(trace) = &mut self.trace {
                trace.add(TraceEvent::NoDefaultGroup {
                    source: self.definitions.name(source_type).to_owned(),
                    target: target_type.map(|id| self.definitions.name(id).to_owned()),
                });
            }
            let set = self.output.set_whole(node, member, item)?;
            self.trace_target(Some((node, member)), Some(set), "copy", false);
            return Ok(());
        };
        let created = self.output.create(target_type)?;
        let attached = self.output.attach(node, member, created)?;
        self.trace_target(Some((node, member)), Some(attached), "create", false);
        let called_base = self.stack.len();
        self.stack.push(Slot::Source(item));
        self.stack.push(Slot::Target(attached));
        self.nested_group(called, called_base, GroupCall::Default)
    }

    fn trace_target(
        &mut self,
        place: Option<(NodeId, &Member)>,
        node: Option<NodeId>,
        transform: &'static str,
        is_nothing: bool,
    ) {
        let Some(trace) = &mut self.trace else {
            return;
        };
        let element = place.map(|(parent, member)| {
            let mut path = trace.path_of_node(parent);
            path.push('.');
            path.push_str(&member.name);
            if let Some(count) = self.output.count(parent, member)
                && !is_nothing
            {
                path.push_str(&format!("[{}]", count.saturating_sub(1)));
            }
            if let Some(node) = node
                && node != parent
            {
                trace.name_node(node, path.clone());
            }
            path
        });
        let value = node
            .filter(|_| trace.shows_values())
            .and_then(|node| self.output.read(node)?.text());
        trace.add(TraceEvent::Target {
            element,
            transform,
            is_nothing,
            value,
        });
    }
}

pub(super) fn not_set() -> Stop {
    "a variable that it copies was not set".to_owned().into()
}
