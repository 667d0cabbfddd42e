//! Evaluates compiled expressions over borrowed JSON.

use std::cell::RefCell;
use std::cmp::Ordering;

use super::compile::{Compiled, TypeTest};
use super::equality::text_equals;
use super::item::{Item, SystemType};
use super::session::{MAXIMUM_TEXT, Session};
use super::syntax::Operator;
use crate::definitions::Definitions;
use crate::item::{Item as MapItem, Member};

/// Why an expression has no value; never quotes the input.
pub(crate) type Failure = String;

/// Gives the values of variables.
pub(crate) trait Variables<'a> {
    /// The variable's value; `None` when it was not set.
    fn variable(&self, slot: usize) -> Option<MapItem<'a>>;

    /// The items of a variable that may have several.
    fn items(&self, slot: usize) -> Items<'a> {
        let item = self.variable(slot).map(Item::Element);
        item.into_iter().collect()
    }
}

/// Where there are no variables.
pub(crate) struct NoVariables;

impl<'a> Variables<'a> for NoVariables {
    fn variable(&self, _: usize) -> Option<MapItem<'a>> {
        None
    }
}

pub(crate) type Items<'a> = Vec<Item<'a>>;

/// What an expression is about.
#[derive(Clone, Copy)]
pub(crate) struct Focus<'i, 'a> {
    pub(crate) this: &'i [Item<'a>],
    /// `%context`.
    pub(crate) context: &'i [Item<'a>],
    pub(crate) index: Option<usize>,
    pub(crate) total: Option<&'i [Item<'a>]>,
}

impl<'i, 'a> Focus<'i, 'a> {
    pub(crate) fn of(this: &'i [Item<'a>]) -> Self {
        Self {
            this,
            context: this,
            index: None,
            total: None,
        }
    }

    /// One of the items that a function goes through.
    pub(super) fn on(&self, item: &'i Item<'a>, index: usize) -> Self {
        Self {
            this: std::slice::from_ref(item),
            index: Some(index),
            ..*self
        }
    }
}

pub(crate) struct Evaluator<'a, 'v, V> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) variables: &'v V,
    pub(crate) session: &'v Session<'a>,
    /// What `defineVariable` gave names.
    defined: RefCell<Vec<Items<'a>>>,
}

