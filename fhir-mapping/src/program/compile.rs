//! Compiles parsed maps: groups and imports first, so that calls find them, then their rules.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::scope::{Refusal, Scope, plain_name};
use super::{
    Call, Defaults, Entry, Group, GroupId, MapEntry, Operand, Program, Rule, Source, Target,
    Transform, TranslationResult,
};
use crate::concept_map::Translations;
use crate::definitions::{Definitions, TypeId};
use crate::error::MapError;
use crate::fhirpath::compile::{Context, compile as compile_expression, resolve};
use crate::fhirpath::syntax::Expression;
use crate::language::lexer::Position;
use crate::language::syntax::{
    self, DefaultFor, Mode, Parameter, StructureMap, StructureMode, TargetListMode,
};

/// What is loaded.
pub(crate) struct Loaded<'l> {
    pub(crate) maps: &'l [StructureMap],
    pub(crate) definitions: &'l Definitions,
    pub(crate) concept_maps: &'l HashMap<String, Translations>,
}

/// A map while its rules are compiled.
struct MapScope<'l> {
    map: &'l StructureMap,
    loaded: &'l Loaded<'l>,
    /// Groups by name; several of the same name are imported from different maps.
    groups: HashMap<&'l str, Vec<(GroupId, &'l syntax::Group)>>,
    constants: HashMap<String, Expression>,
    concept_maps: HashMap<String, Translations>,
}

pub(crate) fn compile(loaded: &Loaded<'_>) -> Result<Program, MapError> {
    let mut program = Program {
        maps: Vec::new(),
        by_url: HashMap::new(),
        groups: Vec::new(),
    };
    let mut first_group = Vec::new();
    let mut count = 0;
    for map in loaded.maps {
        first_group.push(count);
        count += map.groups.len();
    }
    for (index, map) in loaded.maps.iter().enumerate() {
        let compiled = compile_map(loaded, &first_group, index, &mut program);
        compiled.map_err(|(position, reason)| MapError::Compile {
            map: map.url.clone(),
            line: position.line,
            column: position.column,
            reason,
        })?;
    }
    Ok(program)
}

fn compile_map(
    loaded: &Loaded<'_>,
    first_group: &[usize],
    index: usize,
    program: &mut Program,
) -> Result<(), Refusal> {
    let map = &loaded.maps[index];
    let mut scope = MapScope {
        map,
        loaded,
        groups: HashMap::new(),
        constants: HashMap::new(),
        concept_maps: HashMap::new(),
    };
    for constant in &map.constants {
        let expression = constant.expression.clone();
        scope.constants.insert(constant.name.clone(), expression);
    }
    for concept_map in &map.concept_maps {
        let mappings = Arc::new(concept_map.mappings.clone());
        scope.concept_maps.insert(concept_map.url.clone(), mappings);
    }
    scope.see_groups(first_group, index)?;

    let mut defaults = Defaults::default();
    for (id, group) in scope.groups.values().flatten() {
        if group.default_for == DefaultFor::Nothing {
            continue;
        }
        let (source, target) = match group.inputs.as_slice() {
            [source, target] if (source.mode, target.mode) == (Mode::Source, Mode::Target) => {
                (source, target)
            }
            _ => {
                let reason = "a default group has one source and then one target".to_owned();
                return Err((group.position, reason));
            }
        };
        let home = loaded.maps.iter().find(|map| {
            let mut groups = map.groups.iter();
            groups.any(|other| std::ptr::eq(other, *group))
        });
        let structures = &home.unwrap_or(map).structures;
        let source_type = input_type(loaded.definitions, structures, source)?;
        let target_type = input_type(loaded.definitions, structures, target)?;
        if let (Some(source), Some(target)) = (source_type, target_type) {
            defaults.by_types.insert((source, target), *id);
            if group.default_for == DefaultFor::TypeAndTypes {
                defaults.by_source.insert(source, target);
            }
        }
    }

    for group in &map.groups {
        let group = scope.group(index, group)?;
        program.groups.push(group);
    }
    let entry = entry(&scope, GroupId(first_group[index]))?;
    program.by_url.insert(map.url.clone(), index);
    program.maps.push(MapEntry {
        url: map.url.clone(),
        entry,
        defaults,
    });
    Ok(())
}

