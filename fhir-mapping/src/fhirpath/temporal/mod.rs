//! Dates and times of any precision (FHIRPath 2.1.6 to 2.1.8): reading, comparing, arithmetic and
//! boundaries.

mod arithmetic;
mod boundary;
mod read;

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

pub(crate) use arithmetic::TimeUnit;

/// Minutes from UTC of the earliest and the latest clock on earth.
const EARLIEST_ZONE: i32 = 14 * 60;
const LATEST_ZONE: i32 = -12 * 60;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TemporalKind {
    Date,
    DateTime,
    Time,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Precision {
    Year,
    Month,
    Day,
    Hour,
    Minute,
    Second,
    /// With digits after the point of the second.
    Fraction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Temporal {
    pub(crate) kind: TemporalKind,
    /// The earliest moment that it may be; on the first day of chrono's era for a time.
    start: NaiveDateTime,
    precision: Precision,
    fraction_digits: u8,
    zone: Option<Zone>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Zone {
    minutes: i32,
    /// Written as `Z`.
    utc: bool,
}

impl Temporal {
    /// The date of a date or of a dateTime.
    pub(crate) fn to_date(self) -> Self {
        Self {
            kind: TemporalKind::Date,
            start: self.start.date().and_time(NaiveTime::MIN),
            precision: self.precision.min(Precision::Day),
            fraction_digits: 0,
            zone: None,
        }
    }

    pub(crate) fn to_date_time(self) -> Self {
        Self {
            kind: TemporalKind::DateTime,
            ..self
        }
    }

    /// The latest moment that it may be.
    fn end(&self) -> NaiveDateTime {
        let date = self.start.date();
        let last = |date: Option<NaiveDate>| {
            let before = date.and_then(|date| date.pred_opt());
            before
                .unwrap_or(self.start.date())
                .and_hms_nano_opt(23, 59, 59, 999_999_999)
        };
        let end = match self.precision {
            Precision::Year => last(date.checked_add_months(Months::new(12))),
            Precision::Month => last(date.checked_add_months(Months::new(1))),
            Precision::Day => last(date.succ_opt()),
            Precision::Hour => self
                .start
                .checked_add_signed(TimeDelta::hours(1) - TimeDelta::nanoseconds(1)),
            Precision::Minute => self
                .start
                .checked_add_signed(TimeDelta::minutes(1) - TimeDelta::nanoseconds(1)),
            Precision::Second | Precision::Fraction => None,
        };
        end.unwrap_or(self.start)
    }

    /// Whether both are times, or neither is.
    pub(crate) fn is_comparable(&self, other: &Self) -> bool {
        (self.kind == TemporalKind::Time) == (other.kind == TemporalKind::Time)
    }

    /// `None` when precision or zone leave it open.
    pub(crate) fn compare(&self, other: &Self) -> Option<Ordering> {
        // A time of the zone is later in UTC by what the zone is behind.
        let span = |it: &Self, earliest: i32, latest: i32| {
            let shift = |moment: NaiveDateTime, minutes: i32| {
                let by = TimeDelta::minutes(i64::from(minutes));
                moment.checked_sub_signed(by).unwrap_or(moment)
            };
            (shift(it.start, earliest), shift(it.end(), latest))
        };
        let of = |it: &Self, other: &Self| match (it.zone, other.zone) {
            (Some(zone), _) => span(it, zone.minutes, zone.minutes),
            (None, Some(_)) => span(it, EARLIEST_ZONE, LATEST_ZONE),
            (None, None) => span(it, 0, 0),
        };
        let (start, end) = of(self, other);
        let (other_start, other_end) = of(other, self);
        let whole = |precision: Precision| precision.min(Precision::Second);
        if end < other_start {
            Some(Ordering::Less)
        } else if start > other_end {
            Some(Ordering::Greater)
        } else if whole(self.precision) == whole(other.precision)
            && self.zone.is_some() == other.zone.is_some()
            && start == other_start
        {
            Some(Ordering::Equal)
        } else {
            None
        }
    }

    /// Whether both say the same with the same precision.
    pub(crate) fn equivalent(&self, other: &Self) -> bool {
        self.is_comparable(other) && self.compare(other) == Some(Ordering::Equal)
    }
}

impl Display for Temporal {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let (date, time) = (self.start.date(), self.start.time());
        if self.kind != TemporalKind::Time {
            write!(formatter, "{:04}", date.year())?;
            if self.precision >= Precision::Month {
                write!(formatter, "-{:02}", date.month())?;
            }
            if self.precision >= Precision::Day {
                write!(formatter, "-{:02}", date.day())?;
            }
            if self.precision <= Precision::Day {
                return Ok(());
            }
            formatter.write_str("T")?;
        }
        write!(formatter, "{:02}", time.hour())?;
        if self.precision >= Precision::Minute {
            write!(formatter, ":{:02}", time.minute())?;
        }
        if self.precision >= Precision::Second {
            write!(formatter, ":{:02}", time.second())?;
        }
        if self.precision == Precision::Fraction {
            let digits = format!("{:09}", time.nanosecond());
            let kept = digits.get(..usize::from(self.fraction_digits.max(1)));
            write!(formatter, ".{}", kept.unwrap_or(&digits))?;
        }
        match self.zone {
            None => Ok(()),
            Some(zone) if zone.utc => formatter.write_str("Z"),
            Some(zone) => {
                let sign = if zone.minutes < 0 { '-' } else { '+' };
                let minutes = zone.minutes.abs();
                write!(formatter, "{sign}{:02}:{:02}", minutes / 60, minutes % 60)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Option<Temporal> {
        if let Some(time) = text.strip_prefix('T') {
            return Temporal::parse(TemporalKind::Time, time);
        }
        let kind = if text.contains('T') {
            TemporalKind::DateTime
        } else {
            TemporalKind::Date
        };
        Temporal::parse(kind, text)
    }

    #[rstest]
    #[case("2024")]
    #[case("2024-02")]
    #[case("2024-02-29")]
    #[case("2024-02-29T10")]
    #[case("2024-02-29T10:05+05:45")]
    #[case("2024-02-29T10:05:06Z")]
    #[case("2024-02-29T10:05:06.0450-11:00")]
    fn is_written_as_it_was_read(#[case] text: &str) {
        assert_eq!(read(text).unwrap().to_string(), text);
    }

    #[rstest]
    #[case("2023-02-29")]
    #[case("2024-13")]
    #[case("2024-1")]
    #[case("0000")]
    #[case("2024-02-29T25")]
    #[case("2024-02T10")]
    #[case("2024-02-29T10:05+15:00")]
    #[case("2024-02-29T10:05+5")]
    #[case("T10:60")]
    #[case("T10:00Z")]
    #[case("20é4")]
    fn is_refused(#[case] text: &str) {
        assert_eq!(read(text), None);
    }

    #[rstest]
    #[case("2024", "2025-01", Some(Ordering::Less))]
    #[case("2024", "2024-01", None)]
    #[case("2024-01-01", "2024-01-02T00:00:00Z", None)]
    #[case("2024-01-01", "2024-01-03T00:00:00Z", Some(Ordering::Less))]
    #[case("2024-01-01T10:00Z", "2024-01-01T11:00+01:00", Some(Ordering::Equal))]
    #[case(
        "2024-01-01T10:00:00Z",
        "2024-01-01T10:00:00.000Z",
        Some(Ordering::Equal)
    )]
    #[case("2024-01-01T10:00", "2024-01-01T10:00:01", None)]
    #[case("T10:00", "T10:01", Some(Ordering::Less))]
    fn is_compared(#[case] left: &str, #[case] right: &str, #[case] expected: Option<Ordering>) {
        let (left, right) = (read(left).unwrap(), read(right).unwrap());
        assert_eq!(left.compare(&right), expected);
        assert_eq!(right.compare(&left), expected.map(Ordering::reverse));
    }

    #[rstest]
    #[case("2024-01-31", 1, TimeUnit::Month, "2024-02-29")]
    #[case("2024-02-29", 1, TimeUnit::Year, "2025-02-28")]
    #[case("2024-03-01", -1, TimeUnit::Day, "2024-02-29")]
    #[case("2024", 24, TimeUnit::Month, "2026")]
    #[case("2024", 400, TimeUnit::Day, "2025")]
    #[case("2024-01", 61, TimeUnit::Day, "2024-03")]
    #[case("2024-01-01", 49, TimeUnit::Hour, "2024-01-03")]
    #[case("T23:30", 45, TimeUnit::Minute, "T00:15")]
    #[case(
        "2024-01-01T00:00:00",
        1500,
        TimeUnit::Millisecond,
        "2024-01-01T00:00:01"
    )]
    fn is_added_to(
        #[case] text: &str,
        #[case] amount: i64,
        #[case] unit: TimeUnit,
        #[case] expected: &str,
    ) {
        let sum = read(text).unwrap().add(amount, unit).unwrap();
        assert_eq!(sum.to_string(), expected.trim_start_matches('T'));
    }

    #[test]
    fn time_ends() {
        assert_eq!(read("9999").unwrap().add(1, TimeUnit::Year), None);
        assert_eq!(
            read("2024-01-01").unwrap().add(i64::MAX, TimeUnit::Week),
            None
        );
        assert_eq!(
            read("2024-01-01").unwrap().add(i64::MIN, TimeUnit::Day),
            None
        );
    }
}