impl<'a, 'v, V: Variables<'a>> Evaluator<'a, 'v, V> {
    pub(crate) fn new(
        definitions: &'a Definitions,
        variables: &'v V,
        session: &'v Session<'a>,
    ) -> Self {
        Self {
            definitions,
            variables,
            session,
            defined: RefCell::new(Vec::new()),
        }
    }

    /// The items of a map's expression.
    pub(crate) fn items(
        &self,
        expression: &'a Compiled,
        this: Option<&MapItem<'a>>,
    ) -> Result<Vec<MapItem<'a>>, Failure> {
        let this = this.cloned().map(Item::Element);
        let items = self.eval(expression, &Focus::of(this.as_slice()))?;
        let mapped = items
            .into_iter()
            .filter_map(|item| item.into_map(self.definitions));
        Ok(mapped.collect())
    }

    /// Whether the condition of a map holds: empty counts as false, one item that is no boolean as
    /// true.
    pub(crate) fn holds(
        &self,
        expression: &'a Compiled,
        this: Option<&MapItem<'a>>,
    ) -> Result<bool, Failure> {
        let this = this.cloned().map(Item::Element);
        let focus = Focus::of(this.as_slice());
        if let Compiled::TextEquals(member, text) = expression {
            return Ok(self.text_equals(member, text, &focus) == Some(true));
        }
        match self.eval(expression, &focus)?.as_slice() {
            // As in HL7's engine, several items are as good as true.
            [_, _, ..] => Ok(true),
            items => Ok(truth(items)? == Some(true)),
        }
    }

    /// Whether the expression is true.
    pub(super) fn test(
        &self,
        expression: &'a Compiled,
        focus: &Focus<'_, 'a>,
    ) -> Result<bool, Failure> {
        if let Compiled::TextEquals(member, text) = expression {
            return Ok(self.text_equals(member, text, focus) == Some(true));
        }
        Ok(truth(&self.eval(expression, focus)?)? == Some(true))
    }

    fn text_equals(&self, member: &Member, text: &str, focus: &Focus<'_, 'a>) -> Option<bool> {
        let [Item::Element(element)] = focus.this else {
            return None;
        };
        let parent = (element.value(), element.type_id());
        text_equals(self.definitions, parent, member, text)
    }

    pub(crate) fn eval(
        &self,
        expression: &'a Compiled,
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        self.session.spend(1)?;
        Ok(match expression {
            Compiled::Constant(constant) => vec![constant.item()],
            // A pattern is read by the function whose parameter it is.
            Compiled::Empty | Compiled::Pattern(_) => Vec::new(),
            Compiled::This => focus.this.to_vec(),
            Compiled::ItemIndex => match focus.index {
                Some(index) => vec![self.whole(index as i128)?],
                None => Vec::new(),
            },
            Compiled::Total => focus.total.map(<[_]>::to_vec).unwrap_or_default(),
            Compiled::Context => focus.context.to_vec(),
            Compiled::Resource => {
                let resource = self.session.resource.clone().map(Item::Element);
                resource.into_iter().collect()
            }
            Compiled::Terminologies => vec![Item::Terminologies],
            Compiled::Slot(slot) => self.variables.items(*slot),
            Compiled::Defined(slot) => {
                let defined = self.defined.borrow();
                defined.get(*slot).cloned().unwrap_or_default()
            }
            Compiled::Define {
                operand,
                slot,
                value,
            } => self.define(operand, *slot, value.as_deref(), focus)?,
            Compiled::Member(operand, member) => {
                let mut found = Vec::new();
                if matches!(**operand, Compiled::This) {
                    self.children(focus.this, member, &mut found);
                } else {
                    self.children(&self.eval(operand, focus)?, member, &mut found);
                }
                self.session.hold(found.len())?;
                found
            }
            Compiled::TextEquals(member, text) => boolean(self.text_equals(member, text, focus)),
            Compiled::OfType(operand, test) => {
                let mut items = self.eval(operand, focus)?;
                items.retain(|item| self.is_as(item, *test));
                items
            }
            Compiled::As(operand, test) => {
                let mut items = self.eval(operand, focus)?;
                single(&items, "as")?;
                items.retain(|item| self.is_as(item, *test));
                items
            }
            Compiled::Is(operand, test) => {
                let items = self.eval(operand, focus)?;
                boolean(single(&items, "is")?.map(|item| self.is(item, *test)))
            }
            Compiled::Index(operand, index) => {
                let index = self.integer(index, focus, "an index")?;
                let items = self.eval(operand, focus)?;
                let index = index.and_then(|index| usize::try_from(index).ok());
                index
                    .and_then(|index| items.into_iter().nth(index))
                    .into_iter()
                    .collect()
            }
            Compiled::Negative(operand) => self.negative(&self.eval(operand, focus)?)?,
            Compiled::Binary(operator, left, right) => {
                self.binary(*operator, left, right, focus)?
            }
            Compiled::Function(operand, function, parameters) => {
                self.function(*function, operand, parameters, focus)?
            }
        })
    }

    fn define(
        &self,
        operand: &'a Compiled,
        slot: usize,
        value: Option<&'a Compiled>,
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let items = self.eval(operand, focus)?;
        let value = match value {
            Some(value) => self.eval(
                value,
                &Focus {
                    this: &items,
                    ..*focus
                },
            )?,
            None => items.clone(),
        };
        self.session.spend(value.len())?;
        let mut defined = self.defined.borrow_mut();
        if defined.len() <= slot {
            defined.resize(slot + 1, Vec::new());
        }
        if let Some(place) = defined.get_mut(slot) {
            *place = value;
        }
        Ok(items)
    }

    /// Appends the children of a name.
    pub(super) fn children(&self, items: &[Item<'a>], member: &Member, found: &mut Items<'a>) {
        let mut elements = Vec::new();
        for item in items {
            match item {
                Item::Element(element) => {
                    element.children(self.definitions, member, &mut elements);
                    found.extend(elements.drain(..).map(Item::Element));
                }
                Item::Type(described) => match member.name.as_str() {
                    "namespace" => found.push(Item::text_of(described.0)),
                    "name" => found.push(Item::text_of(described.1.as_str())),
                    _ => {}
                },
                Item::Quantity(quantity) => match member.name.as_str() {
                    "value" => found.push(Item::Decimal(quantity.value)),
                    "unit" | "code" => {
                        found.extend(quantity.unit_text().map(Item::text_of));
                    }
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// Whether the item is of the type, or of one derived from it.
    fn is(&self, item: &Item<'a>, test: TypeTest) -> bool {
        match (item, test) {
            (_, TypeTest::Never) => false,
            (Item::Element(element), TypeTest::Fhir(id)) => {
                self.definitions.is_a(element.type_id(), id)
            }
            (Item::Quantity(_), TypeTest::Fhir(id)) => {
                self.definitions.by_name(SystemType::Quantity.name()) == Some(id)
            }
            (item, TypeTest::System(system)) => item.system_type() == Some(system),
            (_, TypeTest::Fhir(_)) => false,
        }
    }

    /// Whether `as` and `ofType` keep the item: a primitive of exactly this type, as HL7's tests
    /// have it.
    fn is_as(&self, item: &Item<'a>, test: TypeTest) -> bool {
        match (item, test) {
            (Item::Element(element), TypeTest::Fhir(id)) if self.definitions.is_primitive(id) => {
                element.type_id() == id
            }
            _ => self.is(item, test),
        }
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Compiled,
        right: &'a Compiled,
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let left = self.eval(left, focus)?;
        if let Operator::And | Operator::Or | Operator::Xor | Operator::Implies = operator {
            let left = truth(&left)?;
            let right = match (operator, left) {
                (Operator::And | Operator::Implies, Some(false)) | (Operator::Or, Some(true)) => {
                    None
                }
                _ => truth(&self.eval(right, focus)?)?,
            };
            return Ok(boolean(match operator {
                Operator::And => match (left, right) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                },
                Operator::Or => match (left, right) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                },
                Operator::Xor => left.zip(right).map(|(left, right)| left != right),
                _ => match (left, right) {
                    (Some(false), _) | (_, Some(true)) => Some(true),
                    (Some(true), right) => right,
                    (None, _) => None,
                },
            }));
        }
        let right = self.eval(right, focus)?;
        Ok(boolean(match operator {
            Operator::In => match single(&left, "in")? {
                Some(item) => Some(self.contains(&right, item)?),
                None => None,
            },
            Operator::Contains => match single(&right, "contains")? {
                Some(item) => Some(self.contains(&left, item)?),
                None => None,
            },
            Operator::Equal => self.equal(&left, &right)?,
            Operator::NotEqual => self.equal(&left, &right)?.map(|equal| !equal),
            Operator::Equivalent => Some(self.equivalent(&left, &right)?),
            Operator::NotEquivalent => Some(!self.equivalent(&left, &right)?),
            Operator::Less => self.compare(&left, &right)?.map(Ordering::is_lt),
            Operator::LessOrEqual => self.compare(&left, &right)?.map(Ordering::is_le),
            Operator::Greater => self.compare(&left, &right)?.map(Ordering::is_gt),
            Operator::GreaterOrEqual => self.compare(&left, &right)?.map(Ordering::is_ge),
            Operator::Union => {
                let mut both = left;
                both.extend(right);
                self.session.hold(both.len())?;
                return self.distinct(both);
            }
            _ => return self.arithmetic(operator, &left, &right),
        }))
    }

    pub(super) fn whole(&self, number: i128) -> Result<Item<'a>, Failure> {
        let number = i64::try_from(number).map_err(|_| "the number is too large".to_owned())?;
        Ok(Item::Integer(number))
    }

    /// A string that was made.
    pub(super) fn made(&self, text: String) -> Result<Item<'a>, Failure> {
        if text.len() > MAXIMUM_TEXT {
            return Err(format!("a text would have more than {MAXIMUM_TEXT} bytes"));
        }
        self.session.spend(text.len() / 4)?;
        Ok(Item::text_of(text))
    }

    pub(super) fn integer(
        &self,
        expression: &'a Compiled,
        focus: &Focus<'_, 'a>,
        what: &str,
    ) -> Result<Option<i64>, Failure> {
        let items = self.eval(expression, focus)?;
        let Some(item) = single_value(&items, what)? else {
            return Ok(None);
        };
        let integer = match item {
            Item::Integer(integer) => Some(*integer),
            _ => item.json().and_then(serde_json::Value::as_i64),
        };
        integer
            .map(Some)
            .ok_or_else(|| format!("{what} is a whole number"))
    }

    pub(super) fn string(
        &self,
        expression: &'a Compiled,
        focus: &Focus<'_, 'a>,
        what: &str,
    ) -> Result<Option<String>, Failure> {
        string_of(&self.eval(expression, focus)?, what)
    }
}

