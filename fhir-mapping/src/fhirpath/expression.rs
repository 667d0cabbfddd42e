//! Expressions by themselves: compiled once, evaluated over any JSON of FHIR.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::compile::{Compiled, Context, Strictness, compile_strictly};
use super::evaluate::{Evaluator, Items, Variables};
use super::item::{Item, SystemType};
use super::session::{MAXIMUM_STEPS, Session};
use crate::definitions::{Definitions, TypeId, UNKNOWN};
use crate::error::{MapError, SyntaxError};
use crate::item::Item as MapItem;
use crate::language::map_parser;
use crate::language::syntax::Mode;
use crate::program::scope::Scope;
use crate::terminology::Terminology;

/// Why a text is no expression that can be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpressionError {
    /// It is not FHIRPath.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// It names what is not there, or a function that is not supported.
    #[error("line {line}, column {column}: {reason}")]
    Compile {
        /// Line of the expression, from 1.
        line: usize,
        /// Column in characters, from 1.
        column: usize,
        /// What to mend.
        reason: String,
    },
    /// The type that the expression is to be about is not known.
    #[error("{0} is no type that is known")]
    UnknownType(String),
}

/// Why an expression has no value for an input. Never quotes the input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The input is not what an operator or a function takes, or the evaluation would take too many
    /// steps.
    #[error("{0}")]
    Failed(String),
}

/// An expression that is compiled, to be evaluated any number of times, from any thread.
///
/// ```
/// use fhir_mapping::fhirpath::Expression;
/// use serde_json::json;
///
/// let expression = Expression::compile("name.where(use = 'official').given.first()")?;
/// let patient = json!({
///     "resourceType": "Patient",
///     "name": [{"use": "usual", "given": ["Ari"]}, {"use": "official", "given": ["Aroha", "Hine"]}],
/// });
/// assert_eq!(expression.evaluate(&patient)?, [json!("Aroha")]);
///
/// let error = Expression::compile("name.htmlChecks()").unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "line 1, column 5: the FHIRPath function htmlChecks is not supported"
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Expression {
    compiled: Arc<Compiled>,
    definitions: Arc<Definitions>,
    /// The variables by their slots.
    variables: Vec<String>,
    input_type: TypeId,
}

/// Compiles expressions that use variables, that are about a type which is known before, or about
/// types that are no part of FHIR R4.
///
/// ```
/// use fhir_mapping::fhirpath::{Environment, ExpressionCompiler};
/// use serde_json::json;
///
/// let compiler = ExpressionCompiler::new().context("Patient").variable("day");
/// let expression = compiler.compile("birthDate <= %day.toDate() - 18 years")?;
/// let environment = Environment::new().variable("day", json!("2026-11-29"));
/// let patient = json!({"resourceType": "Patient", "birthDate": "1990-05-17"});
/// assert!(expression.is_true(&patient, &environment)?);
///
/// let error = compiler.compile("birthday").unwrap_err();
/// assert_eq!(error.to_string(), "line 1, column 1: Patient has no element birthday; did you mean birthDate?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ExpressionCompiler {
    definitions: Arc<Definitions>,
    context: Option<String>,
    variables: Vec<String>,
    strictness: Strictness,
}

impl Default for ExpressionCompiler {
    fn default() -> Self {
        Self::new()
    }
}

impl ExpressionCompiler {
    /// Knows the types of FHIR R4.
    #[must_use]
    pub fn new() -> Self {
        Self {
            definitions: Arc::new(Definitions::new()),
            context: None,
            variables: Vec::new(),
            strictness: Strictness {
                variables: true,
                ..Strictness::default()
            },
        }
    }

    /// The type that expressions are about: a resource, or a type such as `HumanName`. An element
    /// that it does not have is a mistake then, and so is a path that begins with another type, or
    /// with a choice's JSON name (`valueQuantity` for `value`).
    #[must_use]
    pub fn context(mut self, type_name: &str) -> Self {
        self.context = Some(type_name.to_owned());
        self.strictness.names = true;
        self
    }

