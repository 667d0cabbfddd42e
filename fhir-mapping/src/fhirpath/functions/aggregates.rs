//! `aggregate` (FHIRPath 7.1).

use crate::fhirpath::compile::Compiled;
use crate::fhirpath::evaluate::{Evaluator, Failure, Focus, Items, Variables};
use crate::fhirpath::item::Item;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn aggregated(
        &self,
        items: &[Item<'a>],
        parameters: &'a [Compiled],
        focus: &Focus<'_, 'a>,
    ) -> Result<Items<'a>, Failure> {
        let [aggregator, begin @ ..] = parameters else {
            return Ok(Vec::new());
        };
        let mut total = match begin.first() {
            Some(begin) => self.eval(begin, focus)?,
            None => Vec::new(),
        };
        for (index, item) in items.iter().enumerate() {
            let focus = Focus {
                total: Some(&total),
                ..focus.on(item, index)
            };
            let next = self.eval(aggregator, &focus)?;
            self.session.spend(next.len())?;
            total = next;
        }
        Ok(total)
    }
}
