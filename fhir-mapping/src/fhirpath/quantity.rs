//! FHIRPath's quantities: a decimal and a unit, of the calendar or of UCUM (FHIRPath 2.1.9).

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

use rust_decimal::Decimal;
use rust_decimal::prelude::{FromPrimitive, ToPrimitive};

use super::temporal::TimeUnit;
use super::ucum;

/// How far two quantities may differ and still be equal, when their units do: UCUM's factors are
/// measured, and computed in binary.
const TOLERANCE: f64 = 1e-10;

/// Longest unit that multiplying and dividing make.
const MAXIMUM_UNIT: usize = 200;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Quantity {
    pub(crate) value: Decimal,
    pub(crate) unit: QuantityUnit,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum QuantityUnit {
    /// `year`, `days` and so on.
    Calendar(TimeUnit),
    /// A code of UCUM; `1` for a plain number.
    Ucum(String),
    /// A unit of another system, or without one; `None` when nothing is said.
    Other(Option<String>),
}

/// The calendar's word, one or several.
pub(crate) fn calendar_unit(word: &str) -> Option<TimeUnit> {
    Some(match word.strip_suffix('s').unwrap_or(word) {
        "year" => TimeUnit::Year,
        "month" => TimeUnit::Month,
        "week" => TimeUnit::Week,
        "day" => TimeUnit::Day,
        "hour" => TimeUnit::Hour,
        "minute" => TimeUnit::Minute,
        "second" => TimeUnit::Second,
        "millisecond" => TimeUnit::Millisecond,
        _ => return None,
    })
}

fn calendar_word(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Year => "year",
        TimeUnit::Month => "month",
        TimeUnit::Week => "week",
        TimeUnit::Day => "day",
        TimeUnit::Hour => "hour",
        TimeUnit::Minute => "minute",
        TimeUnit::Second => "second",
        TimeUnit::Millisecond => "millisecond",
    }
}

impl Quantity {
    pub(crate) fn of_number(value: Decimal) -> Self {
        Self {
            value,
            unit: QuantityUnit::Ucum("1".to_owned()),
        }
    }

    /// A unit in quotes: UCUM's, but for the calendar's words.
    pub(crate) fn quoted_unit(text: &str) -> QuantityUnit {
        calendar_unit(text).map_or_else(
            || QuantityUnit::Ucum(text.to_owned()),
            QuantityUnit::Calendar,
        )
    }

