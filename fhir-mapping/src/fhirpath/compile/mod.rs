//! Resolves the names of an expression.

mod constant;
mod function;
mod names;

pub(crate) use constant::Constant;
pub(crate) use names::resolve;

use super::function::Function;
use super::item::SystemType;
use super::pattern::Pattern;
use super::syntax::{Expression, ExpressionKind, Operator, TypeOperator};
use crate::definitions::{Kind, TypeId};
use crate::item::Member;
use crate::program::scope::{Refusal, Scope};

/// How many constants may stand for one another in turn; each is compiled where it is used.
const MAXIMUM_CONSTANT_DEPTH: usize = 10;

#[derive(Debug, Clone)]
pub(crate) enum Compiled {
    Constant(Constant),
    /// A regular expression that is known when the map is compiled.
    Pattern(Pattern),
    Empty,
    This,
    ItemIndex,
    Total,
    /// `%context`.
    Context,
    /// `%resource` and `%rootResource`.
    Resource,
    Terminologies,
    Slot(usize),
    /// What `defineVariable` gave a name.
    Defined(usize),
    Define {
        operand: Box<Compiled>,
        slot: usize,
        value: Option<Box<Compiled>>,
    },
    Member(Box<Compiled>, Member),
    /// `element = 'text'` of the context, the test that maps run most.
    TextEquals(Member, String),
    OfType(Box<Compiled>, TypeTest),
    /// As [`Self::OfType`], of one item at most.
    As(Box<Compiled>, TypeTest),
    Is(Box<Compiled>, TypeTest),
    Index(Box<Compiled>, Box<Compiled>),
    Function(Box<Compiled>, Function, Vec<Compiled>),
    Negative(Box<Compiled>),
    Binary(Operator, Box<Compiled>, Box<Compiled>),
}

/// What `is`, `as` and `ofType` ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TypeTest {
    Fhir(TypeId),
    System(SystemType),
    /// A type of `System` that there is not: nothing is of it.
    Never,
}

/// What `$this` and bare names mean: nothing, or an item of a type that may be known.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Context {
    None,
    Item(Option<TypeId>),
}

/// How strict names are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Strictness {
    /// Whether `valueQuantity` for `value`, and a path that begins with another type than the
    /// context's, are mistakes. Maps tolerate both, as HL7's engine does.
    pub(crate) names: bool,
    /// Whether the first of what has no order is a mistake.
    pub(crate) order: bool,
    /// Whether a variable needs its `%`. Maps do without.
    pub(crate) variables: bool,
}

/// The type of an expression's items, where it is certain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StaticType {
    Fhir(TypeId),
    System(SystemType),
}

/// Where an expression stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    /// What `$this` is; `None`: there is none.
    this: Option<Option<StaticType>>,
    /// Whether there is `$index`.
    iterates: bool,
    /// Whether there is `$total`.
    aggregates: bool,
}

type Typed = (Compiled, Option<StaticType>);

struct Compiler<'s, 'c> {
    scope: &'s mut Scope<'c>,
    strictness: Strictness,
    /// The variables that are defined here, with their types.
    defined: Vec<(String, usize, Option<StaticType>)>,
    slots: usize,
}

/// Compiles an expression of a map; also tells the type of its items when that is certain.
pub(crate) fn compile(
    scope: &mut Scope<'_>,
    context: Context,
    expression: &Expression,
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    compile_strictly(scope, context, expression, Strictness::default())
}

/// As [`compile`], with more that counts as a mistake.
pub(crate) fn compile_strictly(
    scope: &mut Scope<'_>,
    context: Context,
    expression: &Expression,
    strictness: Strictness,
) -> Result<(Compiled, Option<TypeId>), Refusal> {
    let definitions = scope.definitions;
    let mut compiler = Compiler {
        scope,
        strictness,
        defined: Vec::new(),
        slots: 0,
    };
    let place = Place {
        this: match context {
            Context::None => None,
            Context::Item(id) => Some(id.map(StaticType::Fhir)),
        },
        iterates: false,
        aggregates: false,
    };
    let (compiled, static_type) = compiler.expression(place, expression)?;
    let type_id = static_type.map(|found| match found {
        StaticType::Fhir(id) => id,
        StaticType::System(system) => system.fhir_type(definitions),
    });
    Ok((compiled, type_id))
}

impl Compiler<'_, '_> {
    /// An expression on its own: variables that are defined in it end with it.
    fn expression(&mut self, place: Place, expression: &Expression) -> Result<Typed, Refusal> {
        let defined = self.defined.len();
        let compiled = self.chain(place, expression);
        self.defined.truncate(defined);
        compiled
    }

