//! Evaluates compiled expressions over borrowed JSON.

use std::cmp::Ordering;

use chrono::DateTime;
use serde_json::{Number, Value};

use super::compile::Compiled;
use super::syntax::Operator;
use crate::definitions::{Definitions, TypeId};
use crate::item::{Item, Member, each_child};

/// Why an expression has no value; never quotes the input.
pub(crate) type Failure = String;

/// Gives the values of variables.
pub(crate) trait Variables<'a> {
    /// The variable's value; `None` when it was not set.
    fn variable(&self, slot: usize) -> Option<Item<'a>>;
}

pub(crate) struct Evaluator<'a, 'v, V> {
    pub(crate) definitions: &'a Definitions,
    pub(crate) variables: &'v V,
}

pub(super) type Items<'a> = Vec<Item<'a>>;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(crate) fn items(
        &self,
        expression: &'a Compiled,
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        Ok(match expression {
            Compiled::Literal(value, id) => vec![Item::Borrowed(value, *id)],
            // A pattern is read by the function whose parameter it is.
            Compiled::Empty | Compiled::Pattern(_) => Vec::new(),
            Compiled::This => this.cloned().into_iter().collect(),
            Compiled::Slot(slot) => self.variables.variable(*slot).into_iter().collect(),
            Compiled::Member(operand, member) => {
                let mut found = Vec::new();
                if **operand == Compiled::This {
                    if let Some(this) = this {
                        this.children(self.definitions, member, &mut found);
                    }
                } else {
                    for item in self.items(operand, this)? {
                        item.children(self.definitions, member, &mut found);
                    }
                }
                found
            }
            Compiled::TextEquals(member, text) => {
                let equal = this.and_then(|this| {
                    let parent = (this.value(), this.type_id());
                    text_equals(self.definitions, parent, member, text)
                });
                self.boolean(equal)
            }
            Compiled::OfType(operand, id) => {
                let mut items = self.items(operand, this)?;
                items.retain(|item| self.is(item, *id));
                items
            }
            Compiled::Is(operand, id) => {
                let items = self.items(operand, this)?;
                let is = single(&items, "is")?.map(|item| self.is(item, *id));
                self.boolean(is)
            }
            Compiled::Index(operand, index) => {
                let index = self.integer(index, this, "an index")?;
                let items = self.items(operand, this)?;
                let index = index.and_then(|index| usize::try_from(index).ok());
                index
                    .and_then(|index| items.into_iter().nth(index))
                    .into_iter()
                    .collect()
            }
            Compiled::Negative(operand) => {
                let items = self.items(operand, this)?;
                match single(&items, "-")?.map(Item::value) {
                    None => Vec::new(),
                    Some(Value::Number(number)) => match number.as_i64() {
                        Some(number) => vec![self.whole(-i128::from(number))?],
                        None => vec![self.decimal(-number.as_f64().unwrap_or_default())],
                    },
                    Some(_) => return Err("`-` is for numbers".to_owned()),
                }
            }
            Compiled::Binary(operator, left, right) => self.binary(*operator, left, right, this)?,
            Compiled::Function(operand, function, parameters) => {
                self.function(*function, operand, parameters, this)?
            }
        })
    }

    /// Whether the expression holds: empty counts as false, one item that is no boolean as true.
    pub(crate) fn holds(
        &self,
        expression: &'a Compiled,
        this: Option<&Item<'a>>,
    ) -> Result<bool, Failure> {
        Ok(truth(&self.items(expression, this)?)? == Some(true))
    }

    /// Whether the item is a date or a time.
    pub(super) fn is_time(&self, item: &Item<'a>) -> bool {
        is_time(self.definitions, item.type_id())
    }

    fn is(&self, item: &Item<'a>, id: TypeId) -> bool {
        self.definitions.is_a(item.type_id(), id)
    }

    pub(super) fn boolean(&self, value: Option<bool>) -> Items<'a> {
        value
            .map(|value| Item::computed(value, self.definitions.primitives.boolean))
            .into_iter()
            .collect()
    }

    pub(super) fn text(&self, text: String) -> Item<'a> {
        Item::computed(text, self.definitions.primitives.string)
    }

    pub(super) fn whole(&self, number: i128) -> Result<Item<'a>, Failure> {
        let number = i64::try_from(number).map_err(|_| "the number is too large".to_owned())?;
        Ok(Item::computed(number, self.definitions.primitives.integer))
    }

    pub(super) fn decimal(&self, number: f64) -> Item<'a> {
        let number = Number::from_f64(number).map_or(Value::Null, Value::Number);
        Item::computed(number, self.definitions.primitives.decimal)
    }

    pub(super) fn integer(
        &self,
        expression: &'a Compiled,
        this: Option<&Item<'a>>,
        what: &str,
    ) -> Result<Option<i64>, Failure> {
        let items = self.items(expression, this)?;
        match single(&items, what)? {
            None => Ok(None),
            Some(item) => item
                .value()
                .as_i64()
                .map(Some)
                .ok_or_else(|| format!("{what} is a whole number")),
        }
    }

    /// The one string that an expression gives.
    pub(super) fn string(
        &self,
        expression: &'a Compiled,
        this: Option<&Item<'a>>,
        what: &str,
    ) -> Result<Option<String>, Failure> {
        string_of(&self.items(expression, this)?, what)
    }

    fn binary(
        &self,
        operator: Operator,
        left: &'a Compiled,
        right: &'a Compiled,
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        let left = self.items(left, this)?;
        if let Operator::And | Operator::Or | Operator::Implies = operator {
            // What the left side decides, the right side cannot change.
            let left = truth(&left)?;
            let decided = match (operator, left) {
                (Operator::And, Some(false)) => Some(false),
                (Operator::Or, Some(true)) | (Operator::Implies, Some(false)) => Some(true),
                _ => None,
            };
            if decided.is_some() {
                return Ok(self.boolean(decided));
            }
            let right = truth(&self.items(right, this)?)?;
            let result = match (operator, left, right) {
                (Operator::And, _, Some(false)) => Some(false),
                (Operator::Or | Operator::Implies, _, Some(true)) => Some(true),
                (_, Some(_), right) => right,
                _ => None,
            };
            return Ok(self.boolean(result));
        }
        let right = self.items(right, this)?;
        let result = match operator {
            Operator::Xor => truth(&left)?
                .zip(truth(&right)?)
                .map(|(left, right)| left != right),
            Operator::In => single(&left, "in")?.map(|item| self.contains(&right, item)),
            Operator::Contains => {
                single(&right, "contains")?.map(|item| self.contains(&left, item))
            }
            Operator::Equal => self.equal(&left, &right),
            Operator::NotEqual => self.equal(&left, &right).map(|equal| !equal),
            Operator::Equivalent => Some(self.equivalent(&left, &right)),
            Operator::NotEquivalent => Some(!self.equivalent(&left, &right)),
            Operator::Less => self.compare(&left, &right)?.map(Ordering::is_lt),
            Operator::LessOrEqual => self.compare(&left, &right)?.map(Ordering::is_le),
            Operator::Greater => self.compare(&left, &right)?.map(Ordering::is_gt),
            Operator::GreaterOrEqual => self.compare(&left, &right)?.map(Ordering::is_ge),
            Operator::Union => return Ok(self.distinct(left.into_iter().chain(right))),
            _ => return self.arithmetic(operator, &left, &right),
        };
        Ok(self.boolean(result))
    }

    fn arithmetic(
        &self,
        operator: Operator,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<Items<'a>, Failure> {
        if operator == Operator::Concatenate {
            let mut text = string_of(left, "&")?.unwrap_or_default();
            text.push_str(&string_of(right, "&")?.unwrap_or_default());
            return Ok(vec![self.text(text)]);
        }
        let (Some(left), Some(right)) = (single(left, "+")?, single(right, "+")?) else {
            return Ok(Vec::new());
        };
        let (left, right) = (left.value(), right.value());
        if let (Value::String(left), Value::String(right), Operator::Add) = (left, right, operator)
        {
            return Ok(vec![self.text(format!("{left}{right}"))]);
        }
        let (Value::Number(left), Value::Number(right)) = (left, right) else {
            return Err(
                "an operator of arithmetic is given something else than numbers".to_owned(),
            );
        };
        if let (Some(left), Some(right)) = (left.as_i64(), right.as_i64()) {
            let (left, right) = (i128::from(left), i128::from(right));
            let whole = match operator {
                Operator::Add => Some(left + right),
                Operator::Subtract => Some(left - right),
                Operator::Multiply => Some(left * right),
                Operator::DivideWhole if right != 0 => Some(left / right),
                Operator::Modulo if right != 0 => Some(left % right),
                _ => None,
            };
            if let Some(whole) = whole {
                return Ok(vec![self.whole(whole)?]);
            }
        }
        let (left, right) = (
            left.as_f64().unwrap_or_default(),
            right.as_f64().unwrap_or_default(),
        );
        let number = match operator {
            Operator::Add => left + right,
            Operator::Subtract => left - right,
            Operator::Multiply => left * right,
            // FHIRPath: dividing by zero is empty.
            _ if right == 0.0 => return Ok(Vec::new()),
            Operator::DivideWhole => (left / right).trunc(),
            Operator::Modulo => left % right,
            _ => left / right,
        };
        Ok(vec![self.decimal(number)])
    }

    pub(super) fn contains(&self, items: &[Item<'a>], item: &Item<'a>) -> bool {
        items
            .iter()
            .any(|other| self.equal_items(other, item) == Some(true))
    }

    pub(super) fn distinct(&self, items: impl Iterator<Item = Item<'a>>) -> Items<'a> {
        let mut found: Items<'a> = Vec::new();
        for item in items {
            if !self.contains(&found, &item) {
                found.push(item);
            }
        }
        found
    }

    fn equal(&self, left: &[Item<'a>], right: &[Item<'a>]) -> Option<bool> {
        if left.is_empty() || right.is_empty() {
            return None;
        }
        if left.len() != right.len() {
            return Some(false);
        }
        let mut all = Some(true);
        for (left, right) in left.iter().zip(right) {
            match self.equal_items(left, right) {
                Some(false) => return Some(false),
                Some(true) => {}
                None => all = None,
            }
        }
        all
    }

    fn equal_items(&self, left: &Item<'a>, right: &Item<'a>) -> Option<bool> {
        equal_values(
            self.definitions,
            (left.value(), left.type_id()),
            (right.value(), right.type_id()),
        )
    }

    fn equivalent(&self, left: &[Item<'a>], right: &[Item<'a>]) -> bool {
        let plain = |text: &str| {
            let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
            words.join(" ")
        };
        let same = |left: &Item<'a>, right: &Item<'a>| match (left.value(), right.value()) {
            (Value::String(left), Value::String(right)) => plain(left) == plain(right),
            _ => self.equal_items(left, right) == Some(true),
        };
        left.len() == right.len()
            && left
                .iter()
                .all(|item| right.iter().any(|other| same(item, other)))
    }

    fn compare(&self, left: &[Item<'a>], right: &[Item<'a>]) -> Result<Option<Ordering>, Failure> {
        let (Some(left), Some(right)) = (single(left, "<")?, single(right, "<")?) else {
            return Ok(None);
        };
        match (left.value(), right.value()) {
            (Value::Number(left), Value::Number(right)) => {
                Ok(match (left.as_i64(), right.as_i64()) {
                    (Some(left), Some(right)) => Some(left.cmp(&right)),
                    _ => left
                        .as_f64()
                        .zip(right.as_f64())
                        .and_then(|(left, right)| left.partial_cmp(&right)),
                })
            }
            (Value::String(a), Value::String(b)) => {
                if is_time(self.definitions, left.type_id())
                    || is_time(self.definitions, right.type_id())
                {
                    return Ok(compare_times(a, b));
                }
                Ok(Some(a.cmp(b)))
            }
            _ => Err("only numbers, strings and dates can be compared".to_owned()),
        }
    }
}

/// Whether the one child of a name is this text.
pub(crate) fn text_equals(
    definitions: &Definitions,
    (parent, parent_type): (&Value, TypeId),
    member: &Member,
    text: &str,
) -> Option<bool> {
    let mut count = 0;
    let mut equal = None;
    each_child(
        definitions,
        parent,
        parent_type,
        member,
        &mut |child, id| {
            count += 1;
            equal = match child {
                Value::String(child) if child == text => Some(true),
                Value::String(_) if !is_time(definitions, id) => Some(false),
                _ => {
                    let text = Value::String(text.to_owned());
                    let string = definitions.primitives.string;
                    equal_values(definitions, (child, id), (&text, string))
                }
            };
        },
    );
    match count {
        0 => None,
        1 => equal,
        _ => Some(false),
    }
}

fn equal_values(
    definitions: &Definitions,
    (left, left_type): (&Value, TypeId),
    (right, right_type): (&Value, TypeId),
) -> Option<bool> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => {
            if left == right {
                return Some(true);
            }
            if is_time(definitions, left_type) || is_time(definitions, right_type) {
                return compare_times(left, right).map(Ordering::is_eq);
            }
            Some(false)
        }
        (Value::Number(left), Value::Number(right)) => {
            Some(left == right || left.as_f64() == right.as_f64())
        }
        (left, right) => Some(left == right),
    }
}

