//! The time at which an expression is evaluated (FHIRPath 5.9.2).

use chrono::{SecondsFormat, Utc};

use crate::fhirpath::evaluate::{Evaluator, Variables};
use crate::fhirpath::function::Function;
use crate::fhirpath::item::Item;
use crate::fhirpath::temporal::{Temporal, TemporalKind};

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn time(&self, function: Function) -> Item<'a> {
        let now: chrono::DateTime<Utc> = self.session.now();
        let (kind, text) = match function {
            Function::Today => (TemporalKind::Date, now.format("%Y-%m-%d").to_string()),
            Function::TimeOfDay => (TemporalKind::Time, now.format("%H:%M:%S%.3f").to_string()),
            _ => {
                let text = now.to_rfc3339_opts(SecondsFormat::Millis, true);
                (TemporalKind::DateTime, text)
            }
        };
        match Temporal::parse(kind, &text) {
            Some(temporal) => Item::Temporal(temporal.into()),
            // A clock beyond the year 9999.
            None => Item::text_of(text),
        }
    }
}
