//! What transforms give.

mod cast;
mod datatypes;
mod oid;
mod references;
mod text;
mod translate;

use super::stop::Stop;
use super::targets::{Made, not_set};
use super::{Engine, Frame, Slot};
use crate::fhirpath::evaluate::{Evaluator, Failure, Variables};
use crate::item::Item;
use crate::program::{Operand, Transform};

impl<'a> Engine<'a, '_> {
    /// The transforms that give a value.
    pub(super) fn compute(
        &mut self,
        transform: &'a Transform,
        base: usize,
    ) -> Result<Made<'a>, Stop> {
        let primitives = self.definitions.primitives;
        let item = match transform {
            Transform::Copy(operand) => {
                if let Operand::Slot(slot) = operand
                    && matches!(self.stack[base + slot], Slot::Unset)
                {
                    return Err(not_set());
                }
                self.operand(operand, base)?
            }
            Transform::Evaluate(source, expression) => {
                let this = self.operand(source, base)?;
                self.evaluate(base, |evaluator| {
                    only(evaluator.items(expression, this.as_ref())?)
                })?
            }
            Transform::Truncate(source, length) => Some(self.truncate(source, length, base)?),
            Transform::Append(parts) => Some(self.append(parts, base)?),
            Transform::Escape(source, from, to) => self.escape(source, *from, *to, base)?,
            Transform::Uuid => {
                let uuid = self.uuid();
                Some(Item::computed(uuid, primitives.id))
            }
            Transform::Cast(source, id) => match self.operand(source, base)? {
                None => None,
                Some(item) => self.cast(&item, *id)?,
            },
            Transform::Translate {
                source,
                translator,
                result,
            } => match self.operand(source, base)? {
                None => None,
                Some(item) => self.translate(&item, translator, *result)?,
            },
            Transform::OidToUri(source) => match self.operand(source, base)? {
                None => None,
                Some(item) => Some(self.oid_to_uri(&item)?),
            },
            Transform::Reference(resource) => {
                let (name, id) = self.identify(resource, base)?;
                Some(Item::computed(format!("{name}/{id}"), primitives.string))
            }
            Transform::Pointer(resource) => {
                let (_, id) = self.identify(resource, base)?;
                Some(Item::computed(format!("urn:uuid:{id}"), primitives.uri))
            }
            Transform::Object(id, elements) => {
                Some(Item::computed(self.object(elements, base)?, *id))
            }
            Transform::Concept(id, elements) => Some(self.concept(*id, elements, base)?),
            Transform::QuantityOfText(id, text) => Some(self.quantity_of_text(*id, text, base)?),
            Transform::Identifier(id, elements) => Some(self.identifier(*id, elements, base)?),
            Transform::ContactPointOfValue(id, value) => {
                Some(self.contact_point_of_value(*id, value, base)?)
            }
            Transform::Make
            | Transform::Share(_)
            | Transform::Default(_)
            | Transform::Create(_)
            | Transform::CreateImplied(_) => {
                return Err("a rule creates something, but names no element for it"
                    .to_owned()
                    .into());
            }
        };
        Ok(item.map_or(Made::Nothing, Made::Item))
    }

    pub(super) fn operand(
        &self,
        operand: &'a Operand,
        base: usize,
    ) -> Result<Option<Item<'a>>, Failure> {
        self.evaluate(base, |evaluator| operand_item(evaluator, operand))
    }

    /// The text of a parameter that must have one.
    fn text(&self, operand: &'a Operand, base: usize, what: &str) -> Result<String, Failure> {
        self.operand(operand, base)?
            .and_then(|item| item.text())
            .ok_or_else(|| format!("{what} has no text"))
    }
}

pub(super) fn operand_item<'a>(
    evaluator: &Evaluator<'a, '_, Frame<'_, 'a>>,
    operand: &'a Operand,
) -> Result<Option<Item<'a>>, Failure> {
    match operand {
        Operand::Literal(value, id) => Ok(Some(Item::Borrowed(value, *id))),
        Operand::Slot(slot) => Ok(evaluator.variables.variable(*slot)),
        Operand::Expression(expression) => only(evaluator.items(expression, None)?),
    }
}

/// The item of an expression that may give one.
fn only(mut items: Vec<Item<'_>>) -> Result<Option<Item<'_>>, Failure> {
    match items.len() {
        0 | 1 => Ok(items.pop()),
        count => Err(format!("its expression gives {count} items, not one")),
    }
}