/// Where a transform by this map begins.
fn entry(scope: &MapScope<'_>, group: GroupId) -> Result<Option<Entry>, Refusal> {
    let map = scope.map;
    let Some(first) = map.groups.first() else {
        return Ok(None);
    };
    let [source, target] = first.inputs.as_slice() else {
        return Ok(None);
    };
    if source.mode != Mode::Source || target.mode != Mode::Target {
        return Ok(None);
    }
    let definitions = scope.loaded.definitions;
    let of = |input: &syntax::Input, mode| {
        if let Some(id) = input_type(definitions, &map.structures, input)? {
            return Ok(Some(id));
        }
        let structure = map.structures.iter().find(|used| used.mode == mode);
        Ok(structure.and_then(|used| definitions.by_url(&used.url)))
    };
    let source = of(source, StructureMode::Source)?;
    let target = of(target, StructureMode::Target)?;
    Ok(source.zip(target).map(|(source, target)| Entry {
        group,
        source,
        target,
    }))
}

/// The type of a group's input: an alias, or a type's own name.
fn input_type(
    definitions: &Definitions,
    structures: &[syntax::Structure],
    input: &syntax::Input,
) -> Result<Option<TypeId>, Refusal> {
    match &input.type_name {
        None => Ok(None),
        Some(name) => named_type(definitions, structures, name, None)
            .map(Some)
            .map_err(|reason| (input.position, reason)),
    }
}

fn named_type(
    definitions: &Definitions,
    structures: &[syntax::Structure],
    name: &str,
    mode: Option<StructureMode>,
) -> Result<TypeId, String> {
    let aliased = structures.iter().find(|used| {
        used.alias.as_deref() == Some(name) && mode.is_none_or(|mode| used.mode == mode)
    });
    if let Some(used) = aliased {
        return definitions.by_url(&used.url).ok_or_else(|| {
            format!(
                "{} is not known; add its StructureDefinition to the maps",
                used.url
            )
        });
    }
    definitions
        .by_name(name)
        .or_else(|| definitions.by_url(name))
        .ok_or_else(|| {
            format!("there is no type {name}; name one of FHIR R4, or an alias of `uses`")
        })
}

impl<'l> MapScope<'l> {
    /// Finds the map's own groups and those of the maps it imports.
    fn see_groups(&mut self, first_group: &[usize], index: usize) -> Result<(), Refusal> {
        let maps = self.loaded.maps;
        let mut visible = vec![index];
        for import in &self.map.imports {
            let found: Vec<usize> = (0..maps.len())
                .filter(|other| *other != index && matches(&import.url, &maps[*other].url))
                .collect();
            if found.is_empty() && !import.url.contains('*') {
                return Err((
                    import.position,
                    format!("the map {} is imported, but not loaded", import.url),
                ));
            }
            visible.extend(found);
        }
        for (rank, map) in visible.into_iter().enumerate() {
            for (offset, group) in maps[map].groups.iter().enumerate() {
                let known = self.groups.entry(group.name.as_str()).or_default();
                let own = known.iter().any(|(id, _)| {
                    let first = first_group[index];
                    (first..first + self.map.groups.len()).contains(&id.0)
                });
                let id = GroupId(first_group[map] + offset);
                if rank == 0 && own {
                    return Err((
                        group.position,
                        format!("there are two groups named {}", group.name),
                    ));
                }
                if !own && !known.iter().any(|(other, _)| *other == id) {
                    known.push((id, group));
                }
            }
        }
        Ok(())
    }

    fn find_group(
        &self,
        name: &str,
        position: Position,
    ) -> Result<(GroupId, &'l syntax::Group), Refusal> {
        match self.groups.get(name).map(Vec::as_slice) {
            Some([found]) => Ok(*found),
            Some([_, _, ..]) => Err((
                position,
                format!("several imported maps have a group named {name}"),
            )),
            _ => Err((
                position,
                format!("there is no group named {name}, here or in an imported map"),
            )),
        }
    }

    fn type_named(&self, name: &str, mode: Option<StructureMode>) -> Result<TypeId, String> {
        named_type(self.loaded.definitions, &self.map.structures, name, mode)
    }

