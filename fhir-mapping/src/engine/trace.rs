//! What a transform did, for the author of its map.

use std::collections::HashMap;
use std::fmt::{self, Display, Formatter};

use serde_json::Value;

use crate::definitions::{Definitions, TypeId};
use crate::error::TransformError;
use crate::item::Item;
use crate::output::NodeId;

/// How many entries a trace keeps.
const MAXIMUM_ENTRIES: usize = 200_000;

/// What a transform did: which rule fired on what, and why one did not. Filled by
/// [`CompiledMaps::transform_traced`](crate::CompiledMaps::transform_traced).
///
/// It names elements and counts them. Values, which may be what people answered, are in it only when
/// it is made by [`Trace::with_values`]. [`Display`] writes it as a tree.
#[derive(Debug, Default)]
pub struct Trace {
    entries: Vec<TraceEntry>,
    is_complete: bool,
    shows_values: bool,
    depth: usize,
    item_paths: HashMap<usize, String>,
    node_paths: HashMap<NodeId, String>,
}

/// One line of a [`Trace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceEntry {
    /// How many entries it is in; it is in the last one before it that has a smaller depth.
    pub depth: usize,
    /// What happened.
    pub event: TraceEvent,
}

/// What happened in a transform.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceEvent {
    /// A group runs.
    Group {
        /// Canonical url of its map.
        map: String,
        /// Its name.
        group: String,
        /// Why it runs.
        call: GroupCall,
    },
    /// A rule runs.
    Rule {
        /// Its name.
        rule: String,
    },
    /// A source of the rule was read.
    Source {
        /// The element, from the root of the input.
        element: String,
        /// How many items it has.
        found: usize,
        /// Whether there were none, and the rule's default was taken.
        is_default: bool,
        /// How many items have the type that the rule asks for.
        of_type: Option<usize>,
        /// How many items fulfil the rule's condition (`where`).
        condition: Option<usize>,
        /// How many items the list option (`first`, `last`…) left.
        chosen: Option<usize>,
    },
    /// The rule runs for an item.
    Item {
        /// The item, from the root of the input.
        element: String,
        /// Its text, if values are shown and it is a primitive.
        value: Option<String>,
    },
    /// A target was made.
    Target {
        /// The element, from the root of the output; `None` when only a variable was set.
        element: Option<String>,
        /// Name of the transform.
        transform: &'static str,
        /// Whether the transform gave no value.
        is_nothing: bool,
        /// The text, if values are shown and it is a primitive.
        value: Option<String>,
    },
    /// No default group takes these types: the source is copied as it is.
    NoDefaultGroup {
        /// The source's type.
        source: String,
        /// The target's type, if it is known.
        target: Option<String>,
    },
    /// The transform ends without a result.
    Failed {
        /// Why.
        reason: String,
    },
}

/// Why a group runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupCall {
    /// It is the map's first.
    First,
    /// A rule names it.
    ByName,
    /// It is the default for the types of a source and a target.
    Default,
    /// Another group extends it.
    Extended,
}

impl Trace {
    /// An empty trace.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty trace that will have the text of primitives: personal data, perhaps.
    #[must_use]
    pub fn with_values() -> Self {
        Self {
            shows_values: true,
            ..Self::default()
        }
    }

    /// What happened, in its order.
    #[must_use]
    pub fn entries(&self) -> &[TraceEntry] {
        &self.entries
    }

    pub(crate) fn shows_values(&self) -> bool {
        self.shows_values
    }

    /// Forgets an earlier transform, and learns where everything stands in the input.
    pub(crate) fn begin(&mut self, definitions: &Definitions, input: &Value, source: TypeId) {
        self.entries.clear();
        self.is_complete = true;
        self.depth = 0;
        self.item_paths.clear();
        self.node_paths.clear();
        self.learn(input, definitions.name(source).to_owned());
    }

