//! The time at which an expression is evaluated (FHIRPath 5.9.2).

use chrono::{SecondsFormat, Utc};

use crate::fhirpath::evaluate::{Evaluator, Variables};
use crate::fhirpath::function::Function;
use crate::item::Item;

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn time(&self, function: Function) -> Item<'a> {
        let now = Utc::now();
        let primitives = self.definitions.primitives;
        match function {
            Function::Today => Item::computed(now.format("%Y-%m-%d").to_string(), primitives.date),
            Function::TimeOfDay => {
                Item::computed(now.format("%H:%M:%S%.3f").to_string(), primitives.time)
            }
            _ => {
                let text = now.to_rfc3339_opts(SecondsFormat::Millis, true);
                Item::computed(text, primitives.date_time)
            }
        }
    }
}
