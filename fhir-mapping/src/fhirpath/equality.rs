//! When values are equal, equivalent, or less than one another (FHIRPath 6.1 and 6.2).

use std::cmp::Ordering;
use std::collections::HashSet;

use rust_decimal::Decimal;
use serde_json::Value;

use super::evaluate::{Evaluator, Failure, Items, Variables, single_value};
use super::item::{Item, Scalar, decimal_of, temporal_kind};
use super::quantity::{Quantity, equivalent_decimals};
use super::temporal::Temporal;
use crate::definitions::{Definitions, TypeId};
use crate::item::{Member, each_child};

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn equal(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<Option<bool>, Failure> {
        if left.is_empty() || right.is_empty() {
            return Ok(None);
        }
        if left.len() != right.len() {
            return Ok(Some(false));
        }
        self.session.spend(left.len())?;
        let mut all = Some(true);
        for (left, right) in left.iter().zip(right) {
            match self.equal_items(left, right) {
                Some(false) => return Ok(Some(false)),
                Some(true) => {}
                None => all = None,
            }
        }
        Ok(all)
    }

    pub(super) fn equal_items(&self, left: &Item<'a>, right: &Item<'a>) -> Option<bool> {
        match (
            left.scalar(self.definitions),
            right.scalar(self.definitions),
        ) {
            (Some(left), Some(right)) => equal_scalars(&left, &right),
            (None, None) => Some(match (left, right) {
                (Item::Type(left), Item::Type(right)) => left == right,
                (Item::Element(left), Item::Element(right)) => {
                    left.value() == right.value() && left.companion() == right.companion()
                }
                _ => false,
            }),
            _ => Some(false),
        }
    }

    pub(super) fn contains(&self, items: &[Item<'a>], item: &Item<'a>) -> Result<bool, Failure> {
        self.session.spend(items.len())?;
        Ok(items
            .iter()
            .any(|other| self.equal_items(other, item) == Some(true)))
    }

    pub(super) fn distinct(&self, items: Items<'a>) -> Result<Items<'a>, Failure> {
        if items.len() < 2 {
            return Ok(items);
        }
        let texts: Option<Vec<&str>> = items.iter().map(|item| self.plain_text(item)).collect();
        if let Some(texts) = texts {
            self.session.spend(texts.len())?;
            let mut seen = HashSet::with_capacity(texts.len());
            let first: Vec<bool> = texts.into_iter().map(|text| seen.insert(text)).collect();
            let kept = items.iter().zip(first).filter(|(_, first)| *first);
            return Ok(kept.map(|(item, _)| item.clone()).collect());
        }
        let mut found: Items<'a> = Vec::new();
        for item in items {
            if !self.contains(&found, &item)? {
                found.push(item);
            }
        }
        Ok(found)
    }

    /// The text of a string, as dates and times are none.
    fn plain_text<'i>(&self, item: &'i Item<'a>) -> Option<&'i str> {
        match item.scalar(self.definitions)? {
            Scalar::Text(_) => item.str(),
            _ => None,
        }
    }

    pub(super) fn equivalent(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<bool, Failure> {
        if left.len() != right.len() {
            return Ok(false);
        }
        self.session.spend(left.len().saturating_mul(right.len()))?;
        let mut open: Vec<&Item<'a>> = right.iter().collect();
        for item in left {
            let found = open
                .iter()
                .position(|other| self.equivalent_items(item, other));
            match found {
                Some(found) => open.swap_remove(found),
                None => return Ok(false),
            };
        }
        Ok(true)
    }

    fn equivalent_items(&self, left: &Item<'a>, right: &Item<'a>) -> bool {
        match (
            left.scalar(self.definitions),
            right.scalar(self.definitions),
        ) {
            (Some(left), Some(right)) => equivalent_scalars(&left, &right),
            (None, None) => match (left.json(), right.json()) {
                (Some(left), Some(right)) => equivalent_values(left, right),
                _ => false,
            },
            _ => false,
        }
    }

    pub(super) fn compare(
        &self,
        left: &[Item<'a>],
        right: &[Item<'a>],
    ) -> Result<Option<Ordering>, Failure> {
        let (Some(left), Some(right)) = (single_value(left, "<")?, single_value(right, "<")?)
        else {
            return Ok(None);
        };
        let refuse = || {
            "only numbers, quantities, strings, and dates or times can be compared, each with its like"
                .to_owned()
        };
        let (Some(left), Some(right)) = (
            left.scalar(self.definitions),
            right.scalar(self.definitions),
        ) else {
            return Err(refuse());
        };
        compare_scalars(&left, &right).ok_or_else(refuse)
    }
}

/// A number, for what takes one.
pub(super) fn number(scalar: &Scalar<'_>) -> Option<Decimal> {
    match scalar {
        Scalar::Integer(integer) => Some(Decimal::from(*integer)),
        Scalar::Decimal(decimal) => Some(*decimal),
        _ => None,
    }
}

/// A quantity, or a number that stands for one.
pub(super) fn quantity(scalar: &Scalar<'_>) -> Option<Quantity> {
    match scalar {
        Scalar::Quantity(quantity) => Some(quantity.as_ref().clone()),
        other => number(other).map(Quantity::of_number),
    }
}

fn equal_scalars(left: &Scalar<'_>, right: &Scalar<'_>) -> Option<bool> {
    use Scalar as S;
    Some(match (left, right) {
        (S::Boolean(left), S::Boolean(right)) => left == right,
        (S::Integer(left), S::Integer(right)) => left == right,
        (S::Text(left), S::Text(right)) => left == right,
        (S::Temporal(left), S::Temporal(right)) => {
            if !left.is_comparable(right) {
                return Some(false);
            }
            return left.compare(right).map(Ordering::is_eq);
        }
        (S::Temporal(temporal), S::Text(text)) | (S::Text(text), S::Temporal(temporal)) => {
            let Some(other) = Temporal::parse(temporal.kind, text) else {
                return Some(false);
            };
            return temporal.compare(&other).map(Ordering::is_eq);
        }
        (S::Quantity(_), _) | (_, S::Quantity(_)) => {
            return match (quantity(left), quantity(right)) {
                (Some(left), Some(right)) => left.equal(&right),
                _ => Some(false),
            };
        }
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => left == right,
            _ => false,
        },
    })
}

fn equivalent_scalars(left: &Scalar<'_>, right: &Scalar<'_>) -> bool {
    use Scalar as S;
    match (left, right) {
        (S::Text(left), S::Text(right)) => plain(left) == plain(right),
        (S::Temporal(left), S::Temporal(right)) => left.equivalent(right),
        (S::Quantity(_), _) | (_, S::Quantity(_)) => match (quantity(left), quantity(right)) {
            (Some(left), Some(right)) => left.equivalent(&right),
            _ => false,
        },
        _ => match (number(left), number(right)) {
            (Some(left), Some(right)) => equivalent_decimals(left, right),
            _ => equal_scalars(left, right) == Some(true),
        },
    }
}

/// `None` when the two are not of one kind; then what the order is, if it is known.
#[allow(clippy::option_option, reason = "two ways to have no answer")]
fn compare_scalars(left: &Scalar<'_>, right: &Scalar<'_>) -> Option<Option<Ordering>> {
    use Scalar as S;
    match (left, right) {
        (S::Integer(left), S::Integer(right)) => Some(Some(left.cmp(right))),
        (S::Text(left), S::Text(right)) => Some(Some(left.cmp(right))),
        (S::Temporal(left), S::Temporal(right)) => {
            left.is_comparable(right).then(|| left.compare(right))
        }
        (S::Temporal(left), S::Text(right)) => {
            let right = Temporal::parse(left.kind, right)?;
            Some(left.compare(&right))
        }
        (S::Text(left), S::Temporal(right)) => {
            let left = Temporal::parse(right.kind, left)?;
            Some(left.compare(right))
        }
        (S::Quantity(_), _) | (_, S::Quantity(_)) => {
            let (left, right) = (quantity(left)?, quantity(right)?);
            Some(left.compare(&right))
        }
        _ => {
            let (left, right) = (number(left)?, number(right)?);
            Some(Some(left.cmp(&right)))
        }
    }
}

/// Text without regard to case and to how words are set apart.
fn plain(text: &str) -> String {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    words.join(" ")
}

/// Elements, in any order.
fn equivalent_values(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => plain(left) == plain(right),
        (Value::Number(left), Value::Number(right)) => {
            match (decimal_of(left), decimal_of(right)) {
                (Some(left), Some(right)) => equivalent_decimals(left, right),
                _ => left == right,
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|item| right.iter().any(|other| equivalent_values(item, other)))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| {
                    right
                        .get(name)
                        .is_some_and(|other| equivalent_values(value, other))
                })
        }
        (left, right) => left == right,
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
                Value::String(child) => match temporal_kind(definitions, id)
                    .and_then(|kind| Temporal::parse(kind, child))
                {
                    None => Some(false),
                    Some(temporal) => {
                        equal_scalars(&Scalar::Temporal(temporal), &Scalar::Text(text))
                    }
                },
                _ => Some(false),
            };
        },
    );
    match count {
        0 => None,
        1 => equal,
        _ => Some(false),
    }
}
