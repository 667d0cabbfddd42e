//! Runs compiled maps.

use serde_json::{Map, Value};
use uuid::Uuid;

use crate::concept_map;
use crate::definitions::{Definitions, Kind, TypeId};
use crate::error::TransformError;
use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Variables, text_equals};
use crate::item::{Item, each_child};
use crate::language::syntax::{Mode, SourceListMode};
use crate::output::{NodeId, Output};
use crate::program::{Group, GroupId, MapEntry, Operand, Program, Rule, Source, Target, Transform};
use crate::seeded_uuid::seeded_uuid;

/// How deep rules may run inside one another, so that no map exhausts the stack.
const MAXIMUM_DEPTH: usize = 200;

/// How many rules a transform may run, so that every map ends.
const MAXIMUM_RULES: usize = 1_000_000;

#[derive(Debug, Clone)]
enum Slot<'a> {
    Unset,
    Source(Item<'a>),
    Target(NodeId),
    /// An item that rules share, and the node it is in.
    Shared(NodeId, NodeId),
}

/// What a transform gives.
enum Made<'a> {
    Nothing,
    Item(Item<'a>),
    /// A node that stands nowhere yet.
    Created(NodeId),
    /// A node that stands where it belongs, or a variable's.
    Node(NodeId),
}

struct Engine<'a> {
    program: &'a Program,
    definitions: &'a Definitions,
    output: Output<'a>,
    stack: Vec<Slot<'a>>,
    depth: usize,
    rules: usize,
    seed: Uuid,
    uuids: u64,
}

/// The variables of the group that runs.
struct Frame<'s, 'a> {
    slots: &'s [Slot<'a>],
    output: &'s Output<'a>,
    /// The variable of the source whose items are being chosen, which no slot holds yet.
    own: Option<(usize, &'s Item<'a>)>,
}

impl<'a> Variables<'a> for Frame<'_, 'a> {
    fn variable(&self, slot: usize) -> Option<Item<'a>> {
        if let Some((own, item)) = self.own
            && own == slot
        {
            return Some(item.clone());
        }
        match self.slots.get(slot)? {
            Slot::Source(item) => Some(item.clone()),
            Slot::Target(node) | Slot::Shared(_, node) => self.output.read(*node),
            Slot::Unset => None,
        }
    }
}

/// Runs the map on the input.
pub(crate) fn transform(
    program: &Program,
    definitions: &Definitions,
    url: &str,
    input: &Value,
    seed: Uuid,
) -> Result<Value, TransformError> {
    let map = program
        .by_url
        .get(url)
        .and_then(|index| program.maps.get(*index))
        .ok_or_else(|| TransformError::UnknownMap(url.to_owned()))?;
    let fail = |reason: String| TransformError::Failed {
        map: url.to_owned(),
        group: "(first)".to_owned(),
        rule: "(input)".to_owned(),
        reason,
    };
    let Some(entry) = &map.entry else {
        return Err(fail(
            "its first group has no source and target of known types; it can only be imported"
                .to_owned(),
        ));
    };
    let expected = definitions.name(entry.source);
    if !input.is_object() {
        return Err(fail(format!("it reads a {expected}, which is an object")));
    }
    if definitions.kind(entry.source) == Some(Kind::Resource) {
        let found = definitions.of_resource(input);
        if !found.is_some_and(|found| definitions.is_a(found, entry.source)) {
            return Err(fail(format!("it reads a {expected}")));
        }
    }
    let mut engine = Engine {
        program,
        definitions,
        output: Output::new(definitions),
        stack: Vec::with_capacity(64),
        depth: 0,
        rules: 0,
        seed,
        uuids: 0,
    };
    let root = engine.output.create(entry.target);
    let source_type = match definitions.kind(entry.source) {
        Some(Kind::Resource) => definitions.of_resource(input).unwrap_or(entry.source),
        _ => entry.source,
    };
    engine
        .stack
        .push(Slot::Source(Item::Borrowed(input, source_type)));
    engine.stack.push(Slot::Target(root));
    engine.group(entry.group, 0)?;
    drop(engine.stack);
    Ok(engine.output.into_value(root))
}

