use std::fmt;
use std::str::FromStr;

/// When a polling channel runs, in a form that core's scheduler (agenda) understands.
///
/// Either an interval (`10 seconds`, `5 minutes`, `1 hour and 30 minutes`), a cron expression of
/// five fields, or of six with seconds first, or one of `@hourly`, `@daily`, `@weekly`,
/// `@monthly`, `@yearly`. Core takes any text and never runs a channel whose schedule it cannot
/// read. Core 4.x counts the months of a cron expression from 0, 8.x from 1.
///
/// ```
/// use mediator_core::mediator_config::PollingSchedule;
///
/// assert!("10 seconds".parse::<PollingSchedule>().is_ok());
/// assert!("0 */5 * * * *".parse::<PollingSchedule>().is_ok());
/// assert!("every now and then".parse::<PollingSchedule>().is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollingSchedule(String);

impl PollingSchedule {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PollingSchedule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for PollingSchedule {
    type Err = PollingScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_named = ["@hourly", "@daily", "@weekly", "@monthly", "@yearly"].contains(&text);
        if !is_named && !is_interval(text) {
            check_cron(text)?;
        }
        Ok(Self(text.to_owned()))
    }
}

/// Why core would never run a schedule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PollingScheduleError {
    /// Neither an interval nor as many fields as cron has.
    #[error(
        "is no schedule: write an interval such as `10 seconds` or `5 minutes`, or a cron \
         expression of five fields, or of six with seconds first"
    )]
    Unreadable,
    /// A field of a cron expression that is wrong.
    #[error(
        "is no cron expression: {field} takes numbers from {minimum} to {maximum}, `*`, lists \
         (`1,2`), ranges (`1-5`) and steps (`*/5`)"
    )]
    Field {
        /// Which.
        field: &'static str,
        /// Smallest number in it.
        minimum: u8,
        /// Largest number in it.
        maximum: u8,
    },
    /// A day that the month does not have.
    #[error("never comes: the month has no such day")]
    NoSuchDay,
}

/// `10 seconds`, `one day`, `1 hour and 30 minutes`.
fn is_interval(text: &str) -> bool {
    text.split(" and ")
        .flat_map(|part| part.split(','))
        .all(|part| {
            let words: Vec<_> = part.split_whitespace().collect();
            match words.as_slice() {
                [unit] => is_unit(unit),
                [number, unit] => is_count(number) && is_unit(unit),
                _ => false,
            }
        })
}

fn is_unit(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    ["second", "minute", "hour", "day", "week", "month", "year"].contains(&singular)
}

fn is_count(word: &str) -> bool {
    let words = [
        "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    let is_decimal = word.starts_with(|first: char| first.is_ascii_digit())
        && word
            .chars()
            .all(|character| character.is_ascii_digit() || character == '.');
    words.contains(&word)
        || (is_decimal
            && word
                .parse()
                .is_ok_and(|count: f64| count > 0.0 && count < 1e6))
}

struct Field {
    name: &'static str,
    minimum: u8,
    maximum: u8,
    /// Names for numbers, from the minimum.
    names: &'static [&'static str],
    /// Whether `?` stands for `*`.
    has_any: bool,
    /// Whether `L` stands for the last.
    has_last: bool,
}

impl Field {
    const fn new(name: &'static str, minimum: u8, maximum: u8) -> Self {
        Self {
            name,
            minimum,
            maximum,
            names: &[],
            has_any: false,
            has_last: false,
        }
    }
}

const FIELDS: [Field; 6] = [
    Field::new("the first field of six, seconds,", 0, 59),
    Field::new("the minutes' field", 0, 59),
    Field::new("the hours' field", 0, 23),
    Field {
        has_any: true,
        has_last: true,
        ..Field::new("the field of the day of the month", 1, 31)
    },
    Field {
        names: &[
            "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
        ],
        ..Field::new("the months' field", 1, 12)
    },
    Field {
        has_any: true,
        names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
        ..Field::new("the weekdays' field", 0, 7)
    },
];
const DAY_OF_MONTH: usize = 3;
const MONTH: usize = 4;
const DAYS: [u8; 12] = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

fn check_cron(text: &str) -> Result<(), PollingScheduleError> {
    let given: Vec<_> = text.split_whitespace().collect();
    let skipped = match given.len() {
        5 => 1,
        6 => 0,
        _ => return Err(PollingScheduleError::Unreadable),
    };
    let mut values = vec![Vec::new(); skipped];
    for (field, text) in FIELDS[skipped..].iter().zip(&given) {
        values.push(field.values(text).ok_or(PollingScheduleError::Field {
            field: field.name,
            minimum: field.minimum,
            maximum: field.maximum,
        })?);
    }
    if let ([month], Some(first)) = (values[MONTH].as_slice(), values[DAY_OF_MONTH].iter().min())
        && *first > DAYS[usize::from(*month) - 1]
    {
        return Err(PollingScheduleError::NoSuchDay);
    }
    Ok(())
}

