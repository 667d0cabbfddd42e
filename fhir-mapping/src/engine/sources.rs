//! Which items a source gives.

use super::stop::Stop;
use super::trace::TraceEvent;
use super::transforms::operand_item;
use super::{Engine, Frame, Slot};
use crate::error::TransformError;
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Variables};
use crate::fhirpath::text_equals;
use crate::item::{Item, each_item};
use crate::language::syntax::SourceListMode;
use crate::program::{Group, Rule, Source};

/// How many items were left after each part of a source.
#[derive(Debug, Default)]
struct Counts {
    found: usize,
    is_default: bool,
    of_type: Option<usize>,
    condition: Option<usize>,
    chosen: Option<usize>,
}

impl<'a> Engine<'a, '_> {
    /// Most rules ask for a variable, or for the items of one element, perhaps those that have a
    /// certain text: these run as the items are found, without a list of them. `None` when the
    /// variable holds what cannot be read like this.
    pub(super) fn plain_source(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        source: &'a Source,
        others: &'a [Source],
        base: usize,
    ) -> Option<Result<(), TransformError>> {
        let context = &self.stack[base + source.context];
        let [member] = source.path.as_slice() else {
            if !source.path.is_empty() || source.condition.is_some() {
                return None;
            }
            let slot = match context {
                Slot::Source(_) | Slot::Target(_) => context.clone(),
                Slot::Unset => return None,
            };
            if let Some(variable) = source.variable {
                self.stack[base + variable] = slot;
            }
            return Some(self.sources(group, rule, others, base));
        };
        let Slot::Source(Item::Borrowed(parent, parent_type)) = *context else {
            return None;
        };
        let wanted = match &source.condition {
            None => None,
            Some(Compiled::TextEquals(member, text)) => Some((member, text)),
            Some(_) => return None,
        };
        let definitions = self.definitions;
        let mut result = Ok(());
        let parent = (parent, None, parent_type);
        each_item(definitions, parent, member, &mut |item| {
            if let Some((member, text)) = wanted {
                let parent = (item.value(), item.type_id());
                if text_equals(definitions, parent, member, text) != Some(true) {
                    return;
                }
            }
            if result.is_err() {
                return;
            }
            if let Some(variable) = source.variable {
                self.stack[base + variable] = Slot::Source(item);
            }
            result = self.sources(group, rule, others, base);
        });
        Some(result)
    }

    /// Whether a condition of a source holds for one of its items.
    fn holds(
        &self,
        source: &Source,
        condition: &'a Compiled,
        item: &Item<'a>,
        base: usize,
    ) -> Result<bool, Failure> {
        let frame = Frame {
            slots: &self.stack[base..],
            output: &self.output,
            own: source.variable.map(|slot| (slot, item)),
        };
        let evaluator = Evaluator::new(self.definitions, &frame, &self.session);
        evaluator.holds(condition, Some(item))
    }

    pub(super) fn source(
        &mut self,
        source: &'a Source,
        base: usize,
    ) -> Result<Vec<Item<'a>>, Stop> {
        let mut counts = Counts::default();
        let items = self.chosen(source, base, &mut counts);
        if self.trace.is_some() {
            let mut context = None;
            if let Slot::Source(item) = &self.stack[base + source.context] {
                context = Some(item);
            }
            if let Some(trace) = &mut self.trace {
                let mut element = context.map_or_else(
                    || "(of the output)".to_owned(),
                    |item| trace.path_of_item(item),
                );
                for member in &source.path {
                    element.push('.');
                    element.push_str(&member.name);
                }
                trace.add(TraceEvent::Source {
                    element,
                    found: counts.found,
                    is_default: counts.is_default,
                    of_type: counts.of_type,
                    condition: counts.condition,
                    chosen: counts.chosen,
                });
            }
        }
        Ok(items?)
    }

    fn chosen(
        &self,
        source: &'a Source,
        base: usize,
        counts: &mut Counts,
    ) -> Result<Vec<Item<'a>>, Failure> {
        self.evaluate(base, |evaluator| {
            let Some(context) = evaluator.variables.variable(source.context) else {
                return Ok(Vec::new());
            };
            let mut items = vec![context];
            for member in &source.path {
                let mut children = Vec::new();
                for item in &items {
                    item.children(self.definitions, member, &mut children);
                }
                items = children;
            }
            counts.found = items.len();
            if let (true, Some(default)) = (items.is_empty(), &source.default) {
                items.extend(operand_item(evaluator, default)?);
                counts.is_default = true;
            }
            if let Some(id) = source.type_id {
                items.retain(|item| self.definitions.is_exactly(item.type_id(), id));
                counts.of_type = Some(items.len());
            }
            if let Some((minimum, maximum)) = source.cardinality
                && (items.len() < minimum || maximum.is_some_and(|max| items.len() > max))
            {
                let maximum = maximum.map_or("*".to_owned(), |max| max.to_string());
                let found = items.len();
                return Err(format!("there are {found} items, not {minimum}..{maximum}"));
            }
            if let Some(condition) = &source.condition {
                let mut kept = Vec::new();
                for item in items {
                    if self.holds(source, condition, &item, base)? {
                        kept.push(item);
                    }
                }
                items = kept;
                counts.condition = Some(items.len());
            }
            if let Some(check) = &source.check {
                for item in &items {
                    if !self.holds(source, check, item, base)? {
                        return Err("its check does not hold".to_owned());
                    }
                }
            }
            if source.list_mode.is_some() {
                choose(&mut items, source.list_mode)?;
                counts.chosen = Some(items.len());
            }
            Ok(items)
        })
    }
}

fn choose(items: &mut Vec<Item<'_>>, mode: Option<SourceListMode>) -> Result<(), Failure> {
    if items.is_empty() {
        return Ok(());
    }
    match mode {
        None => {}
        Some(SourceListMode::First) => items.truncate(1),
        Some(SourceListMode::NotFirst) => {
            items.remove(0);
        }
        Some(SourceListMode::Last) => {
            items.drain(..items.len() - 1);
        }
        Some(SourceListMode::NotLast) => {
            items.pop();
        }
        Some(SourceListMode::OnlyOne) if items.len() > 1 => {
            return Err(format!("there are {} items, not only one", items.len()));
        }
        Some(SourceListMode::OnlyOne) => {}
    }
    Ok(())
}
