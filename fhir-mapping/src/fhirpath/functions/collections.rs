//! Functions of whole collections: existence, filtering, subsetting and combining (FHIRPath 5.1 to
//! 5.4), boolean logic and `iif`.

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Items, Variables, single, truth};
use crate::fhirpath::function::Function;
use crate::item::Item;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn collection(
        &self,
        function: Function,
        items: Items<'a>,
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        match function {
            Function::All
            | Function::AllFalse
            | Function::AllTrue
            | Function::AnyFalse
            | Function::AnyTrue
            | Function::Empty
            | Function::Exists
            | Function::HasValue
            | Function::IsDistinct
            | Function::Not
            | Function::SubsetOf
            | Function::SupersetOf => {
                let tested = self.tested(function, &items, parameters, this)?;
                Ok(self.boolean(tested))
            }
            Function::Combine | Function::Exclude | Function::Intersect | Function::Union => {
                self.combined(function, items, parameters, this)
            }
            Function::Iif => {
                let focus = single(&items, "iif")?.or(this);
                let holds = match parameters.first() {
                    Some(test) => self.holds(test, focus)?,
                    None => false,
                };
                let branch = parameters.get(if holds { 1 } else { 2 });
                branch.map_or(Ok(Vec::new()), |branch| self.items(branch, focus))
            }
            Function::Select => {
                let mut selected = Vec::new();
                for item in &items {
                    for projection in parameters {
                        selected.extend(self.items(projection, Some(item))?);
                    }
                }
                Ok(selected)
            }
            Function::Where => {
                let mut kept = Vec::new();
                for item in items {
                    if self.all_hold(parameters, &item)? {
                        kept.push(item);
                    }
                }
                Ok(kept)
            }
            Function::Count => {
                let count = i128::try_from(items.len()).unwrap_or_default();
                Ok(vec![self.whole(count)?])
            }
            Function::Join => {
                let separator = match parameters.first() {
                    Some(separator) => self.string(separator, this, "a separator")?,
                    None => None,
                };
                let texts: Option<Vec<String>> = items.iter().map(Item::text).collect();
                let texts = texts.ok_or("only strings can be joined")?;
                Ok(vec![self.text(texts.join(&separator.unwrap_or_default()))])
            }
            // A trace would hold what people answered: nothing is written.
            Function::Trace => Ok(items),
            _ => self.subset(function, items, parameters, this),
        }
    }

    fn all_hold(&self, tests: &'a [Compiled], item: &Item<'a>) -> Result<bool, Failure> {
        for test in tests {
            if !self.holds(test, Some(item))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn tested(
        &self,
        function: Function,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Option<bool>, Failure> {
        // Whether an item is the boolean that the function looks for.
        let are = |wanted: bool| -> Result<Vec<bool>, Failure> {
            items
                .iter()
                .map(|item| {
                    let boolean = item.value().as_bool();
                    boolean
                        .map(|boolean| boolean == wanted)
                        .ok_or_else(|| "a function of booleans is given something else".to_owned())
                })
                .collect()
        };
        let other = || match parameters.first() {
            Some(other) => self.items(other, this),
            None => Ok(Vec::new()),
        };
        Ok(Some(match function {
            Function::All => {
                for item in items {
                    if !self.all_hold(parameters, item)? {
                        return Ok(Some(false));
                    }
                }
                true
            }
            Function::Exists => {
                for item in items {
                    if self.all_hold(parameters, item)? {
                        return Ok(Some(true));
                    }
                }
                false
            }
            Function::AllFalse => are(false)?.into_iter().all(|is| is),
            Function::AllTrue => are(true)?.into_iter().all(|is| is),
            Function::AnyFalse => are(false)?.into_iter().any(|is| is),
            Function::AnyTrue => are(true)?.into_iter().any(|is| is),
            Function::HasValue => matches!(items, [item] if item.text().is_some()),
            Function::IsDistinct => self.distinct(items.iter().cloned()).len() == items.len(),
            Function::Not => return Ok(truth(items)?.map(|truth| !truth)),
            Function::SubsetOf => {
                let other = other()?;
                items.iter().all(|item| self.contains(&other, item))
            }
            Function::SupersetOf => other()?.iter().all(|item| self.contains(items, item)),
            _ => items.is_empty(),
        }))
    }

    fn combined(
        &self,
        function: Function,
        mut items: Items<'a>,
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        let other = match parameters.first() {
            Some(other) => self.items(other, this)?,
            None => Vec::new(),
        };
        Ok(match function {
            Function::Exclude => {
                items.retain(|item| !self.contains(&other, item));
                items
            }
            Function::Intersect => {
                items.retain(|item| self.contains(&other, item));
                self.distinct(items.into_iter())
            }
            Function::Union => self.distinct(items.into_iter().chain(other)),
            _ => {
                items.extend(other);
                items
            }
        })
    }

    fn subset(
        &self,
        function: Function,
        mut items: Items<'a>,
        parameters: &'a [Compiled],
        this: Option<&Item<'a>>,
    ) -> Result<Items<'a>, Failure> {
        let count = || -> Result<usize, Failure> {
            let number = match parameters.first() {
                Some(parameter) => self.integer(parameter, this, "a number of items")?,
                None => None,
            };
            Ok(number.map_or(0, |number| usize::try_from(number).unwrap_or(0)))
        };
        Ok(match function {
            Function::Distinct => self.distinct(items.into_iter()),
            Function::First => {
                items.truncate(1);
                items
            }
            Function::Last => items.pop().into_iter().collect(),
            Function::Single => {
                single(&items, "single")?;
                items
            }
            Function::Skip => items.into_iter().skip(count()?).collect(),
            Function::Tail => items.into_iter().skip(1).collect(),
            Function::Take => {
                items.truncate(count()?);
                items
            }
            _ => return Err("a function is not known".to_owned()),
        })
    }
}