    fn learn(&mut self, value: &Value, path: String) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    self.learn(value, format!("{path}.{name}"));
                }
            }
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    self.learn(value, format!("{path}[{index}]"));
                }
            }
            _ => {}
        }
        self.item_paths.insert(address(value), path);
    }

    pub(crate) fn path_of_item(&self, item: &Item<'_>) -> String {
        let value = match item {
            Item::Borrowed(value, _) => Some(*value),
            Item::BorrowedPrimitive(primitive, _) if primitive.value.is_null() => {
                Some(primitive.companion)
            }
            Item::BorrowedPrimitive(primitive, _) => Some(primitive.value),
            Item::Owned(..) | Item::OwnedPrimitive(..) => None,
        };
        value
            .and_then(|value| self.item_paths.get(&address(value)).cloned())
            .unwrap_or_else(|| "(computed)".to_owned())
    }

    pub(crate) fn name_node(&mut self, node: NodeId, path: String) {
        self.node_paths.insert(node, path);
    }

    pub(crate) fn path_of_node(&self, node: NodeId) -> String {
        let path = self.node_paths.get(&node).cloned();
        path.unwrap_or_else(|| "(created)".to_owned())
    }

    pub(crate) fn add(&mut self, event: TraceEvent) {
        if self.entries.len() == MAXIMUM_ENTRIES {
            self.is_complete = false;
            return;
        }
        let depth = self.depth;
        self.entries.push(TraceEntry { depth, event });
    }

    pub(crate) fn enter(&mut self, event: TraceEvent) {
        self.add(event);
        self.depth += 1;
    }

    pub(crate) fn enter_item(&mut self, item: &Item<'_>) {
        self.enter(TraceEvent::Item {
            element: self.path_of_item(item),
            value: item.text().filter(|_| self.shows_values),
        });
    }

    pub(crate) fn leave(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    pub(crate) fn fail(&mut self, error: &TransformError) {
        let reason = error.to_string();
        self.add(TraceEvent::Failed { reason });
    }
}

fn address(value: &Value) -> usize {
    std::ptr::from_ref(value).addr()
}

impl Display for Trace {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for entry in &self.entries {
            writeln!(
                formatter,
                "{:indent$}{}",
                "",
                entry.event,
                indent = 2 * entry.depth
            )?;
        }
        if !self.is_complete && !self.entries.is_empty() {
            writeln!(
                formatter,
                "(and more: a trace has {MAXIMUM_ENTRIES} lines at most)"
            )?;
        }
        Ok(())
    }
}

impl Display for TraceEvent {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group { map, group, call } => {
                let why = match call {
                    GroupCall::First => "the first",
                    GroupCall::ByName => "called",
                    GroupCall::Default => "default for the types",
                    GroupCall::Extended => "extended",
                };
                write!(formatter, "group {group} of {map} ({why})")
            }
            Self::Rule { rule } => write!(formatter, "rule {rule}"),
            Self::Source {
                element,
                found,
                is_default,
                of_type,
                condition,
                chosen,
            } => {
                write!(formatter, "source {element}: ")?;
                match found {
                    0 => write!(formatter, "empty")?,
                    1 => write!(formatter, "1 item")?,
                    found => write!(formatter, "{found} items")?,
                }
                if *is_default {
                    write!(formatter, ", the default is taken")?;
                }
                for (count, what) in [
                    (of_type, "of the type"),
                    (condition, "fulfil the condition"),
                    (chosen, "left by the list option"),
                ] {
                    if let Some(count) = count {
                        write!(formatter, ", {count} {what}")?;
                    }
                }
                Ok(())
            }
            Self::Item { element, value } => {
                write!(formatter, "for {element}")?;
                quote(formatter, value.as_deref())
            }
            Self::Target {
                element,
                transform,
                is_nothing,
                value,
            } => {
                let element = element.as_deref().unwrap_or("a variable");
                write!(formatter, "-> {element} by {transform}")?;
                if *is_nothing {
                    write!(formatter, ": no value")?;
                }
                quote(formatter, value.as_deref())
            }
            Self::NoDefaultGroup { source, target } => {
                let target = target.as_deref().unwrap_or("a type that is not known");
                write!(
                    formatter,
                    "no default group for {source} to {target}: copied as it is"
                )
            }
            Self::Failed { reason } => write!(formatter, "failed: {reason}"),
        }
    }
}

fn quote(formatter: &mut Formatter<'_>, value: Option<&str>) -> fmt::Result {
    match value {
        Some(value) => write!(formatter, " {value:?}"),
        None => Ok(()),
    }
}
