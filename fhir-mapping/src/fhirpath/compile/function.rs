//! Functions, their parameters, and what can be said about them before they run.

use serde_json::Value;

use super::names::RESERVED;
use super::{Compiled, Compiler, Constant, Place, Typed};
use crate::fhirpath::evaluate::{Evaluator, Focus, NoVariables};
use crate::fhirpath::function::{FUNCTIONS, Function};
use crate::fhirpath::pattern::Pattern;
use crate::fhirpath::session::Session;
use crate::fhirpath::syntax::{Expression, ExpressionKind, TypeOperator};
use crate::program::scope::Refusal;

/// How many steps a name may take that `defineVariable` is to compute.
const MAXIMUM_NAME_STEPS: u64 = 1000;

impl Compiler<'_, '_> {
    pub(super) fn function(
        &mut self,
        place: Place,
        expression: &Expression,
        operand: Option<&Expression>,
        name: &str,
        parameters: &[Expression],
    ) -> Result<Typed, Refusal> {
        let position = expression.position;
        let (operand, static_type) = match (operand, place.this) {
            (Some(operand), _) => self.chain(place, operand)?,
            (None, Some(this)) => (Compiled::This, this),
            // `iif` alone needs no operand.
            (None, None) => (Compiled::Empty, None),
        };
        match name {
            "ofType" | "as" | "is" => {
                return self.type_function(operand, expression, name, parameters);
            }
            "defineVariable" => {
                return self.define_variable(place, (operand, static_type), expression, parameters);
            }
            _ => {}
        }
        let Some((_, function, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name)
        else {
            let reason = format!("the FHIRPath function {name} is not supported");
            return Err((position, reason));
        };
        self.count(expression, name, parameters, *least, *most)?;
        if let (true, Some(id)) = (function.is_of_text(), self.has_elements(static_type)) {
            let type_name = self.scope.definitions.name(id);
            let reason = format!("{name} is for strings, which {type_name} is not");
            return Err((position, reason));
        }
        if function.needs_order() {
            self.ordered(&operand, name, expression)?;
        }
        let inner = Place {
            this: if function.iterates() {
                Some(static_type)
            } else {
                place.this
            },
            iterates: place.iterates || function.iterates(),
            aggregates: place.aggregates || *function == Function::Aggregate,
        };
        let mut compiled = Vec::new();
        let mut types = Vec::new();
        for (index, parameter) in parameters.iter().enumerate() {
            // The value that an aggregation begins with is no item's.
            let place = match (function, index) {
                (Function::Aggregate, 1) => place,
                _ => inner,
            };
            let (parameter, static_type) = self.expression(place, parameter)?;
            compiled.push(parameter);
            types.push(static_type);
        }
        if let (true, Some(pattern)) = (function.takes_pattern(), compiled.first_mut())
            && let Compiled::Constant(Constant::Text(text)) = pattern
        {
            *pattern = Compiled::Pattern(Pattern::new(text).map_err(|why| (position, why))?);
        }
        let result = match function {
            Function::Select => types.first().copied().flatten(),
            Function::Iif => match types.as_slice() {
                [_, only] => *only,
                [_, one, other] if one == other => *one,
                _ => None,
            },
            function if function.keeps_type() => static_type,
            _ => None,
        };
        let compiled = Compiled::Function(Box::new(operand), *function, compiled);
        Ok((compiled, result))
    }

    fn count(
        &self,
        expression: &Expression,
        name: &str,
        parameters: &[Expression],
        least: usize,
        most: usize,
    ) -> Result<(), Refusal> {
        if (least..=most).contains(&parameters.len()) {
            return Ok(());
        }
        let range = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        let reason = format!("{name} takes {range} parameters");
        Err((expression.position, reason))
    }

    fn type_function(
        &self,
        operand: Compiled,
        expression: &Expression,
        name: &str,
        parameters: &[Expression],
    ) -> Result<Typed, Refusal> {
        let type_name = match parameters {
            [parameter] => type_specifier(parameter),
            _ => None,
        };
        let Some(type_name) = type_name else {
            return Err((expression.position, format!("{name} takes one type")));
        };
        let operator = if name == "is" {
            TypeOperator::Is
        } else {
            TypeOperator::As
        };
        let typed = self.typed(operator, operand, &type_name, expression)?;
        Ok(match typed {
            (Compiled::As(operand, test), result) if name == "ofType" => {
                (Compiled::OfType(operand, test), result)
            }
            other => other,
        })
    }

    fn define_variable(
        &mut self,
        place: Place,
        (operand, static_type): Typed,
        expression: &Expression,
        parameters: &[Expression],
    ) -> Result<Typed, Refusal> {
        let position = expression.position;
        self.count(expression, "defineVariable", parameters, 1, 2)?;
        let Some(name) = parameters.first() else {
            return Ok((operand, static_type));
        };
        let name = self.constant_text(place, name)?;
        let known = self.defined.iter().any(|(known, ..)| *known == name)
            || self.scope.find(&name).is_some();
        if known || RESERVED.contains(&name.as_str()) {
            let reason = format!("there is a variable %{name} already");
            return Err((position, reason));
        }
        let inner = Place {
            this: Some(static_type),
            ..place
        };
        let (value, value_type) = match parameters.get(1) {
            Some(value) => {
                let (value, value_type) = self.expression(inner, value)?;
                (Some(Box::new(value)), value_type)
            }
            None => (None, static_type),
        };
        let slot = self.slots;
        self.slots += 1;
        self.defined.push((name, slot, value_type));
        let compiled = Compiled::Define {
            operand: Box::new(operand),
            slot,
            value,
        };
        Ok((compiled, static_type))
    }

    /// The text that an expression gives without any input.
    fn constant_text(&mut self, place: Place, name: &Expression) -> Result<String, Refusal> {
        let (compiled, _) = self.expression(place, name)?;
        let refuse = |why: &str| {
            let reason = format!("a variable's name is a string that is known before: {why}");
            (name.position, reason)
        };
        if let Compiled::Constant(Constant::Text(text)) = &compiled {
            return Ok(text.to_string());
        }
        let session = Session::new(None, None, MAXIMUM_NAME_STEPS);
        let definitions = self.scope.definitions;
        let evaluator = Evaluator::new(definitions, &NoVariables, &session);
        // A focus that is not empty: what is defined may be selected from it.
        let focus = [crate::fhirpath::item::Item::Boolean(true)];
        let items = evaluator.eval(&compiled, &Focus::of(&focus));
        let items = items.map_err(|why| refuse(&why))?;
        match items.as_slice() {
            [item] => item.text().ok_or_else(|| refuse("it gives no string")),
            _ => Err(refuse("it does not give one")),
        }
    }
}

/// `Type` or `FHIR.Type`, which are parsed as paths.
fn type_specifier(expression: &Expression) -> Option<String> {
    match &expression.kind {
        ExpressionKind::Name(name) => Some(name.clone()),
        ExpressionKind::Literal(Value::String(name), _) => Some(name.clone()),
        ExpressionKind::Member(operand, name) => {
            Some(format!("{}.{name}", type_specifier(operand)?))
        }
        _ => None,
    }
}