    /// An expression that another one continues, to which its variables remain.
    fn chain(&mut self, place: Place, expression: &Expression) -> Result<Typed, Refusal> {
        let position = expression.position;
        let boolean = Some(StaticType::System(SystemType::Boolean));
        Ok(match &expression.kind {
            ExpressionKind::Literal(value, type_name) => {
                let constant = Constant::literal(value, type_name)
                    .ok_or_else(|| (position, "this is no constant".to_owned()))?;
                let system = constant.item().system_type();
                (Compiled::Constant(constant), system.map(StaticType::System))
            }
            ExpressionKind::Decimal(decimal) => (
                Compiled::Constant(Constant::Decimal(*decimal)),
                Some(StaticType::System(SystemType::Decimal)),
            ),
            ExpressionKind::Quantity(quantity) => (
                Compiled::Constant(Constant::Quantity(quantity.clone().into())),
                Some(StaticType::System(SystemType::Quantity)),
            ),
            ExpressionKind::Empty => (Compiled::Empty, None),
            ExpressionKind::This => match place.this {
                Some(this) => (Compiled::This, this),
                None => return Err((position, "there is no $this here".to_owned())),
            },
            ExpressionKind::ItemIndex if place.iterates => (
                Compiled::ItemIndex,
                Some(StaticType::System(SystemType::Integer)),
            ),
            ExpressionKind::ItemIndex => {
                return Err((position, "there is no $index here".to_owned()));
            }
            ExpressionKind::Total if place.aggregates => (Compiled::Total, None),
            ExpressionKind::Total => return Err((position, "there is no $total here".to_owned())),
            ExpressionKind::Variable(name) => match self.variable(place, name)? {
                Some(found) => found,
                None => self.unknown_variable(position, &format!("%{name}"))?,
            },
            ExpressionKind::Name(name) => self.start(place, expression, name)?,
            ExpressionKind::Member(operand, name) => {
                let (operand, id) = self.chain(place, operand)?;
                self.member(operand, id, name, expression)?
            }
            ExpressionKind::Function(operand, name, parameters) => {
                return self.function(place, expression, operand.as_deref(), name, parameters);
            }
            ExpressionKind::Index(operand, index) => {
                let (operand, id) = self.chain(place, operand)?;
                self.ordered(&operand, "an index", expression)?;
                let (index, _) = self.expression(place, index)?;
                (Compiled::Index(Box::new(operand), Box::new(index)), id)
            }
            ExpressionKind::Negative(operand) => {
                let (operand, id) = self.expression(place, operand)?;
                (Compiled::Negative(Box::new(operand)), id)
            }
            ExpressionKind::Type(operator, operand, name) => {
                let (operand, _) = self.expression(place, operand)?;
                self.typed(*operator, operand, name, expression)?
            }
            ExpressionKind::Binary(operator, left, right) => {
                let (left, _) = self.expression(place, left)?;
                let (right, _) = self.expression(place, right)?;
                let result = match operator {
                    Operator::Concatenate => Some(StaticType::System(SystemType::String)),
                    Operator::Add
                    | Operator::Subtract
                    | Operator::Multiply
                    | Operator::Divide
                    | Operator::DivideWhole
                    | Operator::Modulo
                    | Operator::Union => None,
                    _ => boolean,
                };
                (binary(*operator, left, right), result)
            }
        })
    }

    /// Refuses what asks for an order, of what has none.
    fn ordered(
        &self,
        operand: &Compiled,
        what: &str,
        expression: &Expression,
    ) -> Result<(), Refusal> {
        let unordered = matches!(
            operand,
            Compiled::Function(_, Function::Children | Function::Descendants, _)
        );
        if self.strictness.order && unordered {
            let reason = format!("{what} needs an order, and children have none");
            return Err((expression.position, reason));
        }
        Ok(())
    }

    fn typed(
        &self,
        operator: TypeOperator,
        operand: Compiled,
        name: &str,
        expression: &Expression,
    ) -> Result<Typed, Refusal> {
        let (test, result) = self.type_named(name).ok_or_else(|| {
            (
                expression.position,
                format!("{name} is no type that is known"),
            )
        })?;
        Ok(match operator {
            TypeOperator::Is => (
                Compiled::Is(Box::new(operand), test),
                Some(StaticType::System(SystemType::Boolean)),
            ),
            TypeOperator::As => (Compiled::As(Box::new(operand), test), result),
        })
    }

    /// A type by its name: of FHIR, else of FHIRPath.
    fn type_named(&self, name: &str) -> Option<(TypeTest, Option<StaticType>)> {
        if let Some(system) = name.strip_prefix("System.") {
            return Some(match SystemType::by_name(system) {
                Some(system) => (TypeTest::System(system), Some(StaticType::System(system))),
                None => (TypeTest::Never, None),
            });
        }
        if let Some(id) = self.scope.definitions.by_name(name) {
            return Some((TypeTest::Fhir(id), Some(StaticType::Fhir(id))));
        }
        let system = SystemType::by_name(name)?;
        Some((TypeTest::System(system), Some(StaticType::System(system))))
    }

    /// Whether items of the type have elements, so that they are no strings, numbers or so.
    fn has_elements(&self, static_type: Option<StaticType>) -> Option<TypeId> {
        match static_type? {
            StaticType::Fhir(id) => matches!(
                self.scope.definitions.kind(id),
                Some(Kind::Complex | Kind::Resource)
            )
            .then_some(id),
            StaticType::System(_) => None,
        }
    }
}

fn binary(operator: Operator, left: Compiled, right: Compiled) -> Compiled {
    match (operator, left, right) {
        (
            Operator::Equal,
            Compiled::Member(operand, member),
            Compiled::Constant(Constant::Text(text)),
        ) if matches!(*operand, Compiled::This) => Compiled::TextEquals(member, text.to_string()),
        (operator, left, right) => Compiled::Binary(operator, Box::new(left), Box::new(right)),
    }
}
