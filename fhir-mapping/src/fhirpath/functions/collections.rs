//! Functions of whole collections: existence, filtering, subsetting and combining (FHIRPath 5.1 to
//! 5.4), boolean logic and `iif`.

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{
    Evaluator, Failure, Focus, Items, Variables, boolean, single, single_value, truth,
};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::Item;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn collection(
        &self,
        function: Function,
        items: Items<'a>,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        match function {
            Function::All
            | Function::AllFalse
            | Function::AllTrue
            | Function::AnyFalse
            | Function::AnyTrue
            | Function::Empty
            | Function::Exists
            | Function::IsDistinct
            | Function::Not
            | Function::SubsetOf
            | Function::SupersetOf => {
                let tested = self.tested(function, &items, parameters, focus)?;
                Ok(boolean(tested))
            }
            Function::Combine | Function::Exclude | Function::Intersect | Function::Union => {
                self.combined(function, items, parameters, focus)
            }
            Function::Iif => self.either(&items, parameters, focus),
            Function::Coalesce => {
                for parameter in parameters {
                    let found = self.eval(parameter, focus)?;
                    if !found.is_empty() {
                        return Ok(found);
                    }
                }
                Ok(Vec::new())
            }
            // Its second parameter is what HL7's engine calls it when it fails.
            Function::Check => match parameters.first() {
                Some(test) if !self.test(test, focus)? => Err("a check does not hold".to_owned()),
                _ => Ok(items),
            },
            Function::Select => {
                let mut selected = Vec::new();
                for (index, item) in items.iter().enumerate() {
                    for projection in parameters {
                        selected.append(&mut self.eval(projection, &focus.on(item, index))?);
                    }
                }
                self.session.hold(selected.len())?;
                Ok(selected)
            }
            Function::Where => {
                let mut kept = Vec::new();
                for (index, item) in items.into_iter().enumerate() {
                    if self.all_hold(parameters, &focus.on(&item, index))? {
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
                    Some(separator) => self.string(separator, focus, "a separator")?,
                    None => None,
                };
                let texts: Option<Vec<String>> = items.iter().map(Item::text).collect();
                let texts = texts.ok_or("only strings can be joined")?;
                Ok(vec![self.made(texts.join(&separator.unwrap_or_default()))?])
            }
            // A trace would hold what people answered: nothing is written.
            Function::Trace => Ok(items),
            _ => self.subset(function, items, parameters, focus),
        }
    }

    /// `iif`: a condition that is no boolean is a mistake.
    fn either(
        &self,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let [condition, branches @ ..] = parameters else {
            return Ok(Vec::new());
        };
        let inner = match single(items, "iif")? {
            // The index is that of whatever goes through the item.
            Some(_) => Focus {
                this: items,
                ..*focus
            },
            None => *focus,
        };
        let holds = self.eval(condition, &inner)?;
        let holds = match single_value(&holds, "a condition of iif")? {
            Some(item) => item
                .boolean()
                .ok_or_else(|| "a condition of iif is no boolean".to_owned())?,
            None => false,
        };
        let branch = branches.get(usize::from(!holds));
        branch.map_or(Ok(Vec::new()), |branch| self.eval(branch, &inner))
    }

    fn all_hold(&self, tests: &'a [Compiled], focus: &Focus<'_, 'a>) -> Result<bool, Failure> {
        for test in tests {
            if !self.test(test, focus)? {
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
        focus: &Focus<'_, 'a>,
    ) -> Result<Option<bool>, Failure> {
        // Whether an item is the boolean that the function looks for.
        let are = |wanted: bool| -> Result<Vec<bool>, Failure> {
            items
                .iter()
                .map(|item| {
                    item.boolean()
                        .map(|boolean| boolean == wanted)
                        .ok_or_else(|| "a function of booleans is given something else".to_owned())
                })
                .collect()
        };
        let other = || match parameters.first() {
            Some(other) => self.eval(other, focus),
            None => Ok(Vec::new()),
        };
        Ok(Some(match function {
            Function::All => {
                for (index, item) in items.iter().enumerate() {
                    if !self.all_hold(parameters, &focus.on(item, index))? {
                        return Ok(Some(false));
                    }
                }
                true
            }
            Function::Exists => {
                for (index, item) in items.iter().enumerate() {
                    if self.all_hold(parameters, &focus.on(item, index))? {
                        return Ok(Some(true));
                    }
                }
                false
            }
            Function::AllFalse => are(false)?.into_iter().all(|is| is),
            Function::AllTrue => are(true)?.into_iter().all(|is| is),
            Function::AnyFalse => are(false)?.into_iter().any(|is| is),
            Function::AnyTrue => are(true)?.into_iter().any(|is| is),
            Function::IsDistinct => self.distinct(items.to_vec())?.len() == items.len(),
            Function::Not => return Ok(truth(items)?.map(|truth| !truth)),
            Function::SubsetOf => {
                let other = other()?;
                self.all_in(items, &other)?
            }
            Function::SupersetOf => self.all_in(&other()?, items)?,
            _ => items.is_empty(),
        }))
    }

    fn all_in(&self, items: &[Item<'a>], others: &[Item<'a>]) -> Result<bool, Failure> {
        for item in items {
            if !self.contains(others, item)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn combined(
        &self,
        function: Function,
        mut items: Items<'a>,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let other = match parameters.first() {
            Some(other) => self.eval(other, focus)?,
            None => Vec::new(),
        };
        Ok(match function {
            Function::Exclude | Function::Intersect => {
                let wanted = function == Function::Intersect;
                let mut kept = Vec::new();
                for item in items {
                    if self.contains(&other, &item)? == wanted {
                        kept.push(item);
                    }
                }
                if wanted { self.distinct(kept)? } else { kept }
            }
            Function::Union => {
                items.extend(other);
                self.distinct(items)?
            }
            _ => {
                items.extend(other);
                self.session.hold(items.len())?;
                items
            }
        })
    }

    fn subset(
        &self,
        function: Function,
        mut items: Items<'a>,
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let count = || -> Result<usize, Failure> {
            let number = match parameters.first() {
                Some(parameter) => self.integer(parameter, focus, "a number of items")?,
                None => None,
            };
            Ok(number.map_or(0, |number| usize::try_from(number).unwrap_or(0)))
        };
        Ok(match function {
            Function::Distinct => self.distinct(items)?,
            Function::First => {
                items.truncate(1);
                items
            }
            // What no number is counted by is nowhere.
            Function::Item => {
                let index = match parameters.first() {
                    Some(index) => self.integer(index, focus, "an index")?,
                    None => None,
                };
                let index = index.and_then(|index| usize::try_from(index).ok());
                let item = index.and_then(|index| items.into_iter().nth(index));
                item.into_iter().collect()
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
