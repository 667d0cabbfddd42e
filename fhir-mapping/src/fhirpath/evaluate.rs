//! Evaluates compiled expressions over borrowed JSON.

use std::cmp::Ordering;

use chrono::DateTime;
use serde_json::{Number, Value};

use super::compile::{Compiled, Function};
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

type Items<'a> = Vec<Item<'a>>;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(crate) fn items(
        &self,
        expression: &'a Compiled,
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        Ok(match expression {
            Compiled::Literal(value, id) => vec![Item::Borrowed(value, *id)],
            Compiled::Empty => Vec::new(),
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

    fn is(&self, item: &Item<'a>, id: TypeId) -> bool {
        self.definitions.is_a(item.type_id(), id)
    }

    fn boolean(&self, value: Option<bool>) -> Items<'a> {
        value
            .map(|value| Item::computed(value, self.definitions.primitives.boolean))
            .into_iter()
            .collect()
    }

    fn text(&self, text: String) -> Item<'a> {
        Item::computed(text, self.definitions.primitives.string)
    }

    fn whole(&self, number: i128) -> Result<Item<'a>, Failure> {
        let number = i64::try_from(number).map_err(|_| "the number is too large".to_owned())?;
        Ok(Item::computed(number, self.definitions.primitives.integer))
    }

    fn decimal(&self, number: f64) -> Item<'a> {
        let number = Number::from_f64(number).map_or(Value::Null, Value::Number);
        Item::computed(number, self.definitions.primitives.decimal)
    }

    fn integer(
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
    fn string(
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

    fn contains(&self, items: &[Item<'a>], item: &Item<'a>) -> bool {
        items
            .iter()
            .any(|other| self.equal_items(other, item) == Some(true))
    }

    fn distinct(&self, items: impl Iterator<Item = Item<'a>>) -> Items<'a> {
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

    #[allow(
        clippy::too_many_lines,
        reason = "a table of functions reads best in one piece"
    )]
    fn function(
        &self,
        function: Function,
        operand: &'a Compiled,
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        let mut items = self.items(operand, this)?;
        let first = parameters.first();
        let count = |this_parameter: Option<&'a Compiled>| -> Result<usize, Failure> {
            let number = match this_parameter {
                Some(parameter) => self.integer(parameter, this, "a number of items")?,
                None => None,
            };
            Ok(number.map_or(0, |number| usize::try_from(number).unwrap_or(0)))
        };
        match function {
            Function::Where => {
                let mut kept = Vec::new();
                for item in items {
                    if let Some(test) = first
                        && self.holds(test, Some(&item))?
                    {
                        kept.push(item);
                    }
                }
                return Ok(kept);
            }
            Function::Exists => {
                let Some(test) = first else {
                    return Ok(self.boolean(Some(!items.is_empty())));
                };
                for item in &items {
                    if self.holds(test, Some(item))? {
                        return Ok(self.boolean(Some(true)));
                    }
                }
                return Ok(self.boolean(Some(false)));
            }
            Function::All => {
                for item in &items {
                    if let Some(test) = first
                        && !self.holds(test, Some(item))?
                    {
                        return Ok(self.boolean(Some(false)));
                    }
                }
                return Ok(self.boolean(Some(true)));
            }
            Function::Select => {
                let mut selected = Vec::new();
                for item in &items {
                    if let Some(projection) = first {
                        selected.extend(self.items(projection, Some(item))?);
                    }
                }
                return Ok(selected);
            }
            Function::Iif => {
                let focus = single(&items, "iif")?.or(this);
                let holds = match first {
                    Some(test) => self.holds(test, focus)?,
                    None => false,
                };
                let branch = parameters.get(if holds { 1 } else { 2 });
                return branch.map_or(Ok(Vec::new()), |branch| self.items(branch, focus));
            }
            Function::Empty => return Ok(self.boolean(Some(items.is_empty()))),
            Function::Not => return Ok(self.boolean(truth(&items)?.map(|truth| !truth))),
            Function::Count => {
                let count = i128::try_from(items.len()).unwrap_or_default();
                return Ok(vec![self.whole(count)?]);
            }
            Function::HasValue => {
                let has = matches!(items.as_slice(), [item] if item.text().is_some());
                return Ok(self.boolean(Some(has)));
            }
            Function::First => {
                items.truncate(1);
                return Ok(items);
            }
            Function::Last => return Ok(items.pop().into_iter().collect()),
            Function::Tail => return Ok(items.into_iter().skip(1).collect()),
            Function::Skip => return Ok(items.into_iter().skip(count(first)?).collect()),
            Function::Take => {
                items.truncate(count(first)?);
                return Ok(items);
            }
            Function::Single => {
                single(&items, "single")?;
                return Ok(items);
            }
            Function::Distinct => return Ok(self.distinct(items.into_iter())),
            Function::Combine | Function::Union => {
                if let Some(other) = first {
                    items.extend(self.items(other, this)?);
                }
                if function == Function::Union {
                    items = self.distinct(items.into_iter());
                }
                return Ok(items);
            }
            Function::Extension => {
                let url = match first {
                    Some(url) => self.string(url, this, "an extension's url")?,
                    None => None,
                };
                let member = Member {
                    name: "extension".to_owned(),
                    known: None,
                };
                let mut found = Vec::new();
                for item in &items {
                    item.children(self.definitions, &member, &mut found);
                }
                found.retain(|extension| {
                    let found = extension.value().get("url").and_then(Value::as_str);
                    found.is_some() && found == url.as_deref()
                });
                return Ok(found);
            }
            Function::Join => {
                let separator = match first {
                    Some(separator) => self.string(separator, this, "a separator")?,
                    None => None,
                };
                let texts: Option<Vec<String>> = items.iter().map(Item::text).collect();
                let texts = texts.ok_or("only strings can be joined")?;
                return Ok(vec![self.text(texts.join(&separator.unwrap_or_default()))]);
            }
            _ => {}
        }
        // What is left takes one string.
        let Some(text) = string_of(&items, "a function of strings")? else {
            return Ok(Vec::new());
        };
        let parameter = |index: usize| match parameters.get(index) {
            Some(parameter) => self.string(parameter, this, "a parameter"),
            None => Ok(None),
        };
        let item = match function {
            Function::ToText => self.text(text),
            Function::Length => {
                self.whole(i128::try_from(text.chars().count()).unwrap_or_default())?
            }
            Function::Upper => self.text(text.to_uppercase()),
            Function::Lower => self.text(text.to_lowercase()),
            Function::Trim => self.text(text.trim().to_owned()),
            Function::ToInteger => match text.parse::<i64>() {
                Ok(number) => self.whole(i128::from(number))?,
                Err(_) => return Ok(Vec::new()),
            },
            Function::Substring => {
                let Some(start) = parameters.first() else {
                    return Ok(Vec::new());
                };
                let start = self.integer(start, this, "where a substring begins")?;
                let length = match parameters.get(1) {
                    Some(length) => self.integer(length, this, "a substring's length")?,
                    None => None,
                };
                let start = start.and_then(|start| usize::try_from(start).ok());
                let Some(start) = start.filter(|start| *start < text.chars().count()) else {
                    return Ok(Vec::new());
                };
                let length = length.map_or(usize::MAX, |l| usize::try_from(l).unwrap_or(0));
                self.text(text.chars().skip(start).take(length).collect())
            }
            _ => {
                let Some(other) = parameter(0)? else {
                    return Ok(Vec::new());
                };
                match function {
                    Function::StartsWith => return Ok(self.boolean(Some(text.starts_with(&other)))),
                    Function::EndsWith => return Ok(self.boolean(Some(text.ends_with(&other)))),
                    Function::Contains => return Ok(self.boolean(Some(text.contains(&other)))),
                    Function::IndexOf => {
                        let index = text.find(&other).map(|byte| text[..byte].chars().count());
                        let index = index.map_or(-1, |i| i128::try_from(i).unwrap_or(-1));
                        self.whole(index)?
                    }
                    Function::Replace => {
                        let Some(by) = parameter(1)? else {
                            return Ok(Vec::new());
                        };
                        self.text(text.replace(&other, &by))
                    }
                    Function::Split => {
                        return Ok(text
                            .split(&other)
                            .map(|part| self.text(part.to_owned()))
                            .collect());
                    }
                    _ => return Err("a function is not known".to_owned()),
                }
            }
        };
        Ok(vec![item])
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
fn single<'i, 'a>(items: &'i [Item<'a>], what: &str) -> Result<Option<&'i Item<'a>>, Failure> {
    match items {
        [] => Ok(None),
        [item] => Ok(Some(item)),
        _ => Err(format!("`{what}` is given {} items, not one", items.len())),
    }
}

fn string_of(items: &[Item<'_>], what: &str) -> Result<Option<String>, Failure> {
    match single(items, what)? {
        None => Ok(None),
        Some(item) => item
            .text()
            .map(Some)
            .ok_or_else(|| format!("`{what}` is given something that has no text")),
    }
}

/// FHIRPath's singleton evaluation of collections.
fn truth(items: &[Item<'_>]) -> Result<Option<bool>, Failure> {
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