pub(super) fn boolean<'a>(value: Option<bool>) -> Items<'a> {
    value.map(Item::Boolean).into_iter().collect()
}

/// The only item, if there is one; several are a failure.
pub(super) fn single<'i, 'a>(
    items: &'i [Item<'a>],
    what: &str,
) -> Result<Option<&'i Item<'a>>, Failure> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        _ => Err(format!("`{what}` is given {} items, not one", items.len())),
    }
}

/// As [`single`], of a value: a primitive that has nothing but extensions counts as none.
pub(super) fn single_value<'i, 'a>(
    items: &'i [Item<'a>],
    what: &str,
) -> Result<Option<&'i Item<'a>>, Failure> {
    let item = single(items, what)?;
    Ok(item.filter(|item| !item.json().is_some_and(serde_json::Value::is_null)))
}

pub(super) fn string_of(items: &[Item<'_>], what: &str) -> Result<Option<String>, Failure> {
    match single_value(items, what)? {
        None => Ok(None),
        Some(item) => item
            .text()
            .map(Some)
            .ok_or_else(|| format!("`{what}` is given something that has no text")),
    }
}

/// FHIRPath's singleton evaluation of collections.
pub(super) fn truth(items: &[Item<'_>]) -> Result<Option<bool>, Failure> {
    Ok(single_value(items, "a condition")?.map(|item| item.boolean().unwrap_or(true)))
}
