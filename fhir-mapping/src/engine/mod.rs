//! Runs compiled maps.

pub(crate) mod limits;
mod rules;
mod sources;
pub(crate) mod stop;
mod targets;
pub(crate) mod trace;
mod transforms;

use std::collections::HashMap;

use serde_json::Value;
use uuid::Uuid;

use crate::definitions::{Definitions, Kind, TypeId, UNKNOWN};
use crate::error::TransformError;
use crate::fhirpath::evaluate::{Evaluator, Variables};
use crate::fhirpath::session::Session;
use crate::item::Item;
use crate::output::{NodeId, Output};
use crate::program::{Entry, Group, MapEntry, Program, Rule};
use crate::seeded_uuid::seeded_uuid;
use crate::terminology::Terminology;
use limits::{Limits, Usage};
use stop::Stop;
use trace::{GroupCall, Trace};

/// How a transform runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct TransformOptions {
    /// What the UUIDs that the map makes follow from: the same seed and input give the same output.
    pub seed: Uuid,
    /// Whether the UUIDs are random (RFC 9562 version 4) instead, other ones each time.
    pub has_random_uuids: bool,
    /// How much the transform may do.
    pub limits: Limits,
}

impl TransformOptions {
    /// The default limits, and UUIDs that follow from `seed`.
    #[must_use]
    pub fn with_seed(seed: Uuid) -> Self {
        Self {
            seed,
            ..Self::default()
        }
    }

    /// The default limits, and random UUIDs.
    #[must_use]
    pub fn with_random_uuids() -> Self {
        Self {
            has_random_uuids: true,
            ..Self::default()
        }
    }
}

#[derive(Debug, Clone)]
enum Slot<'a> {
    Unset,
    Source(Item<'a>),
    Target(NodeId),
}

struct Engine<'a, 't> {
    program: &'a Program,
    definitions: &'a Definitions,
    output: Output<'a>,
    stack: Vec<Slot<'a>>,
    usage: Usage,
    /// What expressions share.
    session: Session<'a>,
    seed: Uuid,
    has_random_uuids: bool,
    uuids: u64,
    /// Ids that resources of the input were given to be referred to, by their address.
    given_ids: HashMap<usize, String>,
    trace: Option<&'t mut Trace>,
}

/// How many steps of expressions count as one of rules.
const EXPRESSION_STEPS: u64 = 10;

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
            Slot::Target(node) => self.output.read(*node),
            Slot::Unset => None,
        }
    }
}

/// Runs the map on the input.
pub(crate) fn transform(
    program: &Program,
    definitions: &Definitions,
    terminology: &dyn Terminology,
    url: &str,
    input: &Value,
    options: &TransformOptions,
    mut trace: Option<&mut Trace>,
) -> Result<Value, TransformError> {
    let map = program
        .by_url
        .get(url)
        .and_then(|index| program.maps.get(*index))
        .ok_or_else(|| TransformError::UnknownMap(url.to_owned()))?;
    let (group, rule) = ("(first)".to_owned(), "(input)".to_owned());
    let entry = match &map.entry {
        Ok(entry) => entry,
        Err(reason) => {
            return Err(TransformError::Definitions {
                map: url.to_owned(),
                group,
                rule,
                reason: reason.clone(),
            });
        }
    };
    let source_type =
        source_type(definitions, entry, input).map_err(|reason| TransformError::Failed {
            map: url.to_owned(),
            group,
            rule,
            reason,
        })?;
    if let Some(trace) = &mut trace {
        trace.begin(definitions, input, source_type);
    }
    let mut engine = Engine {
        program,
        definitions,
        output: Output::new(
            definitions,
            options.limits.depth,
            options.limits.output_bytes,
        ),
        stack: Vec::with_capacity(64),
        usage: Usage::new(options.limits),
        session: Session::new(
            Some(Item::Borrowed(input, source_type)),
            Some(terminology),
            options.limits.steps.saturating_mul(EXPRESSION_STEPS),
        )
        .with_time(options.limits.time),
        seed: options.seed,
        has_random_uuids: options.has_random_uuids,
        uuids: 0,
        given_ids: HashMap::new(),
        trace,
    };
    let root = engine.output.root(entry.target);
    engine
        .stack
        .push(Slot::Source(Item::Borrowed(input, source_type)));
    engine.stack.push(Slot::Target(root));
    if let Some(trace) = &mut engine.trace {
        trace.name_node(root, definitions.name(entry.target).to_owned());
    }
    let result = engine.run_group(entry.group, 0, GroupCall::First);
    if let Err(error) = result {
        if let Some(trace) = engine.trace {
            trace.fail(&error);
        }
        return Err(error);
    }
    drop(engine.stack);
    Ok(engine.output.into_value(root))
}

/// The type of the input, when the map can read it.
fn source_type(definitions: &Definitions, entry: &Entry, input: &Value) -> Result<TypeId, String> {
    let expected = definitions.name(entry.source);
    if !input.is_object() {
        return Err(match entry.source {
            UNKNOWN => "it reads an object".to_owned(),
            _ => format!("it reads a {expected}, which is an object"),
        });
    }
    if entry.source == UNKNOWN {
        return Ok(definitions.of_resource(input).unwrap_or(UNKNOWN));
    }
    if definitions.kind(entry.source) != Some(Kind::Resource) {
        return Ok(entry.source);
    }
    match definitions.of_resource(input) {
        Some(found) if definitions.is_a(found, entry.source) => Ok(found),
        // Another version of the same type.
        Some(found) if definitions.name(found) == expected => Ok(entry.source),
        _ => Err(format!("it reads a {expected}")),
    }
}

impl<'a> Engine<'a, '_> {
    fn fail(&self, group: &Group, rule: &Rule, stop: Stop) -> TransformError {
        let map = self.program.maps.get(group.map);
        let map = map.map(|map| map.url.clone()).unwrap_or_default();
        let (group, rule) = (group.name.clone(), rule.name.clone());
        match stop {
            Stop::Inside(error) => error,
            // An expression asked for what is not there, and so the rule goes no further.
            Stop::Reason(reason) if self.session.lacks_definitions() => {
                TransformError::Definitions {
                    map,
                    group,
                    rule,
                    reason,
                }
            }
            Stop::Reason(reason) => TransformError::Failed {
                map,
                group,
                rule,
                reason,
            },
            Stop::Definitions(reason) => TransformError::Definitions {
                map,
                group,
                rule,
                reason,
            },
            Stop::Limit(exceeded) => TransformError::Limit {
                map,
                group,
                rule,
                limit: exceeded.to_string(),
            },
        }
    }

    fn map_of(&self, group: &Group) -> Option<&'a MapEntry> {
        self.program.maps.get(group.map)
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
        evaluation(&Evaluator::new(self.definitions, &frame, &self.session))
    }

    /// The next UUID of this transform.
    fn uuid(&mut self) -> String {
        if self.has_random_uuids {
            return Uuid::new_v4().to_string();
        }
        self.uuids += 1;
        seeded_uuid(self.seed, &self.uuids.to_be_bytes()).to_string()
    }
}