fn is_time(definitions: &Definitions, id: TypeId) -> bool {
    let primitives = &definitions.primitives;
    id == primitives.date
        || id == primitives.date_time
        || id == primitives.time
        || id == primitives.instant
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

pub(super) fn string_of(items: &[Item<'_>], what: &str) -> Result<Option<String>, Failure> {
    match single(items, what)? {
        None => Ok(None),
        Some(item) => item
            .text()
            .map(Some)
            .ok_or_else(|| format!("`{what}` is given something that has no text")),
    }
}

/// FHIRPath's singleton evaluation of collections.
pub(super) fn truth(items: &[Item<'_>]) -> Result<Option<bool>, Failure> {
    Ok(single(items, "a condition")?.map(|item| item.value().as_bool().unwrap_or(true)))
}

/// Compares dates and times of any precision; `None` when the precision does not tell.
fn compare_times(left: &str, right: &str) -> Option<Ordering> {
    if let (Ok(left), Ok(right)) = (
        DateTime::parse_from_rfc3339(left),
        DateTime::parse_from_rfc3339(right),
    ) {
        return Some(left.cmp(&right));
    }
    fn parts(text: &str) -> Vec<&str> {
        // The zone is left out: what has one was compared above, unless the other has none.
        let end = text.find('T').map_or(text.len(), |t| {
            text[t..]
                .find(['Z', '+', '-'])
                .map_or(text.len(), |z| t + z)
        });
        text[..end].split(['-', 'T', ':', '.']).collect()
    }
    let (left, right) = (parts(left), parts(right));
    for (left, right) in left.iter().zip(&right) {
        match left.cmp(right) {
            Ordering::Equal => {}
            other => return Some(other),
        }
    }
    (left.len() == right.len()).then_some(Ordering::Equal)
}
