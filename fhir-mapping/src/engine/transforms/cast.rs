//! `cast`: text as a primitive of another type.

use chrono::{DateTime, NaiveDate, NaiveTime};
use serde_json::{Number, Value};

use super::super::Engine;
use super::super::stop::Stop;
use crate::definitions::TypeId;
use crate::item::Item;

impl<'a> Engine<'a, '_> {
    /// `None` for what has no text, as HL7's engine has it.
    pub(super) fn cast(&self, item: &Item<'a>, id: TypeId) -> Result<Option<Item<'a>>, Stop> {
        let text = item.text().filter(|text| !text.trim().is_empty());
        let Some(text) = text else {
            return Ok(None);
        };
        let name = self.definitions.name(id);
        let value = value(&text, name)
            .ok_or_else(|| Stop::Reason(format!("a value cannot be cast to {name}")))?;
        Ok(Some(Item::computed(value, id)))
    }
}

fn value(text: &str, name: &str) -> Option<Value> {
    Some(match name {
        "boolean" => Value::Bool(text.trim().parse().ok()?),
        "decimal" => Value::Number(decimal(text)?),
        // As in HL7's engine, whether they are positive is not looked at.
        "integer" | "unsignedInt" | "positiveInt" => Value::from(text.parse::<i32>().ok()?),
        // FHIR writes 64 bits as a string.
        "integer64" => Value::String(text.parse::<i64>().ok()?.to_string()),
        "date" => {
            // A dateTime's date.
            let date = match text.split_once('T') {
                Some((date, _)) if is_date_time(text) => date,
                _ => text,
            };
            is_date(date).then(|| Value::String(date.to_owned()))?
        }
        "dateTime" => is_date_time(text).then(|| Value::String(text.to_owned()))?,
        "instant" => DateTime::parse_from_rfc3339(text)
            .is_ok()
            .then(|| Value::String(text.to_owned()))?,
        _ => Value::String(text.to_owned()),
    })
}

fn decimal(text: &str) -> Option<Number> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    // JSON forbids what FHIR's other forms allow, such as leading zeros.
    let is_number = text.starts_with(|first: char| first.is_ascii_digit() || "+-.".contains(first));
    let number: f64 = text.parse().ok().filter(|_| is_number)?;
    Number::from_f64(number)
}

/// A year, a month or a day.
fn is_date(text: &str) -> bool {
    let whole = match text.len() {
        4 => format!("{text}-01-01"),
        7 => format!("{text}-01"),
        10 => text.to_owned(),
        _ => return false,
    };
    NaiveDate::parse_from_str(&whole, "%Y-%m-%d").is_ok()
}

/// A date, or a date with a time; HL7's engine needs no zone.
fn is_date_time(text: &str) -> bool {
    let Some((date, time)) = text.split_once('T') else {
        return is_date(text);
    };
    let zone = time.find(['Z', '+', '-']);
    let (time, zone) = time.split_at(zone.unwrap_or(time.len()));
    let formats = ["%H:%M", "%H:%M:%S%.f"];
    let has_time = formats
        .iter()
        .any(|format| NaiveTime::parse_from_str(time, format).is_ok());
    let has_zone = zone.is_empty()
        || DateTime::parse_from_rfc3339(&format!("2000-01-01T00:00:00{zone}")).is_ok();
    date.len() == 10 && is_date(date) && has_time && has_zone
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_and_what_does_not() {
        for (text, name, expected) in [
            ("true", "boolean", Some(json!(true))),
            ("TRUE", "boolean", None),
            ("007", "integer", Some(json!(7))),
            ("2147483648", "integer", None),
            ("2147483648", "integer64", Some(json!("2147483648"))),
            ("-1", "unsignedInt", Some(json!(-1))),
            ("0", "unsignedInt", Some(json!(0))),
            ("0", "positiveInt", Some(json!(0))),
            ("007.5", "decimal", Some(json!(7.5))),
            ("1e3", "decimal", Some(json!(1e3))),
            ("inf", "decimal", None),
            ("infinity", "decimal", None),
            ("NaN", "decimal", None),
            ("12", "decimal", Some(json!(12))),
            ("2020", "date", Some(json!("2020"))),
            ("2020-02", "date", Some(json!("2020-02"))),
            ("2020-02-30", "date", None),
            ("2020-02-03T10:00:00Z", "date", Some(json!("2020-02-03"))),
            ("2020-02-03T25:00:00Z", "date", None),
            ("2020-02-03", "dateTime", Some(json!("2020-02-03"))),
            (
                "2020-02-03T10:00:00+02:00",
                "dateTime",
                Some(json!("2020-02-03T10:00:00+02:00")),
            ),
            ("2020-02-03T10:00:00+2", "dateTime", None),
            ("2020-02T10:00:00Z", "dateTime", None),
            ("2020-02-03", "instant", None),
            (
                "2020-02-03T10:00:00.5Z",
                "instant",
                Some(json!("2020-02-03T10:00:00.5Z")),
            ),
            ("10:00:00", "time", Some(json!("10:00:00"))),
            ("10:61", "time", Some(json!("10:61"))),
            ("true ", "boolean", Some(json!(true))),
            ("anything", "code", Some(json!("anything"))),
            ("ä", "date", None),
            ("ää", "date", None),
        ] {
            assert_eq!(value(text, name), expected, "{text} as {name}");
        }
    }
}
