//! Resolves the names of an expression.

use serde_json::Value;

use super::function::{FUNCTIONS, Function};
use super::pattern::Pattern;
use super::syntax::{Expression, ExpressionKind, Operator, TypeOperator};
use crate::definitions::{Kind, TypeId};
use crate::item::{Known, Member};
use crate::program::scope::{Refusal, Scope};

/// How many constants may stand for one another in turn; each is compiled where it is used.
const MAXIMUM_CONSTANT_DEPTH: usize = 10;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Compiled {
    Literal(Value, TypeId),
    /// A regular expression that is known when the map is compiled.
    Pattern(Pattern),
    Empty,
    This,
    Slot(usize),
    Member(Box<Compiled>, Member),
    /// `element = 'text'` of the context, the test that maps run most.
    TextEquals(Member, String),
    OfType(Box<Compiled>, TypeId),
    Is(Box<Compiled>, TypeId),
    Index(Box<Compiled>, Box<Compiled>),
    Function(Box<Compiled>, Function, Vec<Compiled>),
    Negative(Box<Compiled>),
    Binary(Operator, Box<Compiled>, Box<Compiled>),
}

/// What `$this` and bare names mean: nothing, or an item of a type that may be known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Context {
    None,
    Item(Option<TypeId>),
}

/// Compiles an expression; also tells the type of its items when that is certain.
pub(crate) fn compile(
    scope: &mut Scope<'_>,
    context: Context,
    expression: &Expression,
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    let position = expression.position;
    let primitives = scope.definitions.primitives;
    Ok(match &expression.kind {
        ExpressionKind::Literal(value, type_name) => {
            let id = scope
                .definitions
                .by_name(type_name)
                .unwrap_or(primitives.string);
            (Compiled::Literal(value.clone(), id), Some(id))
        }
        ExpressionKind::Empty => (Compiled::Empty, None),
        ExpressionKind::This => match context {
            Context::Item(id) => (Compiled::This, id),
            Context::None => return Err((position, "there is no $this here".to_owned())),
        },
        ExpressionKind::Variable(name) => match variable(scope, name)? {
            Some(found) => found,
            None => return Err((position, format!("there is no variable %{name}"))),
        },
        ExpressionKind::Name(name) => start(scope, context, expression, name)?,
        ExpressionKind::Member(operand, name) => {
            let (operand, id) = compile(scope, context, operand)?;
            member(scope, operand, id, name, expression)?
        }
        ExpressionKind::Function(operand, name, parameters) => {
            return function(
                scope,
                context,
                expression,
                operand.as_deref(),
                name,
                parameters,
            );
        }
        ExpressionKind::Index(operand, index) => {
            let (operand, id) = compile(scope, context, operand)?;
            let (index, _) = compile(scope, context, index)?;
            (Compiled::Index(Box::new(operand), Box::new(index)), id)
        }
        ExpressionKind::Negative(operand) => {
            let (operand, id) = compile(scope, context, operand)?;
            (Compiled::Negative(Box::new(operand)), id)
        }
        ExpressionKind::Type(operator, operand, name) => {
            let (operand, _) = compile(scope, context, operand)?;
            typed(scope, *operator, operand, name, expression)?
        }
        ExpressionKind::Binary(operator, left, right) => {
            let (left, id) = compile(scope, context, left)?;
            let (right, _) = compile(scope, context, right)?;
            let id = match operator {
                Operator::Concatenate => Some(primitives.string),
                Operator::Add | Operator::Subtract => id,
                Operator::Multiply | Operator::Divide | Operator::Union => None,
                Operator::DivideWhole | Operator::Modulo => Some(primitives.integer),
                _ => Some(primitives.boolean),
            };
            (binary(scope, *operator, left, right), id)
        }
    })
}

fn binary(scope: &Scope<'_>, operator: Operator, left: Compiled, right: Compiled) -> Compiled {
    match (operator, left, right) {
        (
            Operator::Equal,
            Compiled::Member(operand, member),
            Compiled::Literal(Value::String(text), id),
        ) if *operand == Compiled::This && id == scope.definitions.primitives.string => {
            Compiled::TextEquals(member, text)
        }
        (operator, left, right) => Compiled::Binary(operator, Box::new(left), Box::new(right)),
    }
}

fn variable(
    scope: &mut Scope<'_>,
    name: &str,
) -> Result<Option<(Compiled, Option<TypeId>)>, Refusal> {
    if let Some(variable) = scope.find(name) {
        return Ok(Some((Compiled::Slot(variable.slot), variable.type_id)));
    }
    let constants = scope.constants;
    let Some(constant) = constants.get(name) else {
        return Ok(None);
    };
    if scope.constant_depth == MAXIMUM_CONSTANT_DEPTH {
        let reason = format!("{name} is defined by itself, or by too many other constants");
        return Err((constant.position, reason));
    }
    scope.constant_depth += 1;
    let compiled = compile(scope, Context::None, constant);
    scope.constant_depth -= 1;
    compiled.map(Some)
}

