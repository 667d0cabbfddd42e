//! Groups, their rules, and the groups that rules call.

use std::collections::{HashMap, HashSet};

use super::map_scope::MapScope;
use super::source::UNKNOWN_VARIABLE;
use crate::definitions::TypeId;
use crate::fhirpath::compile::{Context, compile as compile_expression};
use crate::language::lexer::Position;
use crate::language::syntax::{self, Mode, Parameter};
use crate::program::scope::{Refusal, Scope, plain_name};
use crate::program::{Call, Group, Operand, Rule, Transform};

/// A group while its rules are compiled.
pub(super) struct GroupCompiler<'m, 'l> {
    pub(super) map: &'m MapScope<'l>,
    pub(super) scope: Scope<'m>,
    /// Slots of `share` by its name, for the group and each rule around the one that is compiled.
    pub(super) shared: Vec<HashMap<String, usize>>,
    /// Single elements that have a value already whenever a rule runs: the slot of what they are
    /// in, their place in its type, and their type.
    pub(super) assigned: Vec<(usize, usize, TypeId)>,
}

impl<'l> MapScope<'l> {
    /// Compiles a group of the map, `offset` being its place there.
    pub(super) fn group(&self, offset: usize, group: &syntax::Group) -> Group {
        let definitions = self.loaded.definitions;
        let mut compiler = GroupCompiler {
            map: self,
            scope: Scope::new(definitions, &self.constants),
            shared: vec![HashMap::new()],
            assigned: Vec::new(),
        };
        compiler.scope.tolerates_unknown_names = true;
        let mut names = HashSet::new();
        for input in &group.inputs {
            let type_id = match self.type_of_input(input) {
                None => None,
                Some(Ok(id)) => Some(id),
                Some(Err(reason)) => {
                    self.findings.warn(input.position, reason);
                    None
                }
            };
            if !names.insert((&input.name, input.mode == Mode::Source)) {
                let reason = format!("{} has two inputs named {}", group.name, input.name);
                self.findings.warn(input.position, reason);
            }
            compiler.scope.declare(&input.name, input.mode, type_id);
            if let Some(variable) = compiler.scope.variables.last_mut() {
                // Only the map's first group is given what it says it is.
                variable.is_certain = offset == 0;
            }
        }
        let extends = self.findings.noted(self.extended(group)).flatten();
        let failure = self.findings.take_failure();
        let rules = compiler.rules(&group.rules);
        let used = std::mem::take(&mut compiler.scope.used_constants);
        self.used_constants.borrow_mut().extend(used);
        compiler.tell_warnings();
        Group {
            map: self.index,
            name: group.name.clone(),
            inputs: group.inputs.iter().map(|input| input.mode).collect(),
            slots: compiler.scope.slots,
            extends,
            shared: compiler.shared.pop().unwrap_or_default(),
            rules,
            failure,
        }
    }

    /// Compiles what constants stand for, so that mistakes in those that are not used are told,
    /// too.
    pub(super) fn constants(&self) {
        let mut scope = Scope::new(self.loaded.definitions, &self.constants);
        scope.tolerates_unknown_names = true;
        for constant in &self.map.constants {
            let compiled = compile_expression(&mut scope, Context::None, &constant.expression);
            self.findings.noted(compiled);
        }
        // Rules that use them fail by themselves.
        self.findings.take_failure();
        for constant in &self.map.constants {
            // What constants use of each other is used.
            if !scope.used_constants.contains(&constant.name) {
                continue;
            }
            self.used_constants
                .borrow_mut()
                .insert(constant.name.clone());
        }
    }
}

impl GroupCompiler<'_, '_> {
    /// Passes on what the compiler of expressions noticed.
    fn tell_warnings(&mut self) {
        for (position, reason) in self.scope.warnings.drain(..) {
            self.map.findings.warn(position, reason);
        }
    }

    pub(super) fn warn(&self, position: Position, reason: String) {
        self.map.findings.warn(position, reason);
    }

    pub(super) fn noted<T>(&self, result: Result<T, Refusal>) -> Option<T> {
        self.map.findings.noted(result)
    }

