//! What rules write to.

use super::group::GroupCompiler;
use crate::definitions::TypeId;
use crate::fhirpath::compile::resolve;
use crate::item::Member;
use crate::language::lexer::Position;
use crate::language::syntax::{self, Mode, TargetListMode};
use crate::program::scope::Refusal;
use crate::program::{Operand, Target, Transform};

impl GroupCompiler<'_, '_> {
    /// A target; what is wrong with it is noted, and its variable is there all the same, so that
    /// mistakes after it are told, too.
    pub(super) fn target(
        &mut self,
        target: &syntax::Target,
        simple: bool,
        only_source: Option<usize>,
    ) -> Target {
        let compiled = self.place_and_transform(target, simple, only_source);
        let (place, transform, type_id, is_certain) = match self.noted(compiled) {
            Some(compiled) => compiled,
            None => (None, Transform::Make, None, false),
        };
        self.check_assigned(target, place.as_ref(), &transform);
        let variable = target.variable.as_ref().map(|name| {
            let slot = self.scope.declare(name, Mode::Target, type_id);
            if let Some(variable) = self.scope.variables.last_mut() {
                variable.is_certain = is_certain;
            }
            slot
        });
        Target {
            place,
            is_whole: target.path.is_empty(),
            transform,
            variable,
        }
    }

    /// With the type of what is made, and whether that is certain.
    #[allow(clippy::type_complexity, reason = "the parts of one target")]
    fn place_and_transform(
        &mut self,
        target: &syntax::Target,
        simple: bool,
        only_source: Option<usize>,
    ) -> Result<(Option<(usize, Member)>, Transform, Option<TypeId>, bool), Refusal> {
        let position = target.position;
        let refuse = |reason: String| (position, reason);
        let mut child = None;
        let mut is_certain = true;
        let place = match (&target.context, target.path.as_slice()) {
            (None, _) => None,
            (Some(_), []) if target.transform.is_none() => None,
            (Some(name), [element]) => {
                let (member, found);
                (member, found, is_certain) = self.element(position, name, element)?;
                child = found;
                Some(member)
            }
            (Some(name), []) => {
                let (member, found);
                (member, found, is_certain) = self.whole(position, name)?;
                child = found;
                Some(member)
            }
            (Some(name), [element, ..]) => {
                return Err(refuse(format!(
                    "write to one element at a time: {name}.{element} as a variable, then its elements"
                )));
            }
        };
        self.check_list_mode(target);
        let transform = match (&target.transform, &target.list_mode) {
            (None, Some(TargetListMode::Share(name))) if place.is_some() => {
                Transform::Share(self.shared_slots(name))
            }
            // All rules of the list that say so have one item of the element.
            (None, Some(TargetListMode::Single)) if place.is_some() => {
                Transform::Share(self.shared_slots(&format!("single {}", target.path.join("."))))
            }
            (None, _) if simple => match only_source {
                Some(source) => Transform::Default(source),
                None => return Err(refuse("a copy needs one source".to_owned())),
            },
            // As with HL7's engine, `first`, `last` and `collate` change nothing: items stand in the
            // order in which rules made them. Nor does `share` of what a transform gives.
            (None, _) => match (&place, &target.context) {
                (None, Some(name)) => {
                    let Some(variable) = self.scope.find(name) else {
                        return Err(refuse(self.no_variable("variable", name, None)));
                    };
                    child = variable.type_id;
                    is_certain = variable.is_certain;
                    Transform::Copy(Operand::Slot(variable.slot))
                }
                _ => Transform::Make,
            },
            (Some(transform), _) => {
                let (transform, made) = self.transform(transform, position, only_source)?;
                if made.is_some() {
                    (child, is_certain) = (made, true);
                }
                transform
            }
        };
        Ok((place, transform, child, is_certain))
    }

    /// The slot of what rules beside this one share by the name, and those of the rules around it.
    fn shared_slots(&mut self, name: &str) -> Vec<usize> {
        let next = self.scope.slots;
        if let Some(own) = self.shared.last_mut()
            && *own.entry(name.to_owned()).or_insert(next) == next
        {
            self.scope.slots += 1;
        }
        let scopes = self.shared.iter().rev();
        scopes
            .filter_map(|scope| scope.get(name).copied())
            .collect()
    }

    /// The element of a target variable, its type, and whether that is certain.
    #[allow(clippy::type_complexity, reason = "the parts of one place")]
    fn element(
        &self,
        position: Position,
        name: &str,
        element: &str,
    ) -> Result<((usize, Member), Option<TypeId>, bool), Refusal> {
        let Some(context) = self.scope.find_as(name, Mode::Target) else {
            let mut reason = self.no_variable("target variable", name, Some(Mode::Target));
            if self.scope.find(name).is_some() {
                reason.push_str(": it is a source, which is only read");
            }
            return Err((position, reason));
        };
        match resolve(&self.scope, context.type_id, element) {
            Ok((member, found)) => Ok(((context.slot, member), found, context.is_certain)),
            Err(reason) if context.is_certain => Err((position, reason)),
            Err(reason) => {
                let called = "; it fails unless the group is called with another type";
                self.warn(position, format!("{reason}{called}"));
                Ok(((context.slot, Member::unknown(element)), None, false))
            }
        }
    }

    /// `variable = value`: a primitive's own value.
    #[allow(clippy::type_complexity, reason = "the parts of one place")]
    fn whole(
        &self,
        position: Position,
        name: &str,
    ) -> Result<((usize, Member), Option<TypeId>, bool), Refusal> {
        let variable = self.scope.find_as(name, Mode::Target);
        let type_id = variable.and_then(|variable| variable.type_id);
        if type_id.is_some_and(|id| !self.scope.definitions.is_primitive(id)) {
            let reason = format!("name the element of {name} to write to");
            return Err((position, reason));
        }
        self.element(position, name, "value")
    }

    /// Warns of list modes that change nothing.
    fn check_list_mode(&self, target: &syntax::Target) {
        let mode = match (&target.list_mode, &target.transform) {
            (Some(TargetListMode::First), _) => "first",
            (Some(TargetListMode::Last), _) => "last",
            (Some(TargetListMode::Collate), _) => "collate",
            (Some(TargetListMode::Share(_)), Some(_)) => "share",
            (Some(TargetListMode::Single), Some(_)) => "single",
            _ => return,
        };
        let reason = format!(
            "{mode} changes nothing here: items stand in the order in which rules make them"
        );
        self.warn(target.position, reason);
    }

    /// Warns of a second value for an element that has one.
    fn check_assigned(
        &mut self,
        target: &syntax::Target,
        place: Option<&(usize, Member)>,
        transform: &Transform,
    ) {
        let is_value = !matches!(
            transform,
            Transform::Make
                | Transform::Share(_)
                | Transform::Create(_)
                | Transform::CreateImplied(_)
        );
        let (Some((slot, member)), true) = (place, is_value) else {
            return;
        };
        let Some(known) = member.known else {
            return;
        };
        let definition = self.scope.definitions.get(known.parent);
        let element =
            definition.and_then(|definition| definition.elements.get(known.element.index));
        let Some(element) = element.filter(|element| !element.list) else {
            return;
        };
        let assigned = (*slot, known.element.index, known.parent);
        if self.assigned.contains(&assigned) {
            let reason = format!(
                "{} has one value only: this one replaces the one before",
                element.name
            );
            self.warn(target.position, reason);
        } else {
            self.assigned.push(assigned);
        }
    }
}
