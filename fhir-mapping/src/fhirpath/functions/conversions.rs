//! Conversions of one value (FHIRPath 5.5), and whether they would give something.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use crate::fhirpath::evaluate::{Evaluator, Failure, Items, Variables, single};
use crate::fhirpath::function::Function;
use crate::item::Item;

/// Whether a text is a date, a time, or a dateTime of any precision.
struct Forms {
    date: Regex,
    date_time: Regex,
    time: Regex,
}

static FORMS: LazyLock<Option<Forms>> = LazyLock::new(|| {
    let date = r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?";
    let time = r"([01]\d|2[0-3])(:[0-5]\d(:([0-5]\d|60)(\.\d+)?)?)?";
    let zone = r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?";
    Some(Forms {
        date: Regex::new(&format!("^{date}$")).ok()?,
        date_time: Regex::new(&format!("^{date}(T({time}{zone})?)?$")).ok()?,
        time: Regex::new(&format!("^T?{time}$")).ok()?,
    })
});

impl<'a, V: Variables<'a>> Evaluator<'a, '_, V> {
    pub(super) fn conversion(
        &self,
        function: Function,
        items: &[Item<'a>],
    ) -> Result<Items<'a>, Failure> {
        let Some(item) = single(items, "a conversion")? else {
            return Ok(Vec::new());
        };
        let (converted, only_asked) = match function {
            Function::ToBoolean => (self.to_boolean(item), false),
            Function::ToDate => (self.to_date(item), false),
            Function::ToDateTime => (self.to_date_time(item), false),
            Function::ToDecimal => (self.to_decimal(item), false),
            Function::ToInteger => (self.to_integer(item), false),
            Function::ToTime => (self.to_time(item), false),
            Function::ToText => (item.text().map(|text| self.text(text)), false),
            Function::ConvertsToBoolean => (self.to_boolean(item), true),
            Function::ConvertsToDate => (self.to_date(item), true),
            Function::ConvertsToDateTime => (self.to_date_time(item), true),
            Function::ConvertsToDecimal => (self.to_decimal(item), true),
            Function::ConvertsToInteger => (self.to_integer(item), true),
            Function::ConvertsToTime => (self.to_time(item), true),
            _ => (item.text().map(|text| self.text(text)), true),
        };
        Ok(if only_asked {
            self.boolean(Some(converted.is_some()))
        } else {
            converted.into_iter().collect()
        })
    }

    fn to_boolean(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let boolean = match item.value() {
            Value::Bool(boolean) => Some(*boolean),
            Value::Number(number) => match number.as_f64() {
                Some(1.0) => Some(true),
                Some(0.0) => Some(false),
                _ => None,
            },
            Value::String(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "yes" | "y" | "1" | "1.0" => Some(true),
                "false" | "f" | "no" | "n" | "0" | "0.0" => Some(false),
                _ => None,
            },
            _ => None,
        };
        boolean.map(|boolean| Item::computed(boolean, self.definitions.primitives.boolean))
    }

    fn to_integer(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let number = match item.value() {
            Value::Bool(boolean) => Some(i64::from(*boolean)),
            Value::Number(number) => number.as_i64(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        };
        number.and_then(|number| self.whole(i128::from(number)).ok())
    }

    fn to_decimal(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let decimal = self.definitions.primitives.decimal;
        match item.value() {
            Value::Bool(boolean) => Some(self.decimal(f64::from(u8::from(*boolean)))),
            Value::Number(number) => Some(Item::computed(Value::Number(number.clone()), decimal)),
            Value::String(text) => {
                // JSON's numbers have no `+`, and forms such as `1e5` that decimals have not.
                let text = text.strip_prefix('+').unwrap_or(text);
                let plain = text
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
                let number = plain.then(|| text.parse().ok()).flatten()?;
                Some(Item::computed(Value::Number(number), decimal))
            }
            _ => None,
        }
    }

    fn to_date(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let (text, forms) = (item.value().as_str()?, FORMS.as_ref()?);
        let date = if self.is_time(item) && forms.date_time.is_match(text) {
            text.split('T').next()?
        } else {
            text
        };
        let date = forms.date.is_match(date).then(|| date.to_owned())?;
        Some(Item::computed(date, self.definitions.primitives.date))
    }

    fn to_date_time(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let (text, forms) = (item.value().as_str()?, FORMS.as_ref()?);
        let matched = forms.date_time.is_match(text);
        matched.then(|| Item::computed(text, self.definitions.primitives.date_time))
    }

    fn to_time(&self, item: &Item<'a>) -> Option<Item<'a>> {
        let (text, forms) = (item.value().as_str()?, FORMS.as_ref()?);
        let time = forms
            .time
            .is_match(text)
            .then(|| text.trim_start_matches('T'))?;
        Some(Item::computed(time, self.definitions.primitives.time))
    }
}