    fn group(&self, map: usize, group: &syntax::Group) -> Result<Group, Refusal> {
        let definitions = self.loaded.definitions;
        let mut compiler = GroupCompiler {
            map: self,
            scope: Scope::new(definitions, &self.constants),
            shared: HashMap::new(),
        };
        for input in &group.inputs {
            let id = input_type(definitions, &self.map.structures, input)?;
            compiler.scope.declare(&input.name, input.mode, id);
        }
        let extends = match &group.extends {
            None => None,
            Some((name, position)) => {
                let (id, base) = self.find_group(name, *position)?;
                let modes = |group: &syntax::Group| -> Vec<Mode> {
                    group.inputs.iter().map(|input| input.mode).collect()
                };
                if modes(base) != modes(group) {
                    let reason = format!("{name} has other inputs than {}", group.name);
                    return Err((*position, reason));
                }
                self.check_extends(group)?;
                Some(id)
            }
        };
        let rules = compiler.rules(&group.rules)?;
        Ok(Group {
            map,
            name: group.name.clone(),
            inputs: group.inputs.iter().map(|input| input.mode).collect(),
            slots: compiler.scope.slots,
            extends,
            rules,
        })
    }

    /// Refuses a group that extends itself, by however many steps.
    fn check_extends(&self, group: &syntax::Group) -> Result<(), Refusal> {
        let mut next = group.extends.as_ref();
        let mut steps = 0;
        while let Some((name, position)) = next {
            let Ok((_, base)) = self.find_group(name, *position) else {
                // A group of another map, whose own compilation goes on from there.
                return Ok(());
            };
            steps += 1;
            if std::ptr::eq(base, group) || steps > self.groups.len() {
                return Err((*position, format!("{} extends itself", group.name)));
            }
            next = base.extends.as_ref();
        }
        Ok(())
    }
}

/// Whether an import names the url; `*` stands for anything.
fn matches(import: &str, url: &str) -> bool {
    match import.split_once('*') {
        None => import.split('|').next() == Some(url),
        Some((begin, end)) => {
            url.len() >= begin.len() + end.len() && url.starts_with(begin) && url.ends_with(end)
        }
    }
}

struct GroupCompiler<'m, 'l> {
    map: &'m MapScope<'l>,
    scope: Scope<'m>,
    /// Slots of `share`, by its name.
    shared: HashMap<String, usize>,
}

impl GroupCompiler<'_, '_> {
    fn rules(&mut self, rules: &[syntax::Rule]) -> Result<Vec<Rule>, Refusal> {
        rules.iter().map(|rule| self.rule(rule)).collect()
    }