    /// Reads what [`Display`] writes: `5 'mg'`, `3 days`, `7`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-')))
            .unwrap_or(text.len());
        let (number, rest) = text.split_at_checked(end)?;
        let value = parse_decimal(number)?;
        let unit = rest.trim_start();
        if unit.is_empty() {
            return Some(Self::of_number(value));
        }
        let quoted = unit
            .strip_prefix('\'')
            .and_then(|unit| unit.strip_suffix('\''));
        let unit = match quoted {
            Some(unit) if !unit.is_empty() => Self::quoted_unit(unit),
            Some(_) => return None,
            // A word stands apart from its number.
            None if rest.len() > unit.len() => QuantityUnit::Calendar(calendar_unit(unit)?),
            None => return None,
        };
        Some(Self { value, unit })
    }

    /// The unit's code in UCUM, where there is one that means the same.
    fn ucum(&self) -> Option<&str> {
        match &self.unit {
            QuantityUnit::Ucum(code) => Some(code),
            QuantityUnit::Calendar(unit) => match unit {
                TimeUnit::Year | TimeUnit::Month => None,
                TimeUnit::Week => Some("wk"),
                TimeUnit::Day => Some("d"),
                TimeUnit::Hour => Some("h"),
                TimeUnit::Minute => Some("min"),
                TimeUnit::Second => Some("s"),
                TimeUnit::Millisecond => Some("ms"),
            },
            QuantityUnit::Other(_) => None,
        }
    }

    /// How many of `other`'s unit one of this unit is; `None` when they do not measure the same.
    fn ratio(&self, other: &Self) -> Option<Ratio> {
        use QuantityUnit::Calendar;
        use TimeUnit::{Month, Year};
        if self.unit == other.unit {
            return Some(Ratio::Same);
        }
        match (&self.unit, &other.unit) {
            (Calendar(Year), Calendar(Month)) => return Some(Ratio::Factor(12.0)),
            (Calendar(Month), Calendar(Year)) => return Some(Ratio::Factor(1.0 / 12.0)),
            _ => {}
        }
        let (own, other) = (self.ucum()?, other.ucum()?);
        if own == other {
            return Some(Ratio::Same);
        }
        let (own, other) = (ucum::parse(own)?, ucum::parse(other)?);
        (own.dimension == other.dimension).then(|| Ratio::Factor(own.factor / other.factor))
    }

    /// Whether both measure the same (`comparable`).
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        match (self.ucum(), other.ucum()) {
            (Some(own), Some(others)) if ucum::is_known(own) && ucum::is_known(others) => {
                self.ratio(other).is_some()
            }
            (None, None) => self.ratio(other).is_some(),
            _ => false,
        }
    }

    /// Whether one counts years or months of the calendar and the other UCUM's, which are of
    /// another length.
    fn calendar_against_ucum(&self, other: &Self) -> bool {
        let long = |it: &Self| {
            matches!(
                it.unit,
                QuantityUnit::Calendar(TimeUnit::Year | TimeUnit::Month)
            )
        };
        long(self) != long(other)
            && [self, other].iter().all(|it| {
                long(it)
                    || it
                        .ucum()
                        .and_then(ucum::parse)
                        .is_some_and(|unit| unit.dimension == [0, 0, 1, 0, 0, 0, 0])
            })
    }

    /// `None` when the units do not compare.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        match self.ratio(other)? {
            Ratio::Same => Some(self.value.cmp(&other.value)),
            Ratio::Factor(factor) => {
                let (own, other) = (self.value.to_f64()? * factor, other.value.to_f64()?);
                if (own - other).abs() <= TOLERANCE * own.abs().max(other.abs()) {
                    return Some(Ordering::Equal);
                }
                own.partial_cmp(&other)
            }
        }
    }

    /// `=`: `None` when calendar and UCUM are compared by year or month.
    pub(crate) fn equal(&self, other: &Self) -> Option<bool> {
        if self.calendar_against_ucum(other) {
            return None;
        }
        Some(self.compare(other) == Some(Ordering::Equal))
    }

    /// `~`: as far as the less precise of both tells.
    pub(crate) fn equivalent(&self, other: &Self) -> bool {
        if self.calendar_against_ucum(other) {
            let year = |it: &Self| {
                let calendar = it.unit == QuantityUnit::Calendar(TimeUnit::Year);
                calendar || matches!(it.ucum(), Some("a" | "a_j" | "a_g"))
            };
            let month = |it: &Self| {
                let calendar = it.unit == QuantityUnit::Calendar(TimeUnit::Month);
                calendar || matches!(it.ucum(), Some("mo" | "mo_j" | "mo_g"))
            };
            let same = (year(self) && year(other)) || (month(self) && month(other));
            return same && self.value == other.value;
        }
        let step = |it: &Self| 10_f64.powi(-i32::try_from(it.value.scale()).unwrap_or(0));
        match self.ratio(other) {
            None => false,
            Some(Ratio::Same) => equivalent_decimals(self.value, other.value),
            Some(Ratio::Factor(factor)) => {
                let (Some(own), Some(others)) = (self.value.to_f64(), other.value.to_f64()) else {
                    return false;
                };
                let step = (step(self) * factor).max(step(other));
                ((own * factor / step).round() - (others / step).round()).abs() < 0.5
            }
        }
    }

    /// The same quantity in another unit.
    pub(crate) fn converted(&self, unit: QuantityUnit) -> Option<Self> {
        let target = Self {
            value: Decimal::ONE,
            unit,
        };
        let value = match self.ratio(&target)? {
            Ratio::Same => self.value,
            Ratio::Factor(factor) => scaled(self.value, factor)?,
        };
        Some(Self { value, ..target })
    }

    /// The sum or difference in the unit of the left one.
    pub(crate) fn plus(&self, other: &Self, sign: Decimal) -> Option<Self> {
        let other = other.converted(self.unit.clone())?;
        let value = self.value.checked_add(other.value.checked_mul(sign)?)?;
        Some(Self {
            value,
            unit: self.unit.clone(),
        })
    }

    pub(crate) fn times(&self, other: &Self) -> Option<Self> {
        let (own, others) = (self.ucum()?, other.ucum()?);
        let unit = match (own, others) {
            ("1", unit) | (unit, "1") => unit.to_owned(),
            (own, others) => format!("{}.{}", grouped(own), grouped(others)),
        };
        Self::checked(self.value.checked_mul(other.value)?, unit)
    }

    /// `None` for a division by zero, too.
    pub(crate) fn over(&self, other: &Self) -> Option<Self> {
        let (own, others) = (self.ucum()?, other.ucum()?);
        let unit = match (own, others) {
            (own, "1") => own.to_owned(),
            (own, others) if own == others => "1".to_owned(),
            ("1", others) => format!("/{}", grouped(others)),
            (own, others) => format!("{}/{}", grouped(own), grouped(others)),
        };
        Self::checked(self.value.checked_div(other.value)?, unit)
    }

    fn checked(value: Decimal, unit: String) -> Option<Self> {
        (unit.len() <= MAXIMUM_UNIT).then_some(Self {
            value,
            unit: QuantityUnit::Ucum(unit),
        })
    }

    /// What it adds to a date or time: the unit and the whole number of them. UCUM's years and
    /// months are none: their length is an average.
    pub(crate) fn duration(&self) -> Option<(i64, TimeUnit)> {
        let unit = match &self.unit {
            QuantityUnit::Calendar(unit) => *unit,
            QuantityUnit::Ucum(code) => match code.as_str() {
                "wk" => TimeUnit::Week,
                "d" => TimeUnit::Day,
                "h" => TimeUnit::Hour,
                "min" => TimeUnit::Minute,
                "s" => TimeUnit::Second,
                "ms" => TimeUnit::Millisecond,
                _ => return None,
            },
            QuantityUnit::Other(_) => return None,
        };
        Some((self.value.trunc().to_i64()?, unit))
    }

    /// The unit as the `unit` of a FHIR Quantity.
    pub(crate) fn unit_text(&self) -> Option<&str> {
        match &self.unit {
            QuantityUnit::Calendar(unit) => Some(calendar_word(*unit)),
            QuantityUnit::Ucum(code) => Some(code),
            QuantityUnit::Other(text) => text.as_deref(),
        }
    }
}