/// A bare name: a variable, an element of the context, or the context's type.
fn start(
    scope: &mut Scope<'_>,
    context: Context,
    expression: &Expression,
    name: &str,
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    if let Some(found) = variable(scope, name)? {
        return Ok(found);
    }
    let Context::Item(id) = context else {
        return Err((expression.position, format!("there is no variable {name}")));
    };
    if name.starts_with(|first: char| first.is_ascii_uppercase())
        && let Some(named) = scope.definitions.by_name(name)
        && id.is_none_or(|id| scope.definitions.element(id, name).is_none())
    {
        return Ok((
            Compiled::OfType(Box::new(Compiled::This), named),
            Some(named),
        ));
    }
    member(scope, Compiled::This, id, name, expression)
}

fn member(
    scope: &Scope<'_>,
    operand: Compiled,
    id: Option<TypeId>,
    name: &str,
    expression: &Expression,
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    let (member, child) = resolve(scope, id, name).map_err(|why| (expression.position, why))?;
    Ok((Compiled::Member(Box::new(operand), member), child))
}

/// Resolves an element of a type, and tells the element's type when there is only one.
pub(crate) fn resolve(
    scope: &Scope<'_>,
    id: Option<TypeId>,
    name: &str,
) -> Result<(Member, Option<TypeId>), String> {
    let member = |known| Member {
        name: name.to_owned(),
        known,
    };
    let Some(id) = id else {
        return Ok((member(None), None));
    };
    let definitions = scope.definitions;
    let Some(found) = definitions.element(id, name) else {
        return Err(format!("{} has no element {name}", definitions.name(id)));
    };
    let element = definitions
        .get(id)
        .and_then(|definition| definition.elements.get(found.index));
    let only = match element.map(|element| element.types.as_slice()) {
        Some([only]) if definitions.kind(*only) != Some(Kind::Resource) => Some(*only),
        _ => None,
    };
    let known = Known {
        parent: id,
        element: found,
        plain: only.filter(|_| element.is_some_and(|element| !element.choice)),
    };
    Ok((member(Some(known)), only.or(found.choice)))
}

fn typed(
    scope: &Scope<'_>,
    operator: TypeOperator,
    operand: Compiled,
    name: &str,
    expression: &Expression,
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    let definitions = scope.definitions;
    let known = match name.strip_prefix("System.") {
        Some(system) => definitions.by_name(&system.to_ascii_lowercase()),
        None => definitions.by_name(name),
    };
    let Some(id) = known else {
        return Err((
            expression.position,
            format!("{name} is no type that is known"),
        ));
    };
    Ok(match operator {
        TypeOperator::Is => (
            Compiled::Is(Box::new(operand), id),
            Some(definitions.primitives.boolean),
        ),
        TypeOperator::As => (Compiled::OfType(Box::new(operand), id), Some(id)),
    })
}

fn function(
    scope: &mut Scope<'_>,
    context: Context,
    expression: &Expression,
    operand: Option<&Expression>,
    name: &str,
    parameters: &[Expression],
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    let position = expression.position;
    let (operand, id) = match (operand, context) {
        (Some(operand), _) => compile(scope, context, operand)?,
        (None, Context::Item(id)) => (Compiled::This, id),
        // `iif` alone needs no operand.
        (None, Context::None) => (Compiled::Empty, None),
    };
    if let "ofType" | "as" | "is" = name {
        let operator = if name == "is" {
            TypeOperator::Is
        } else {
            TypeOperator::As
        };
        let type_name = match parameters {
            [parameter] => type_specifier(parameter),
            _ => None,
        };
        return match type_name {
            Some(type_name) => typed(scope, operator, operand, &type_name, expression),
            None => Err((position, format!("{name} takes one type"))),
        };
    }
    let Some((_, function, least, most)) = FUNCTIONS.iter().find(|(known, ..)| *known == name)
    else {
        return Err((
            position,
            format!("the FHIRPath function {name} is not supported"),
        ));
    };
    if !(*least..=*most).contains(&parameters.len()) {
        let range = if least == most {
            least.to_string()
        } else {
            format!("{least} to {most}")
        };
        return Err((position, format!("{name} takes {range} parameters")));
    }
    let inner = if function.iterates() {
        Context::Item(id)
    } else {
        context
    };
    let mut compiled = Vec::new();
    let mut selected = None;
    for parameter in parameters {
        let (parameter, id) = compile(scope, inner, parameter)?;
        compiled.push(parameter);
        selected = id;
    }
    if let (Function::Matches | Function::MatchesFull | Function::ReplaceMatches, Some(pattern)) =
        (*function, compiled.first_mut())
        && let Compiled::Literal(Value::String(text), _) = pattern
    {
        *pattern = Compiled::Pattern(Pattern::new(text).map_err(|why| (position, why))?);
    }
    let result = match function {
        Function::Select => selected,
        function if function.keeps_type() => id,
        _ => None,
    };
    Ok((
        Compiled::Function(Box::new(operand), *function, compiled),
        result,
    ))
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
