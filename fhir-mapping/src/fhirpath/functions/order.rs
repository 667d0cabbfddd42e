//! `sort`: items by what they are, or by what expressions give for them (FHIRPath 3.0).

use std::cmp::Ordering;

use rust_decimal::Decimal;

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::equality::number;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables, single_value};
use crate::fhirpath::item::{Item, Scalar};

/// What an item is put in its place by; what has none comes last.
#[derive(Debug, Clone, PartialEq)]
enum Key {
    /// True comes first, as in HL7's engine.
    Boolean(bool),
    Number(Decimal),
    Text(String),
    Missing,
}

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    /// By each expression in turn; a `-` before one reverses its order.
    pub(super) fn sorted(
        &self,
        items: Items<'a>,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let mut keyed: Vec<(Vec<Key>, Item<'a>)> = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            let keys = if parameters.is_empty() {
                vec![self.key(std::slice::from_ref(&item))?]
            } else {
                let inner = focus.on(&item, index);
                let keys = parameters.iter().map(|parameter| {
                    let (expression, _) = direction(parameter);
                    self.key(&self.eval(expression, &inner)?)
                });
                keys.collect::<Result<_, _>>()?
            };
            keyed.push((keys, item));
        }
        for (keys, _) in &keyed {
            for (first, key) in keyed
                .first()
                .into_iter()
                .flat_map(|(first, _)| first)
                .zip(keys)
            {
                if !first.is_comparable(key) {
                    return Err("`sort` is given values that have no common order".to_owned());
                }
            }
        }
        keyed.sort_by(|(left, _), (right, _)| {
            let pairs = left.iter().zip(right).enumerate();
            let orders = pairs.map(|(index, (left, right))| {
                let order = left.compare(right);
                let is_reversed = parameters.get(index).is_some_and(|one| direction(one).1);
                if is_reversed { order.reverse() } else { order }
            });
            orders.fold(Ordering::Equal, Ordering::then)
        });
        Ok(keyed.into_iter().map(|(_, item)| item).collect())
    }

    fn key(&self, values: &[Item<'a>]) -> Result<Key, Failure> {
        let Some(value) = single_value(values, "sort")? else {
            return Ok(Key::Missing);
        };
        let scalar = value.scalar(self.definitions);
        if let Some(Scalar::Boolean(boolean)) = scalar {
            return Ok(Key::Boolean(boolean));
        }
        if let Some(number) = scalar.as_ref().and_then(number) {
            return Ok(Key::Number(number));
        }
        let text = value.text().map(Key::Text);
        text.ok_or_else(|| "`sort` is given something that has no order".to_owned())
    }
}

/// The expression, and whether its order is reversed.
fn direction(parameter: &Compiled) -> (&Compiled, bool) {
    match parameter {
        Compiled::Negative(expression) => (expression, true),
        expression => (expression, false),
    }
}

impl Key {
    fn is_comparable(&self, other: &Self) -> bool {
        use std::mem::discriminant;
        *self == Self::Missing
            || *other == Self::Missing
            || discriminant(self) == discriminant(other)
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Boolean(one), Self::Boolean(other)) => other.cmp(one),
            (Self::Number(one), Self::Number(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => one.cmp(other),
            (Self::Missing, Self::Missing) => Ordering::Equal,
            (Self::Missing, _) => Ordering::Greater,
            (_, Self::Missing) => Ordering::Less,
            _ => Ordering::Equal,
        }
    }
}
