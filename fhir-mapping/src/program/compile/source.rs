//! What rules read.

use super::group::GroupCompiler;
use crate::definitions::{NONE, TypeId};
use crate::fhirpath::compile::{Context, compile as compile_expression, resolve};
use crate::fhirpath::syntax::Expression;
use crate::item::Member;
use crate::language::syntax::{self, Mode};
use crate::program::Source;
use crate::program::suggestion::did_you_mean;

/// The slot of a variable that there is not.
pub(super) const UNKNOWN_VARIABLE: usize = usize::MAX;

impl GroupCompiler<'_, '_> {
    /// A source; what is wrong with it is noted, so that the rest of the rule is looked at, too.
    pub(super) fn source(&mut self, source: &syntax::Source, simple: bool) -> Source {
        let position = source.position;
        let context = self.scope.find(&source.context);
        let (slot, mut type_id) = match context {
            Some(context) => (context.slot, context.type_id),
            None => {
                let reason = self.no_variable("variable", &source.context, None);
                self.map.findings.error((position, reason));
                (UNKNOWN_VARIABLE, None)
            }
        };
        let mut path = Vec::new();
        for name in &source.path {
            let (member, child) = match resolve(&self.scope, type_id, name) {
                Ok(resolved) => resolved,
                Err(reason) => {
                    // What is not there is not found; neither engine minds.
                    self.warn(position, format!("{reason}; the rule never runs"));
                    (Member::unknown(name), None)
                }
            };
            path.push(member);
            type_id = child;
        }
        let filter = source.type_name.as_ref().map(|name| {
            let named = self.map.type_named(name, &[]);
            named.unwrap_or_else(|reason| {
                self.warn(position, format!("{reason}; nothing is of this type"));
                NONE
            })
        });
        if let Some(id) = filter {
            self.check_filter(source, path.last(), type_id, id);
            type_id = (id != NONE).then_some(id);
        }
        let default = source.default.as_ref().and_then(|parameter| {
            if source.path.is_empty() {
                let reason = format!(
                    "{} is always there: its default is never used",
                    source.context
                );
                self.warn(position, reason);
            }
            let operand = self.operand(parameter);
            self.noted(operand)
        });
        // Conditions may name the source's own variable, as HL7's engine lets them.
        let variable = match &source.variable {
            Some(name) => Some(self.scope.declare(name, Mode::Source, type_id)),
            None if simple => Some(self.scope.declare("", Mode::Source, type_id)),
            None => None,
        };
        let item = Context::Item(type_id);
        let mut compiled = |expression: &Option<Expression>| {
            let compiled = compile_expression(&mut self.scope, item, expression.as_ref()?);
            let (compiled, _) = self.map.findings.noted(compiled)?;
            Some(compiled)
        };
        let condition = compiled(&source.condition);
        let check = compiled(&source.check);
        // A log would hold what people answered: its expression is checked, and not run.
        compiled(&source.log);
        Source {
            context: slot,
            path,
            type_id: filter,
            cardinality: source.cardinality,
            default,
            list_mode: source.list_mode,
            variable,
            condition,
            check,
        }
    }

    /// Warns of a type that the element cannot have.
    fn check_filter(
        &self,
        source: &syntax::Source,
        member: Option<&Member>,
        static_type: Option<TypeId>,
        filter: TypeId,
    ) {
        let definitions = self.scope.definitions;
        let element = member.and_then(|member| member.known).and_then(|known| {
            let definition = definitions.get(known.parent)?;
            definition.elements.get(known.element.index)
        });
        let possible = match (static_type, element) {
            (Some(id), _) => vec![id],
            (None, Some(element)) => element.types.clone(),
            (None, None) => return,
        };
        let fits = |id: &TypeId| {
            definitions.is_a(*id, filter)
                || definitions.is_a(filter, *id)
                || definitions.is_abstract(*id)
        };
        if filter != NONE && !possible.is_empty() && !possible.iter().any(fits) {
            let names: Vec<&str> = possible.iter().map(|id| definitions.name(*id)).collect();
            let what = source.path.last().unwrap_or(&source.context);
            let reason = format!(
                "{what} is never a {}, but {}; the rule never runs",
                definitions.name(filter),
                names.join(" or ")
            );
            self.warn(source.position, reason);
        }
    }

    /// That there is no variable of this name, and which one may have been meant.
    pub(super) fn no_variable(&self, what: &str, name: &str, mode: Option<Mode>) -> String {
        let variables = self.scope.variables.iter();
        let of_mode = variables.filter(|variable| mode.is_none_or(|mode| variable.mode == mode));
        let suggestion = did_you_mean(name, of_mode.map(|variable| variable.name.as_str()));
        format!("there is no {what} {name}{suggestion}")
    }
}
