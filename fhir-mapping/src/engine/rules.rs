//! Groups and their rules.

use super::stop::Stop;
use super::trace::{GroupCall, TraceEvent};
use super::{Engine, Slot};
use crate::definitions::TypeId;
use crate::error::TransformError;
use crate::language::syntax::Mode;
use crate::program::{Group, GroupId, Operand, Rule, Source};

impl<'a> Engine<'a, '_> {
    /// Runs a group whose inputs are on the stack from `base` on.
    pub(super) fn run_group(
        &mut self,
        id: GroupId,
        base: usize,
        call: GroupCall,
    ) -> Result<(), TransformError> {
        let program = self.program;
        let Some(group) = program.groups.get(id.0) else {
            return Ok(());
        };
        if let Some(trace) = &mut self.trace {
            let map = program.maps.get(group.map).map(|map| map.url.as_str());
            trace.enter(TraceEvent::Group {
                map: map.unwrap_or_default().to_owned(),
                group: group.name.clone(),
                call,
            });
        }
        if let Some(reason) = &group.failure {
            return Err(TransformError::Definitions {
                map: program
                    .maps
                    .get(group.map)
                    .map(|map| map.url.clone())
                    .unwrap_or_default(),
                group: group.name.clone(),
                rule: "(extends)".to_owned(),
                reason: reason.clone(),
            });
        }
        let mut shared = Vec::new();
        if let Some(extended) = &group.extends {
            let inputs = extended.inputs.iter();
            let inputs: Vec<Slot<'a>> =
                inputs.map(|slot| self.stack[base + slot].clone()).collect();
            let extended_base = self.stack.len();
            self.stack.extend(inputs);
            self.run_group(extended.group, extended_base, GroupCall::Extended)?;
            // Both are one group: what its rules share, those of this one share, too.
            let extended = program.groups.get(extended.group.0);
            for (name, slot) in extended.into_iter().flat_map(|extended| &extended.shared) {
                if let Some(own) = group.shared.get(name) {
                    shared.push((*own, self.stack[extended_base + slot].clone()));
                }
            }
            self.stack.truncate(extended_base);
        }
        self.stack.resize(base + group.slots, Slot::Unset);
        for (slot, node) in shared {
            self.stack[base + slot] = node;
        }
        for rule in &group.rules {
            self.rule(group, rule, base)?;
        }
        if let Some(trace) = &mut self.trace {
            trace.leave();
        }
        Ok(())
    }

    fn rule(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        base: usize,
    ) -> Result<(), TransformError> {
        if let Some(trace) = &mut self.trace {
            trace.enter(TraceEvent::Rule {
                rule: rule.name.clone(),
            });
        }
        self.usage
            .enter()
            .map_err(|exceeded| self.fail(group, rule, exceeded.into()))?;
        let result = self.sources(group, rule, &rule.sources, base);
        self.usage.leave();
        if let Some(trace) = &mut self.trace
            && result.is_ok()
        {
            trace.leave();
        }
        result
    }

    /// Runs the rule for every combination of its sources' items.
    pub(super) fn sources(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        sources: &'a [Source],
        base: usize,
    ) -> Result<(), TransformError> {
        let Some((source, others)) = sources.split_first() else {
            return self.apply(group, rule, base);
        };
        if self.trace.is_none()
            && source.is_plain()
            && let Some(result) = self.plain_source(group, rule, source, others, base)
        {
            return result;
        }
        let items = self
            .source(source, base)
            .map_err(|stop| self.fail(group, rule, stop))?;
        for item in items {
            if let Some(trace) = &mut self.trace {
                trace.enter_item(&item);
            }
            if let Some(variable) = source.variable {
                self.stack[base + variable] = Slot::Source(item);
            }
            self.sources(group, rule, others, base)?;
            if let Some(trace) = &mut self.trace {
                trace.leave();
            }
        }
        Ok(())
    }

    /// Runs what a rule does for one combination of items.
    fn apply(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        base: usize,
    ) -> Result<(), TransformError> {
        self.usage
            .step()
            .map_err(Stop::from)
            .and_then(|()| self.output.check_size())
            .map_err(|stop| self.fail(group, rule, stop))?;
        if let Some(reason) = &rule.failure {
            return Err(self.fail(group, rule, Stop::Definitions(reason.clone())));
        }
        for target in &rule.targets {
            self.target(group, target, base)
                .map_err(|stop| self.fail(group, rule, stop))?;
        }
        for slot in &rule.shared {
            self.stack[base + slot] = Slot::Unset;
        }
        for rule in &rule.rules {
            self.rule(group, rule, base)?;
        }
        for call in &rule.calls {
            let called_base = self.stack.len();
            let called = self.program.groups.get(call.group.0);
            let inputs = called
                .map(|called| called.inputs.as_slice())
                .unwrap_or_default();
            for (parameter, mode) in call.parameters.iter().zip(inputs) {
                let slot = self
                    .parameter(parameter, *mode, base)
                    .map_err(|stop| self.fail(group, rule, stop))?;
                self.stack.push(slot);
            }
            self.nested_group(call.group, called_base, GroupCall::ByName)
                .map_err(|stop| self.fail(group, rule, stop))?;
        }
        if let Some((source, target)) = rule.default_group {
            self.implied_group(group, base, source, target)
                .map_err(|stop| self.fail(group, rule, stop))?;
        }
        Ok(())
    }

    /// Runs the default group that a rule without `then` implies.
    fn implied_group(
        &mut self,
        group: &'a Group,
        base: usize,
        source: usize,
        target: usize,
    ) -> Result<(), Stop> {
        let source = self.stack[base + source].clone();
        let target = self.stack[base + target].clone();
        let (Slot::Source(item), Slot::Target(node)) = (&source, &target) else {
            return Ok(());
        };
        let (source_type, target_type) = (item.type_id(), self.output.type_of(*node));
        let Some(called) = self.default_group(group, source_type, target_type) else {
            return Err(format!(
                "there is no default group for {} to {}",
                self.definitions.name(source_type),
                self.definitions.name(target_type)
            )
            .into());
        };
        let called_base = self.stack.len();
        self.stack.push(source);
        self.stack.push(target);
        self.nested_group(called, called_base, GroupCall::Default)
    }

    /// Runs a group whose inputs are on the stack from `base` on, and takes them off.
    pub(super) fn nested_group(
        &mut self,
        called: GroupId,
        base: usize,
        call: GroupCall,
    ) -> Result<(), Stop> {
        self.usage.enter()?;
        let result = self.run_group(called, base, call);
        self.usage.leave();
        self.stack.truncate(base);
        Ok(result?)
    }

    /// The default group for the types; else one for types that they are derived from.
    pub(super) fn default_group(
        &self,
        group: &Group,
        source: TypeId,
        target: TypeId,
    ) -> Option<GroupId> {
        let by_types = &self.map_of(group)?.defaults.by_types;
        if by_types.is_empty() {
            return None;
        }
        let (source, target) = (
            self.definitions.published(source),
            self.definitions.published(target),
        );
        by_types.get(&(source, target)).copied().or_else(|| {
            self.definitions.concrete_bases(source).find_map(|source| {
                let mut targets = self.definitions.concrete_bases(target);
                targets.find_map(|target| by_types.get(&(source, target)).copied())
            })
        })
    }

    /// The type that a source's type becomes by default.
    pub(super) fn default_type(&self, group: &Group, source: TypeId) -> Option<TypeId> {
        let by_source = &self.map_of(group)?.defaults.by_source;
        by_source.get(&self.definitions.published(source)).copied()
    }

    fn parameter(&self, operand: &'a Operand, mode: Mode, base: usize) -> Result<Slot<'a>, Stop> {
        if let Operand::Slot(slot) = operand {
            let slot = self.stack[base + slot].clone();
            return match (mode, &slot) {
                (_, Slot::Unset) => {
                    Err("a variable that it passes on was not set".to_owned().into())
                }
                (Mode::Target, Slot::Source(_)) => {
                    Err("a variable that it passes on is not a target"
                        .to_owned()
                        .into())
                }
                _ => Ok(slot),
            };
        }
        match self.operand(operand, base)? {
            Some(item) => Ok(Slot::Source(item)),
            None => Err("a value that it passes on is empty".to_owned().into()),
        }
    }
}