    /// A name that expressions may use as `%name`; the [`Environment`] gives its value.
    #[must_use]
    pub fn variable(mut self, name: &str) -> Self {
        self.variables.push(name.to_owned());
        self
    }

    /// Refuses `first`, `last`, `skip`, `tail`, `take` and an index of `children()` and
    /// `descendants()`, whose order is not defined.
    #[must_use]
    pub fn refuse_unordered(mut self) -> Self {
        self.strictness.order = true;
        self
    }

    /// Adds a logical model or a profile.
    ///
    /// # Errors
    /// [`MapError::Resource`] naming what is missing.
    pub fn structure_definition(mut self, resource: &Value) -> Result<Self, MapError> {
        Arc::make_mut(&mut self.definitions).add(resource)?;
        Ok(self)
    }

    /// # Errors
    /// [`ExpressionError`] with the place of the first mistake.
    pub fn compile(&self, text: &str) -> Result<Expression, ExpressionError> {
        let parsed = map_parser::expression(text)?;
        let input_type = match &self.context {
            Some(name) => {
                let found = self.definitions.by_name(name);
                let found = found.or_else(|| self.definitions.by_url(name));
                Some(found.ok_or_else(|| ExpressionError::UnknownType(name.clone()))?)
            }
            None => None,
        };
        let constants = HashMap::new();
        let mut scope = Scope::new(&self.definitions, &constants);
        for name in &self.variables {
            scope.declare(name, Mode::Source, None);
        }
        let context = Context::Item(input_type);
        let compiled = compile_strictly(&mut scope, context, &parsed, self.strictness);
        let (compiled, _) = compiled.map_err(|(position, reason)| ExpressionError::Compile {
            line: position.line,
            column: position.column,
            reason,
        })?;
        Ok(Expression {
            compiled: Arc::new(compiled),
            definitions: Arc::clone(&self.definitions),
            variables: self.variables.clone(),
            input_type: input_type.unwrap_or(UNKNOWN),
        })
    }
}

/// What an evaluation may use beside its input.
#[derive(Debug, Clone)]
pub struct Environment<'e> {
    variables: HashMap<String, Value>,
    resource: Option<&'e Value>,
    terminology: Option<&'e dyn Terminology>,
    now: Option<DateTime<Utc>>,
    maximum_steps: u64,
}

impl Default for Environment<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'e> Environment<'e> {
    /// Without variables and terminology, at the time of evaluation.
    #[must_use]
    pub fn new() -> Self {
        Self {
            variables: HashMap::new(),
            resource: None,
            terminology: None,
            now: None,
            maximum_steps: MAXIMUM_STEPS,
        }
    }

    /// The value of `%name`; an array is several items. One that is not set is empty.
    #[must_use]
    pub fn variable(mut self, name: &str, value: Value) -> Self {
        self.variables.insert(name.to_owned(), value);
        self
    }

    /// The resource that the input is an element of: `%resource`, `%rootResource`, and what
    /// references are resolved in. Else the input itself.
    #[must_use]
    pub fn resource(mut self, resource: &'e Value) -> Self {
        self.resource = Some(resource);
        self
    }

    /// Who answers `memberOf` and `%terminologies`.
    #[must_use]
    pub fn terminology(mut self, terminology: &'e dyn Terminology) -> Self {
        self.terminology = Some(terminology);
        self
    }

    /// What `now()`, `today()` and `timeOfDay()` give, in UTC.
    #[must_use]
    pub fn now(mut self, now: DateTime<Utc>) -> Self {
        self.now = Some(now);
        self
    }

    /// How many steps an evaluation may take: operations, items that are found, and every four
    /// bytes of text that is made or searched. Ten million, unless set.
    #[must_use]
    pub fn maximum_steps(mut self, steps: u64) -> Self {
        self.maximum_steps = steps;
        self
    }
}

/// An item that an expression gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated {
    /// `FHIR` for what is from the input, `System` for what was computed.
    pub namespace: &'static str,
    /// As `type().name` gives it: `code`, `HumanName`, `Boolean`; `Any` when it is not known.
    pub type_name: String,
    /// FHIR's JSON; a decimal has lost the zeros at its end.
    pub value: Value,
}