enum Ratio {
    Same,
    Factor(f64),
}

/// A unit that can stand beside `.` and `/`.
fn grouped(unit: &str) -> String {
    if unit.contains('/') || unit.contains('.') {
        format!("({unit})")
    } else {
        unit.to_owned()
    }
}

fn scaled(value: Decimal, factor: f64) -> Option<Decimal> {
    let exact = Decimal::from_f64(factor).and_then(|factor| value.checked_mul(factor));
    let scaled = exact.or_else(|| Decimal::from_f64(value.to_f64()? * factor))?;
    Some(scaled.normalize())
}

/// A decimal as FHIRPath writes it: no exponent.
pub(crate) fn parse_decimal(text: &str) -> Option<Decimal> {
    let digits = text.trim_start_matches(['+', '-']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let signs = text.len() - digits.len();
    (signs <= 1 && plain(whole) && plain(fraction))
        .then(|| text.parse().ok())
        .flatten()
}

/// Whether two decimals are the same, rounded to the digits of the less precise one.
pub(crate) fn equivalent_decimals(left: Decimal, right: Decimal) -> bool {
    let digits = left.normalize().scale().min(right.normalize().scale());
    left.round_dp(digits) == right.round_dp(digits)
}

impl Display for Quantity {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match &self.unit {
            QuantityUnit::Calendar(unit) => {
                let plural = if self.value == Decimal::ONE { "" } else { "s" };
                write!(formatter, "{} {}{plural}", self.value, calendar_word(*unit))
            }
            QuantityUnit::Ucum(unit) | QuantityUnit::Other(Some(unit)) => {
                write!(formatter, "{} '{unit}'", self.value)
            }
            QuantityUnit::Other(None) => write!(formatter, "{}", self.value),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    #[rstest]
    #[case("1 'g'", "1000 'mg'", Some(true))]
    #[case("1 'g'", "1 'm'", Some(false))]
    #[case("1 year", "12 months", Some(true))]
    #[case("1 year", "1 'a'", None)]
    #[case("1 month", "30 days", None)]
    #[case("24 hours", "1 day", Some(true))]
    #[case("1 'Cel'", "1.0 'Cel'", Some(true))]
    #[case("98.6 '[degF]'", "37 'Cel'", Some(false))]
    fn is_equal(#[case] left: &str, #[case] right: &str, #[case] expected: Option<bool>) {
        assert_eq!(quantity(left).equal(&quantity(right)), expected);
        assert_eq!(quantity(right).equal(&quantity(left)), expected);
    }

    #[rstest]
    #[case("4 'g'", "4040 'mg'", true)]
    #[case("4040 'mg'", "4 'g'", true)]
    #[case("4.0 'g'", "4040 'mg'", true)]
    #[case("4.00 'g'", "4040 'mg'", false)]
    #[case("1 year", "1 'a'", true)]
    #[case("1 month", "1 'a'", false)]
    #[case("1 'kg'", "1 'm'", false)]
    fn is_equivalent(#[case] left: &str, #[case] right: &str, #[case] expected: bool) {
        assert_eq!(quantity(left).equivalent(&quantity(right)), expected);
    }

    #[test]
    fn units_are_multiplied_and_divided() {
        let product = quantity("2 'cm'").times(&quantity("3 'm'")).unwrap();
        assert_eq!(product.to_string(), "6 'cm.m'");
        let ratio = product.over(&quantity("2 's/m'")).unwrap();
        assert_eq!(ratio.to_string(), "3 '(cm.m)/(s/m)'");
        assert_eq!(quantity("1 'm'").over(&quantity("0 's'")), None);
        let sum = quantity("1 'kg'").plus(&quantity("500 'g'"), Decimal::ONE);
        assert_eq!(sum.unwrap().to_string(), "1.5 'kg'");
    }

    #[rstest]
    #[case("1 wk")]
    #[case("1days")]
    #[case("1 ''")]
    #[case("a")]
    #[case("1.")]
    #[case("+-1")]
    #[case("99999999999999999999999999999999999999999")]
    fn is_no_quantity(#[case] text: &str) {
        assert_eq!(Quantity::parse(text), None);
    }
}
