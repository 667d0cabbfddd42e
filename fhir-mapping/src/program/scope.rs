//! The names that are visible while a group is compiled.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};

use crate::definitions::{Definitions, TypeId};
use crate::fhirpath::syntax::Expression;
use crate::language::lexer::Position;
use crate::language::syntax::{Mode, Parameter};

/// Where a map is wrong, and what to mend.
pub(crate) type Refusal = (Position, String);

#[derive(Debug, Clone)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) mode: Mode,
    pub(crate) slot: usize,
    pub(crate) type_id: Option<TypeId>,
    /// Whether what it holds cannot be of another type than that: a group may be called with
    /// anything.
    pub(crate) is_certain: bool,
    pub(crate) is_used: Cell<bool>,
}

pub(crate) struct Scope<'c> {
    pub(crate) definitions: &'c Definitions,
    pub(crate) constants: &'c HashMap<String, Expression>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) slots: usize,
    /// How many constants are being compiled inside one another.
    pub(crate) constant_depth: usize,
    /// Whether a variable that there is not, or an element that its type does not have, gives
    /// nothing, with a warning, as in HL7's engine; else the expression is refused.
    pub(crate) tolerates_unknown_names: bool,
    /// What in expressions cannot be what the author meant, though it can be evaluated.
    pub(crate) warnings: Vec<Refusal>,
    pub(crate) used_constants: HashSet<String>,
}

impl<'c> Scope<'c> {
    pub(crate) fn new(
        definitions: &'c Definitions,
        constants: &'c HashMap<String, Expression>,
    ) -> Self {
        Self {
            definitions,
            constants,
            variables: Vec::new(),
            slots: 0,
            constant_depth: 0,
            tolerates_unknown_names: false,
            warnings: Vec::new(),
            used_constants: HashSet::new(),
        }
    }

    /// Makes a variable and returns its slot.
    pub(crate) fn declare(&mut self, name: &str, mode: Mode, type_id: Option<TypeId>) -> usize {
        let slot = self.slots;
        self.slots += 1;
        self.variables.push(Variable {
            name: name.to_owned(),
            mode,
            slot,
            type_id,
            is_certain: true,
            is_used: Cell::new(false),
        });
        slot
    }

    /// The innermost variable of this name and mode, which is used by that.
    pub(crate) fn find_as(&self, name: &str, mode: Mode) -> Option<&Variable> {
        let found = self
            .variables
            .iter()
            .rev()
            .find(|variable| variable.name == name && variable.mode == mode)?;
        found.is_used.set(true);
        Some(found)
    }

    /// A source variable of this name, else a target variable.
    pub(crate) fn find(&self, name: &str) -> Option<&Variable> {
        self.find_as(name, Mode::Source)
            .or_else(|| self.find_as(name, Mode::Target))
    }
}

/// The name a parameter consists of, when it is only that.
pub(crate) fn plain_name(parameter: &Parameter) -> Option<&str> {
    use crate::fhirpath::syntax::ExpressionKind;
    match parameter {
        Parameter::Path(Expression {
            kind: ExpressionKind::Variable(name),
            ..
        }) => Some(name),
        _ => None,
    }
}