/// The values of an evaluation's variables.
struct Values<'v> {
    definitions: &'v Definitions,
    by_slot: Vec<Option<&'v Value>>,
}

impl<'v> Variables<'v> for Values<'v> {
    fn variable(&self, _: usize) -> Option<MapItem<'v>> {
        None
    }

    fn items(&self, slot: usize) -> Items<'v> {
        let value = self.by_slot.get(slot).copied().flatten();
        let item = |value: &'v Value| {
            let id = self.definitions.of_resource(value).unwrap_or(UNKNOWN);
            Item::Element(MapItem::Borrowed(value, id))
        };
        match value {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(values)) => values.iter().map(item).collect(),
            Some(value) => vec![item(value)],
        }
    }
}

impl Expression {
    /// Compiles an expression about anything: names are looked up when it is evaluated, and what is
    /// not there is empty.
    ///
    /// # Errors
    /// [`ExpressionError`] with the place of the first mistake.
    pub fn compile(text: &str) -> Result<Self, ExpressionError> {
        ExpressionCompiler::new().compile(text)
    }

    /// The values that it gives for a resource or an element, in FHIR's JSON.
    ///
    /// # Errors
    /// [`EvaluationError`] when the input is not what an operator or a function takes.
    pub fn evaluate(&self, input: &Value) -> Result<Vec<Value>, EvaluationError> {
        self.with(input, &Environment::new(), |_, items| {
            items.iter().filter_map(Item::to_value).collect()
        })
    }

    /// As [`Self::evaluate`], with types, and with what the environment gives.
    ///
    /// # Errors
    /// [`EvaluationError`] when the input is not what an operator or a function takes.
    pub fn evaluate_in(
        &self,
        input: &Value,
        environment: &Environment<'_>,
    ) -> Result<Vec<Evaluated>, EvaluationError> {
        self.with(input, environment, |definitions, items| {
            let evaluated = items.iter().filter_map(|item| {
                let (namespace, type_name) = match item {
                    Item::Element(element) if element.type_id() != UNKNOWN => {
                        ("FHIR", definitions.name(element.type_id()))
                    }
                    _ => ("System", item.system_type().map_or("Any", SystemType::name)),
                };
                Some(Evaluated {
                    namespace,
                    type_name: type_name.to_owned(),
                    value: item.to_value()?,
                })
            });
            evaluated.collect()
        })
    }

    /// Whether it holds, as a condition or an invariant does: empty counts as false, one item that
    /// is no boolean as true.
    ///
    /// # Errors
    /// [`EvaluationError`], also when it gives several items.
    pub fn is_true(
        &self,
        input: &Value,
        environment: &Environment<'_>,
    ) -> Result<bool, EvaluationError> {
        let truth = self.with(input, environment, |_, items| super::evaluate::truth(items))?;
        truth
            .map(|truth| truth == Some(true))
            .map_err(EvaluationError::Failed)
    }

    /// Gives the items to `result`.
    pub(super) fn with<T>(
        &self,
        input: &Value,
        environment: &Environment<'_>,
        result: impl FnOnce(&Definitions, &[Item<'_>]) -> T,
    ) -> Result<T, EvaluationError> {
        let definitions: &Definitions = &self.definitions;
        let item_of = |value| {
            let id = definitions.of_resource(value).unwrap_or(self.input_type);
            MapItem::Borrowed(value, id)
        };
        let session = Session::new(
            Some(item_of(environment.resource.unwrap_or(input))),
            environment.terminology,
            environment.maximum_steps,
        );
        if let Some(now) = environment.now {
            session.set_now(now);
        }
        let values = self.variables.iter();
        let values = Values {
            definitions,
            by_slot: values.map(|name| environment.variables.get(name)).collect(),
        };
        let evaluator = Evaluator::new(definitions, &values, &session);
        let items = evaluator
            .eval(
                &self.compiled,
                &super::evaluate::Focus::of(&[Item::Element(item_of(input))]),
            )
            .map_err(EvaluationError::Failed)?;
        Ok(result(definitions, &items))
    }
}