impl<'a> Engine<'a> {
    /// Runs a group whose inputs are on the stack from `base` on.
    fn group(&mut self, id: GroupId, base: usize) -> Result<(), TransformError> {
        let program = self.program;
        let Some(group) = program.groups.get(id.0) else {
            return Ok(());
        };
        if let Some(extended) = group.extends {
            let inputs = self.stack[base..base + group.inputs.len()].to_vec();
            let extended_base = self.stack.len();
            self.stack.extend(inputs);
            self.group(extended, extended_base)?;
            self.stack.truncate(extended_base);
        }
        self.stack.resize(base + group.slots, Slot::Unset);
        for rule in &group.rules {
            self.rule(group, rule, base)?;
        }
        Ok(())
    }

    fn fail(&self, group: &Group, rule: &Rule, reason: Failure) -> TransformError {
        let map = self.program.maps.get(group.map);
        TransformError::Failed {
            map: map.map(|map| map.url.clone()).unwrap_or_default(),
            group: group.name.clone(),
            rule: rule.name.clone(),
            reason,
        }
    }

    fn rule(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        base: usize,
    ) -> Result<(), TransformError> {
        if self.depth == MAXIMUM_DEPTH {
            let reason = format!("more than {MAXIMUM_DEPTH} rules run inside one another");
            return Err(self.fail(group, rule, reason));
        }
        if self.rules == MAXIMUM_RULES {
            let reason = format!("more than {MAXIMUM_RULES} rules would run");
            return Err(self.fail(group, rule, reason));
        }
        self.rules += 1;
        self.depth += 1;
        let result = self.sources(group, rule, &rule.sources, base);
        self.depth -= 1;
        result
    }

    /// Runs the rule for every combination of its sources' items.
    fn sources(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        sources: &'a [Source],
        base: usize,
    ) -> Result<(), TransformError> {
        let Some((source, others)) = sources.split_first() else {
            return self.apply(group, rule, base);
        };
        if source.is_plain()
            && let Some(result) = self.plain_source(group, rule, source, others, base)
        {
            return result;
        }
        let items = self
            .source(source, base)
            .map_err(|reason| self.fail(group, rule, reason))?;
        for item in items {
            if let Some(variable) = source.variable {
                self.stack[base + variable] = Slot::Source(item);
            }
            self.sources(group, rule, others, base)?;
        }
        Ok(())
    }

    /// Most rules ask for a variable, or for the items of one element, perhaps those that have a
    /// certain text: these run as the items are found, without a list of them. `None` when the
    /// variable holds what cannot be read like this.
    fn plain_source(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        source: &'a Source,
        others: &'a [Source],
        base: usize,
    ) -> Option<Result<(), TransformError>> {
        let context = &self.stack[base + source.context];
        let [member] = source.path.as_slice() else {
            let slot = match context {
                Slot::Source(_) | Slot::Target(_) => context.clone(),
                Slot::Shared(..) | Slot::Unset => return None,
            };
            if !source.path.is_empty() || source.condition.is_some() {
                return None;
            }
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
        each_child(
            definitions,
            parent,
            parent_type,
            member,
            &mut |child, id| {
                if let Some((member, text)) = wanted
                    && text_equals(definitions, (child, id), member, text) != Some(true)
                {
                    return;
                }
                if result.is_err() {
                    return;
                }
                if let Some(variable) = source.variable {
                    self.stack[base + variable] = Slot::Source(Item::Borrowed(child, id));
                }
                result = self.sources(group, rule, others, base);
            },
        );
        Some(result)
    }

    fn evaluate<T>(
        &self,
        base: usize,
        evaluation: impl FnOnce(&Evaluator<'a, '_, Frame<'_, 'a>>) -> T,
    ) -> T {
        let frame = Frame {
            slots: &self.stack[base..],
            output: &self.output,
            own: None,
        };
        evaluation(&Evaluator {
            definitions: self.definitions,
            variables: &frame,
        })
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
        let evaluator = Evaluator {
            definitions: self.definitions,
            variables: &frame,
        };
        evaluator.holds(condition, Some(item))
    }

    fn source(&self, source: &'a Source, base: usize) -> Result<Vec<Item<'a>>, Failure> {
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
            if let (true, Some(default)) = (items.is_empty(), &source.default) {
                items.extend(operand_item(evaluator, default)?);
            }
            if let Some(id) = source.type_id {
                items.retain(|item| self.definitions.is_a(item.type_id(), id));
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
            }
            if let Some(check) = &source.check {
                for item in &items {
                    if !self.holds(source, check, item, base)? {
                        return Err("its check does not hold".to_owned());
                    }
                }
            }
            choose(&mut items, source.list_mode)?;
            Ok(items)
        })
    }