    fn rule(&mut self, rule: &syntax::Rule) -> Result<Rule, Refusal> {
        let visible = self.scope.variables.len();
        let name = rule.name.clone().unwrap_or_else(|| {
            let source = &rule.sources[0];
            source.path.last().unwrap_or(&source.context).clone()
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
        let mut sources = Vec::new();
        let mut only_source = None;
        for source in &rule.sources {
            let source = self.source(source, simple)?;
            only_source = source.variable;
            sources.push(source);
        }
        if rule.sources.len() != 1 {
            only_source = None;
        }
        let mut targets = Vec::new();
        for target in &rule.targets {
            targets.push(self.target(target, simple, only_source)?);
        }
        let default_group = match targets.as_slice() {
            [target] if leaf => match (&target.transform, target.variable, only_source) {
                (Transform::CreateImplied(_), Some(target), Some(source)) => Some((source, target)),
                _ => None,
            },
            _ => None,
        };
        let rules = self.rules(&rule.rules)?;
        let calls = rule.calls.iter().map(|call| self.call(call));
        let calls = calls.collect::<Result<_, _>>()?;
        self.scope.variables.truncate(visible);
        Ok(Rule {
            name,
            sources,
            targets,
            rules,
            calls,
            shared: Vec::new(),
            default_group,
        })
    }

    fn source(&mut self, source: &syntax::Source, simple: bool) -> Result<Source, Refusal> {
        let position = source.position;
        let Some(context) = self.scope.find(&source.context) else {
            return Err((position, format!("there is no variable {}", source.context)));
        };
        let (slot, mut type_id) = (context.slot, context.type_id);
        let mut path = Vec::new();
        for name in &source.path {
            let (member, child) =
                resolve(&self.scope, type_id, name).map_err(|why| (position, why))?;
            path.push(member);
            type_id = child;
        }
        let filter = match &source.type_name {
            None => None,
            Some(name) => {
                let id = self.map.type_named(name, None);
                let id = id.map_err(|reason| (position, reason))?;
                type_id = Some(id);
                Some(id)
            }
        };
        let default = match &source.default {
            None => None,
            Some(parameter) => Some(self.operand(parameter)?),
        };
        // Conditions may name the source's own variable, as HL7's engine lets them.
        let variable = match &source.variable {
            Some(name) => Some(self.scope.declare(name, Mode::Source, type_id)),
            None if simple => Some(self.scope.declare("", Mode::Source, type_id)),
            None => None,
        };
        let item = Context::Item(type_id);
        let mut compiled = |expression: &Option<Expression>| match expression {
            None => Ok(None),
            Some(expression) => {
                compile_expression(&mut self.scope, item, expression).map(|(found, _)| Some(found))
            }
        };
        let condition = compiled(&source.condition)?;
        let check = compiled(&source.check)?;
        // A log would hold what people answered: its expression is checked, and not run.
        compiled(&source.log)?;
        Ok(Source {
            context: slot,
            path,
            type_id: filter,
            cardinality: source.cardinality,
            default,
            list_mode: source.list_mode,
            variable,
            condition,
            check,
        })
    }

    fn target(
        &mut self,
        target: &syntax::Target,
        simple: bool,
        only_source: Option<usize>,
    ) -> Result<Target, Refusal> {
        let position = target.position;
        let refuse = |reason: String| (position, reason);
        let mut child = None;
        let place = match (&target.context, target.path.as_slice()) {
            (None, _) => None,
            (Some(_), []) if target.transform.is_none() => None,
            (Some(name), [element]) => {
                let Some(context) = self.scope.find_as(name, Mode::Target) else {
                    return Err(refuse(format!("there is no target variable {name}")));
                };
                let slot = context.slot;
                let (member, found) =
                    resolve(&self.scope, context.type_id, element).map_err(refuse)?;
                child = found;
                Some((slot, member))
            }
            (Some(name), []) => {
                return Err(refuse(format!("name the element of {name} to write to")));
            }
            (Some(name), [element, ..]) => {
                return Err(refuse(format!(
                    "write to one element at a time: {name}.{element} as a variable, then its elements"
                )));
            }
        };
        let transform = match (&target.transform, &target.list_mode) {
            (None, Some(TargetListMode::Share(name))) if place.is_some() => {
                let next = self.scope.slots;
                let slot = *self.shared.entry(name.clone()).or_insert(next);
                if slot == next {
                    self.scope.slots += 1;
                }
                Transform::Share(vec![slot])
            }
            (_, Some(mode)) => {
                let mode = match mode {
                    TargetListMode::First => "first",
                    TargetListMode::Last => "last",
                    TargetListMode::Collate => "collate",
                    TargetListMode::Single => "single",
                    TargetListMode::Share(_) => "share with a transform",
                };
                return Err(refuse(format!("the list mode {mode} is not supported")));
            }
            (None, None) if simple => match only_source {
                Some(source) => Transform::Default(source),
                None => return Err(refuse("a copy needs one source".to_owned())),
            },
            (None, None) => match (&place, &target.context) {
                (None, Some(name)) => {
                    let Some(variable) = self.scope.find(name) else {
                        return Err(refuse(format!("there is no variable {name}")));
                    };
                    child = variable.type_id;
                    Transform::Copy(Operand::Slot(variable.slot))
                }
                _ => Transform::Make,
            },
            (Some(transform), None) => {
                let (transform, made) = self.transform(transform, position, only_source)?;
                child = made.or(child);
                transform
            }
        };
        let variable = match &target.variable {
            Some(name) => Some(self.scope.declare(name, Mode::Target, child)),
            None => None,
        };
        Ok(Target {
            place,
            transform,
            variable,
        })
    }

    /// A transform, and the type it makes when that is not the element's own.
    fn transform(
        &mut self,
        transform: &syntax::Transform,
        position: Position,
        only_source: Option<usize>,
    ) -> Result<(Transform, Option<TypeId>), Refusal> {
        let refuse = |reason: String| (position, reason);
        let (name, parameters) = match transform {
            syntax::Transform::Copy(parameter) => {
                return Ok((Transform::Copy(self.operand(parameter)?), None));
            }
            syntax::Transform::Evaluate(expression) => {
                let (compiled, _) = compile_expression(&mut self.scope, Context::None, expression)?;
                return Ok((Transform::Copy(Operand::Expression(compiled)), None));
            }
            syntax::Transform::Call(name, parameters) => (name.as_str(), parameters.as_slice()),
        };
        let definitions = self.scope.definitions;
        let wrong = |wanted: &str| (position, format!("{name} takes {wanted}"));
        let object = |type_name: &str| {
            let id = definitions.by_name(type_name);
            id.ok_or_else(|| (position, format!("there is no type {type_name}")))
        };
        Ok(match (name, parameters) {
            ("create", []) => (Transform::CreateImplied(only_source), None),
            ("create", [Parameter::Literal(Value::String(type_name), _)]) => {
                let id = self.map.type_named(type_name, Some(StructureMode::Target));
                let id = id.map_err(refuse)?;
                (Transform::Create(id), Some(id))
            }
            ("create", _) => return Err(wrong("a type's name in quotes, or nothing")),
            ("copy", [source]) => (Transform::Copy(self.operand(source)?), None),
            ("copy", _) => return Err(wrong("one parameter")),
            ("evaluate", [source]) => (Transform::Copy(self.operand(source)?), None),
            ("evaluate", [source, Parameter::Expression(expression)]) => {
                let type_id = plain_name(source)
                    .and_then(|name| self.scope.find(name))
                    .and_then(|variable| variable.type_id);
                let source = self.operand(source)?;
                let context = Context::Item(type_id);
                let (compiled, _) = compile_expression(&mut self.scope, context, expression)?;
                (Transform::Evaluate(source, compiled), None)
            }
            ("evaluate", _) => return Err(wrong("a source and an expression")),
            ("truncate", [source, length]) => {
                let (source, length) = (self.operand(source)?, self.operand(length)?);
                (Transform::Truncate(source, length), None)
            }
            ("truncate", _) => return Err(wrong("a source and a length")),
            ("append", [_, ..]) => (Transform::Append(self.operands(parameters)?), None),
            ("append", _) => return Err(wrong("what to append")),
            ("uuid", []) => (Transform::Uuid, None),
            ("uuid", _) => return Err(wrong("no parameters")),
            ("cast", [source, Parameter::Literal(Value::String(type_name), _)]) => {
                let id = self.map.type_named(type_name, None).map_err(refuse)?;
                if !definitions.is_primitive(id) {
                    return Err(wrong("a primitive type"));
                }
                (Transform::Cast(self.operand(source)?, id), None)
            }
            ("cast", _) => return Err(wrong("a source and a type's name in quotes")),
            ("reference", [source]) => (Transform::Reference(self.operand(source)?), None),
            ("reference", _) => return Err(wrong("a resource")),
            ("pointer", [source]) => (Transform::Pointer(self.operand(source)?), None),
            ("pointer", _) => return Err(wrong("a resource")),
            ("translate", _) => (self.translate(parameters, position)?, None),
            ("c", [_, _] | [_, _, _]) => {
                let elements = self.elements(&["system", "code", "display"], parameters)?;
                (Transform::Object(object("Coding")?, elements), None)
            }
            ("c", _) => return Err(wrong("a system, a code and perhaps a display")),
            ("cc", [_]) => {
                let elements = self.elements(&["text"], parameters)?;
                (
                    Transform::Object(object("CodeableConcept")?, elements),
                    None,
                )
            }
            ("cc", [_, _] | [_, _, _]) => {
                let elements = self.elements(&["system", "code", "display"], parameters)?;
                (
                    Transform::Concept(object("CodeableConcept")?, elements),
                    None,
                )
            }
            ("cc", _) => return Err(wrong("a system, a code and perhaps a display, or a text")),
            ("id", [_, _]) => {
                let elements = self.elements(&["system", "value"], parameters)?;
                (Transform::Object(object("Identifier")?, elements), None)
            }
            ("id", _) => return Err(wrong("a system and a value")),
            ("cp", [_, _]) => {
                let elements = self.elements(&["system", "value"], parameters)?;
                (Transform::Object(object("ContactPoint")?, elements), None)
            }
            ("cp", _) => return Err(wrong("a system and a value")),
            ("qty", [_, _] | [_, _, _, _]) => {
                let elements = self.elements(&["value", "unit", "system", "code"], parameters)?;
                (Transform::Object(object("Quantity")?, elements), None)
            }
            ("qty", _) => return Err(wrong("a value and a unit, and perhaps its system and code")),
            _ => return Err(refuse(format!("the transform {name} is not supported"))),
        })
    }

    fn translate(
        &mut self,
        parameters: &[Parameter],
        position: Position,
    ) -> Result<Transform, Refusal> {
        let refuse = |reason: String| (position, reason);
        let (source, url, result) = match parameters {
            [source, Parameter::Literal(Value::String(url), _)] => (source, url, "Coding"),
            [
                source,
                Parameter::Literal(Value::String(url), _),
                Parameter::Literal(Value::String(result), _),
            ] => (source, url, result.as_str()),
            _ => {
                return Err(refuse(
                    "translate takes a source, a concept map's url in quotes and 'code' or 'Coding'"
                        .to_owned(),
                ));
            }
        };
        let result = match result {
            "code" => TranslationResult::Code,
            "Coding" | "coding" => TranslationResult::Coding,
            other => {
                return Err(refuse(format!(
                    "translate gives 'code' or 'Coding'; {other} is not supported"
                )));
            }
        };
        let known =
            (self.map.concept_maps.get(url)).or_else(|| self.map.loaded.concept_maps.get(url));
        let Some(translations) = known else {
            return Err(refuse(format!("there is no concept map {url}")));
        };
        Ok(Transform::Translate {
            translations: Arc::clone(translations),
            source: self.operand(source)?,
            result,
        })
    }

    fn elements(
        &mut self,
        names: &[&'static str],
        parameters: &[Parameter],
    ) -> Result<Vec<(&'static str, Operand)>, Refusal> {
        let operands = self.operands(parameters)?;
        Ok(names.iter().copied().zip(operands).collect())
    }

    fn operands(&mut self, parameters: &[Parameter]) -> Result<Vec<Operand>, Refusal> {
        parameters.iter().map(|found| self.operand(found)).collect()
    }

    fn operand(&mut self, parameter: &Parameter) -> Result<Operand, Refusal> {
        if let Some(variable) = plain_name(parameter).and_then(|name| self.scope.find(name)) {
            return Ok(Operand::Slot(variable.slot));
        }
        match parameter {
            Parameter::Literal(value, type_name) => {
                let string = self.scope.definitions.primitives.string;
                let id = self.scope.definitions.by_name(type_name);
                Ok(Operand::Literal(value.clone(), id.unwrap_or(string)))
            }
            Parameter::Path(expression) | Parameter::Expression(expression) => {
                let (compiled, _) = compile_expression(&mut self.scope, Context::None, expression)?;
                Ok(Operand::Expression(compiled))
            }
        }
    }

    fn call(&mut self, call: &syntax::Call) -> Result<Call, Refusal> {
        let (id, group) = self.map.find_group(&call.group, call.position)?;
        if group.inputs.len() != call.parameters.len() {
            let reason = format!(
                "{} has {} inputs, not {}",
                call.group,
                group.inputs.len(),
                call.parameters.len()
            );
            return Err((call.position, reason));
        }
        let mut parameters = Vec::new();
        for (input, parameter) in group.inputs.iter().zip(&call.parameters) {
            if input.mode == Mode::Target {
                let target =
                    plain_name(parameter).and_then(|name| self.scope.find_as(name, Mode::Target));
                let Some(target) = target else {
                    return Err((
                        call.position,
                        format!("{} of {} is a target variable", input.name, call.group),
                    ));
                };
                parameters.push(Operand::Slot(target.slot));
            } else {
                parameters.push(self.operand(parameter)?);
            }
        }
        Ok(Call {
            group: id,
            parameters,
        })
    }
}