    fn rules(&mut self, rules: &[syntax::Rule]) -> Vec<Rule> {
        rules.iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&mut self, rule: &syntax::Rule) -> Rule {
        let visible = self.scope.variables.len();
        let assigned = self.assigned.len();
        let name = rule.name.clone().unwrap_or_else(|| {
            let source = rule.sources.first();
            let named = source.map(|source| source.path.last().unwrap_or(&source.context));
            named.cloned().unwrap_or_default()
        });
        let leaf = rule.rules.is_empty() && rule.calls.is_empty();
        let simple = match (rule.sources.as_slice(), rule.targets.as_slice()) {
            ([source], [target]) => {
                leaf && source.variable.is_none()
                    && !source.path.is_empty()
                    && target.variable.is_none()
                    && target.transform.is_none()
                    && target.list_mode.is_none()
                    && !target.path.is_empty()
            }
            _ => false,
        };
        let mut positions: HashMap<usize, Position> = HashMap::new();
        let mut sources = Vec::new();
        let mut only_source = None;
        for source in &rule.sources {
            let compiled = self.source(source, simple);
            only_source = compiled.variable;
            if let (Some(variable), Some(_)) = (compiled.variable, &source.variable) {
                positions.insert(variable, source.position);
            }
            sources.push(compiled);
        }
        if rule.sources.len() != 1 {
            only_source = None;
        }
        let mut targets = Vec::new();
        for target in &rule.targets {
            let compiled = self.target(target, simple, only_source);
            if let Some(variable) = compiled.variable {
                positions.insert(variable, target.position);
            }
            targets.push(compiled);
        }
        let default_group = match targets.as_slice() {
            [target] if leaf => match (&target.transform, target.variable, only_source) {
                (Transform::CreateImplied(_), Some(target), Some(source)) => Some((source, target)),
                _ => None,
            },
            _ => None,
        };
        if default_group.is_some() || simple {
            self.map.needs_imports.set(true);
        }
        let failure = self.map.findings.take_failure();
        self.shared.push(HashMap::new());
        let rules = self.rules(&rule.rules);
        let shared = self.shared.pop().unwrap_or_default();
        let calls = rule.calls.iter().map(|call| self.call(call));
        let calls = calls.collect::<Vec<_>>();
        let failure = failure.or_else(|| self.map.findings.take_failure());
        for variable in self.scope.variables.drain(visible..) {
            let implied = default_group
                .is_some_and(|(source, target)| [source, target].contains(&variable.slot));
            if let Some(position) = positions.get(&variable.slot)
                && !variable.is_used.get()
                && !implied
            {
                let reason = format!("the variable {} is never used", variable.name);
                self.map.findings.warn(*position, reason);
            }
        }
        if !sources.iter().all(crate::program::Source::is_always_there) {
            self.assigned.truncate(assigned);
        }
        if sources
            .iter()
            .any(|source| source.context == UNKNOWN_VARIABLE)
        {
            // It fails whenever it is reached, as there is nothing to read.
            sources.clear();
        }
        Rule {
            name,
            sources,
            targets,
            rules,
            calls: calls.into_iter().flatten().collect(),
            shared: shared.into_values().collect(),
            default_group,
            failure,
        }
    }

    fn call(&mut self, call: &syntax::Call) -> Option<Call> {
        let found = self.map.find_group(&call.group, call.position);
        let Some(found) = self.noted(found) else {
            // Mistakes in the parameters, and which variables are used, are told all the same.
            for parameter in &call.parameters {
                let operand = self.operand(parameter);
                self.noted(operand);
            }
            return None;
        };
        let inputs = &found.group.inputs;
        if inputs.len() != call.parameters.len() {
            let named: Vec<String> = inputs.iter().map(described).collect();
            let reason = format!(
                "{} has {} inputs, not {}: {}",
                call.group,
                inputs.len(),
                call.parameters.len(),
                named.join(", ")
            );
            self.map.findings.error((call.position, reason));
        }
        let mut parameters = Vec::new();
        for (input, parameter) in inputs.iter().zip(&call.parameters) {
            let operand = if input.mode == Mode::Target {
                self.target_parameter(call, input, parameter)
            } else {
                self.operand(parameter)
            };
            parameters.push(self.noted(operand)?);
        }
        // Those that are too many are used all the same.
        for parameter in call.parameters.iter().skip(inputs.len()) {
            let operand = self.operand(parameter);
            self.noted(operand);
        }
        Some(Call {
            group: found.id,
            parameters,
        })
    }

    fn target_parameter(
        &self,
        call: &syntax::Call,
        input: &syntax::Input,
        parameter: &Parameter,
    ) -> Result<Operand, Refusal> {
        let name = plain_name(parameter);
        if let Some(target) = name.and_then(|name| self.scope.find_as(name, Mode::Target)) {
            return Ok(Operand::Slot(target.slot));
        }
        let given = match name {
            Some(name) if self.scope.find(name).is_some() => {
                format!(": {name} is a source variable")
            }
            Some(name) => format!(": there is no variable {name}"),
            None => String::new(),
        };
        Err((
            call.position,
            format!(
                "{} of {} is a target variable{given}",
                input.name, call.group
            ),
        ))
    }
}

/// The input as it is written.
fn described(input: &syntax::Input) -> String {
    let mode = match input.mode {
        Mode::Source => "source",
        Mode::Target => "target",
    };
    match &input.type_name {
        Some(type_name) => format!("{mode} {} : {type_name}", input.name),
        None => format!("{mode} {}", input.name),
    }
}