    /// Runs what a rule does for one combination of items.
    fn apply(
        &mut self,
        group: &'a Group,
        rule: &'a Rule,
        base: usize,
    ) -> Result<(), TransformError> {
        for target in &rule.targets {
            self.target(group, target, base)
                .map_err(|reason| self.fail(group, rule, reason))?;
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
                    .map_err(|reason| self.fail(group, rule, reason))?;
                self.stack.push(slot);
            }
            self.nested_group(group, rule, call.group, called_base)?;
        }
        if let Some((source, target)) = rule.default_group {
            let (source, target) = (
                self.stack[base + source].clone(),
                self.stack[base + target].clone(),
            );
            if let (Slot::Source(item), Slot::Target(node)) = (&source, &target) {
                let target_type = self.output.type_of(*node);
                if let Some(called) = self.default_group(group, item.type_id(), target_type) {
                    let called_base = self.stack.len();
                    self.stack.push(source);
                    self.stack.push(target);
                    self.nested_group(group, rule, called, called_base)?;
                }
            }
        }
        Ok(())
    }

    fn nested_group(
        &mut self,
        group: &Group,
        rule: &Rule,
        called: GroupId,
        base: usize,
    ) -> Result<(), TransformError> {
        if self.depth == MAXIMUM_DEPTH {
            let reason = format!("more than {MAXIMUM_DEPTH} rules run inside one another");
            return Err(self.fail(group, rule, reason));
        }
        self.depth += 1;
        let result = self.group(called, base);
        self.depth -= 1;
        self.stack.truncate(base);
        result
    }

    fn map_of(&self, group: &Group) -> Option<&'a MapEntry> {
        self.program.maps.get(group.map)
    }

    fn default_group(&self, group: &Group, source: TypeId, target: TypeId) -> Option<GroupId> {
        let defaults = &self.map_of(group)?.defaults;
        defaults.by_types.get(&(source, target)).copied()
    }

    fn parameter(
        &self,
        operand: &'a Operand,
        mode: Mode,
        base: usize,
    ) -> Result<Slot<'a>, Failure> {
        if let Operand::Slot(slot) = operand {
            let slot = match &self.stack[base + slot] {
                Slot::Shared(_, node) => Slot::Target(*node),
                slot => slot.clone(),
            };
            return match (mode, &slot) {
                (_, Slot::Unset) => Err("a variable that it passes on was not set".to_owned()),
                (Mode::Target, Slot::Source(_)) => {
                    Err("a variable that it passes on is not a target".to_owned())
                }
                _ => Ok(slot),
            };
        }
        match self.operand(operand, base)? {
            Some(item) => Ok(Slot::Source(item)),
            None => Err("a value that it passes on is empty".to_owned()),
        }
    }

    fn operand(&self, operand: &'a Operand, base: usize) -> Result<Option<Item<'a>>, Failure> {
        self.evaluate(base, |evaluator| operand_item(evaluator, operand))
    }

    /// The text of a parameter that must have one.
    fn text(&self, operand: &'a Operand, base: usize, what: &str) -> Result<String, Failure> {
        self.operand(operand, base)?
            .and_then(|item| item.text())
            .ok_or_else(|| format!("{what} has no text"))
    }

    fn target(&mut self, group: &Group, target: &'a Target, base: usize) -> Result<(), Failure> {
        let place = match &target.place {
            None => None,
            Some((slot, member)) => match &self.stack[base + slot] {
                Slot::Target(node) | Slot::Shared(_, node) => Some((*node, member)),
                _ => return Err(format!("there is nothing to write {} to", member.name)),
            },
        };
        let made = match (&target.transform, place) {
            (Transform::Make, Some((node, member))) => Made::Node(self.output.make(node, member)?),
            (Transform::Share(slot), Some((node, member))) => match &self.stack[base + slot] {
                Slot::Shared(parent, shared) if *parent == node => Made::Node(*shared),
                _ => {
                    let made = self.output.make(node, member)?;
                    self.stack[base + slot] = Slot::Shared(node, made);
                    Made::Node(made)
                }
            },
            (Transform::Create(id), _) => Made::Created(self.output.create(*id)),
            (Transform::CreateImplied(source), Some((node, member))) => {
                let known = self.output.type_of_element(node, member)?;
                let id = match (known, source.map(|slot| &self.stack[base + slot])) {
                    (Some(id), _) => id,
                    (None, Some(Slot::Source(item))) => self
                        .map_of(group)
                        .and_then(|map| map.defaults.by_source.get(&item.type_id()).copied())
                        .ok_or_else(|| {
                            format!("no default group tells which type {} has", member.name)
                        })?,
                    _ => return Err(format!("nothing tells which type {} has", member.name)),
                };
                Made::Created(self.output.create(id))
            }
            (Transform::Default(slot), Some((node, member))) => {
                return self.default_copy(group, *slot, node, member, base);
            }
            (Transform::Copy(Operand::Slot(slot)), None) => match &self.stack[base + slot] {
                Slot::Target(node) | Slot::Shared(_, node) => Made::Node(*node),
                Slot::Source(item) => Made::Item(item.clone()),
                Slot::Unset => return Err("a variable that it copies was not set".to_owned()),
            },
            (transform, _) => self.compute(transform, base)?,
        };
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
        if let Some(variable) = target.variable {
            self.stack[base + variable] = slot;
        }
        Ok(())
    }

    /// `source.a -> target.b`: by the default group of the types, or as it is.
    fn default_copy(
        &mut self,
        group: &Group,
        slot: usize,
        node: NodeId,
        member: &crate::item::Member,
        base: usize,
    ) -> Result<(), Failure> {
        let Slot::Source(item) = self.stack[base + slot].clone() else {
            return Err("what it copies was not set".to_owned());
        };
        let map = self.map_of(group);
        let target_type = self
            .output
            .type_of_element(node, member)?
            .or_else(|| map.and_then(|map| map.defaults.by_source.get(&item.type_id()).copied()));
        let called = target_type
            .and_then(|target| Some((target, self.default_group(group, item.type_id(), target)?)));
        let Some((target_type, called)) = called else {
            self.output.set(node, member, item)?;
            return Ok(());
        };
        let created = self.output.create(target_type);
        let attached = self.output.attach(node, member, created)?;
        let called_base = self.stack.len();
        self.stack.push(Slot::Source(item));
        self.stack.push(Slot::Target(attached));
        if self.depth == MAXIMUM_DEPTH {
            return Err(format!(
                "more than {MAXIMUM_DEPTH} rules run inside one another"
            ));
        }
        self.depth += 1;
        let result = self.group(called, called_base);
        self.depth -= 1;
        self.stack.truncate(called_base);
        result.map_err(|error| error.to_string())
    }

    /// The transforms that give a value.
    fn compute(&mut self, transform: &'a Transform, base: usize) -> Result<Made<'a>, Failure> {
        let primitives = self.definitions.primitives;
        let item = match transform {
            Transform::Copy(operand) => {
                if let Operand::Slot(slot) = operand
                    && matches!(self.stack[base + slot], Slot::Unset)
                {
                    return Err("a variable that it copies was not set".to_owned());
                }
                self.operand(operand, base)?
            }
            Transform::Evaluate(source, expression) => {
                let this = self.operand(source, base)?;
                self.evaluate(base, |evaluator| {
                    only(evaluator.items(expression, this.as_ref())?)
                })?
            }
            Transform::Truncate(source, length) => {
                let text = self.text(source, base, "what is truncated")?;
                let length = self.text(length, base, "the length")?;
                let length: usize = length
                    .parse()
                    .map_err(|_| "a length is a whole number".to_owned())?;
                let text: String = text.chars().take(length).collect();
                Some(Item::computed(text, primitives.string))
            }
            Transform::Append(parts) => {
                let mut text = String::with_capacity(45);
                for part in parts {
                    text.push_str(&self.text(part, base, "what is appended")?);
                }
                Some(Item::computed(text, primitives.string))
            }
            Transform::Uuid => {
                let uuid = self.uuid();
                Some(Item::computed(uuid, primitives.id))
            }
            Transform::Cast(source, id) => match self.operand(source, base)? {
                None => None,
                Some(item) => Some(self.cast(&item, *id)?),
            },
            Transform::Translate {
                source,
                translations,
                only_code,
            } => match self.operand(source, base)? {
                None => None,
                Some(item) => {
                    let coding = concept_map::translate(translations, item.value())?;
                    coding.map(|coding| match coding.get("code") {
                        Some(code) if *only_code => Item::computed(code.clone(), primitives.code),
                        _ => Item::computed(
                            coding,
                            self.definitions
                                .by_name("Coding")
                                .unwrap_or(primitives.string),
                        ),
                    })
                }
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
            Transform::Concept(id, elements) => {
                let mut concept = Map::new();
                let coding = Value::Array(vec![self.object(elements, base)?]);
                concept.insert("coding".to_owned(), coding);
                Some(Item::computed(concept, *id))
            }
            Transform::Make
            | Transform::Share(_)
            | Transform::Default(_)
            | Transform::Create(_)
            | Transform::CreateImplied(_) => {
                return Err("a rule creates something, but names no element for it".to_owned());
            }
        };
        Ok(item.map_or(Made::Nothing, Made::Item))
    }

    /// The next UUID of this transform.
    fn uuid(&mut self) -> String {
        self.uuids += 1;
        seeded_uuid(self.seed, &self.uuids.to_be_bytes()).to_string()
    }

    fn cast(&self, item: &Item<'a>, id: TypeId) -> Result<Item<'a>, Failure> {
        let name = self.definitions.name(id);
        let refuse = || format!("a value cannot be cast to {name}");
        let text = item.text().ok_or_else(refuse)?;
        let value = match name {
            "boolean" => Value::Bool(text.parse().map_err(|_| refuse())?),
            "decimal" => Value::Number(text.parse().map_err(|_| refuse())?),
            "integer" | "positiveInt" | "unsignedInt" => {
                Value::from(text.parse::<i32>().map_err(|_| refuse())?)
            }
            _ => Value::String(text),
        };
        Ok(Item::computed(value, id))
    }

    /// The type and id of a resource that is being built, which gets an id when it has none.
    fn identify(
        &mut self,
        operand: &'a Operand,
        base: usize,
    ) -> Result<(&'a str, String), Failure> {
        let node = match operand {
            Operand::Slot(slot) => match &self.stack[base + slot] {
                Slot::Target(node) | Slot::Shared(_, node) => Some(*node),
                _ => None,
            },
            _ => None,
        };
        let definitions = self.definitions;
        let resource = node.map(|node| (node, self.output.type_of(node)));
        let resource = resource.filter(|(_, id)| definitions.kind(*id) == Some(Kind::Resource));
        let Some((node, type_id)) = resource else {
            return Err("only a resource that is being built can be referred to".to_owned());
        };
        let name = definitions.name(type_id);
        let current = self.output.read(node);
        let id = current
            .as_ref()
            .and_then(|item| item.value().get("id"))
            .and_then(Value::as_str);
        if let Some(id) = id {
            return Ok((name, id.to_owned()));
        }
        let id = self.uuid();
        let member = crate::item::Member {
            name: "id".to_owned(),
            known: None,
        };
        let item = Item::computed(id.clone(), definitions.primitives.id);
        self.output.set(node, &member, item)?;
        Ok((name, id))
    }

    fn object(
        &self,
        elements: &'a [(&'static str, Operand)],
        base: usize,
    ) -> Result<Value, Failure> {
        let mut object = Map::new();
        for (name, operand) in elements {
            if let Some(item) = self.operand(operand, base)? {
                if item.text().is_none() {
                    return Err(format!("{name} is a primitive"));
                }
                object.insert((*name).to_owned(), item.value().clone());
            }
        }
        Ok(Value::Object(object))
    }
}

fn operand_item<'a>(
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