impl Field {
    /// The numbers that a field's text stands for; none for `L`.
    fn values(&self, text: &str) -> Option<Vec<u8>> {
        let mut values = Vec::new();
        for part in text.split(',') {
            if self.has_last && part == "L" {
                continue;
            }
            let (range, step) = match part.split_once('/') {
                Some((range, step)) => (range, number(step).filter(|step| *step > 0)?),
                None => (part, 1),
            };
            let (from, to) = if range == "*" || (self.has_any && range == "?") {
                (self.minimum, self.maximum)
            } else if let Some((from, to)) = range.split_once('-') {
                let (from, to) = (self.number(from)?, self.number(to)?);
                if from >= to {
                    return None;
                }
                (from, to)
            } else {
                let from = self.number(range)?;
                let to = if part.contains('/') {
                    self.maximum
                } else {
                    from
                };
                (from, to)
            };
            values.extend((from..=to).step_by(usize::from(step)));
        }
        values.sort_unstable();
        values.dedup();
        Some(values)
    }

    fn number(&self, text: &str) -> Option<u8> {
        let name = text.to_ascii_lowercase();
        let value = match self.names.iter().position(|known| *known == name) {
            Some(index) => self.minimum + u8::try_from(index).ok()?,
            None => number(text)?,
        };
        (self.minimum..=self.maximum)
            .contains(&value)
            .then_some(value)
    }
}

fn number(text: &str) -> Option<u8> {
    let is_digits = !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    is_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    /// Each was given to agenda's parsers, cron-parser 3 and human-interval 2, which read them.
    #[rstest]
    #[case("10 seconds")]
    #[case("1 minute")]
    #[case("minute")]
    #[case("five minutes")]
    #[case("1.5 hours")]
    #[case("1 hour and 30 minutes")]
    #[case("1 day, 2 hours")]
    #[case("*/5 * * * *")]
    #[case("0 */5 * * * *")]
    #[case("0 3 * * *")]
    #[case("30 0-6,22-23 1,15 jan-mar Mon")]
    #[case("0 0 L * *")]
    #[case("0 0 ? * 7")]
    #[case("5/15 * * * *")]
    #[case("0 0 29 2 *")]
    #[case("@daily")]
    fn what_core_can_read_is_a_schedule(#[case] text: &str) {
        assert_eq!(text.parse::<PollingSchedule>().unwrap().as_str(), text);
    }

    #[rstest]
    #[case("", PollingScheduleError::Unreadable)]
    #[case("often", PollingScheduleError::Unreadable)]
    #[case("10", PollingScheduleError::Unreadable)]
    #[case("0 seconds", PollingScheduleError::Unreadable)]
    #[case("-5 minutes", PollingScheduleError::Unreadable)]
    #[case("10 fortnights", PollingScheduleError::Unreadable)]
    #[case("10 seconds later", PollingScheduleError::Unreadable)]
    #[case("* * * *", PollingScheduleError::Unreadable)]
    #[case("* * * * * * *", PollingScheduleError::Unreadable)]
    #[case("@sometimes", PollingScheduleError::Unreadable)]
    #[case("0 0 31 2 *", PollingScheduleError::NoSuchDay)]
    fn what_core_cannot_read_is_none(#[case] text: &str, #[case] error: PollingScheduleError) {
        assert_eq!(text.parse::<PollingSchedule>(), Err(error));
    }

    #[rstest]
    #[case("60 * * * *", "the minutes' field")]
    #[case("* 24 * * *", "the hours' field")]
    #[case("* * 0 * *", "the field of the day of the month")]
    #[case("* * * 13 *", "the months' field")]
    #[case("* * * * 8", "the weekdays' field")]
    #[case("60 * * * * *", "the first field of six, seconds,")]
    #[case("*/0 * * * *", "the minutes' field")]
    #[case("5-1 * * * *", "the minutes' field")]
    #[case("1,,2 * * * *", "the minutes' field")]
    #[case("? * * * *", "the minutes' field")]
    #[case("* * * foo *", "the months' field")]
    fn a_wrong_field_is_named(#[case] text: &str, #[case] expected: &str) {
        match text.parse::<PollingSchedule>() {
            Err(PollingScheduleError::Field { field, .. }) => assert_eq!(field, expected),
            other => panic!("{other:?}"),
        }
    }

    proptest! {
        #[test]
        fn every_number_in_its_range_is_read(
            minute in 0u8..60, hour in 0u8..24, day in 1u8..29, month in 1u8..13, weekday in 0u8..8,
        ) {
            let text = format!("{minute} {hour} {day} {month} {weekday}");
            prop_assert!(text.parse::<PollingSchedule>().is_ok());
        }

        #[test]
        fn any_text_is_answered(text in r"[0-9*/,\-?L a-z@.]{0,24}") {
            let _ = text.parse::<PollingSchedule>();
        }
    }
}
