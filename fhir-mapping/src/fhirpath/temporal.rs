//! Dates and times of any precision (FHIRPath 2.1.6 to 2.1.8): reading, comparing, arithmetic and
//! boundaries.

use std::cmp::Ordering;
use std::fmt::{self, Display, Formatter};

use chrono::{Datelike, Days, Months, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Timelike};

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

/// What may be added to a date or time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeUnit {
    Year,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
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

/// Reads digits from the front of a text.
struct Reader<'t>(&'t str);

impl Reader<'_> {
    fn digits(&mut self, count: usize) -> Option<u32> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = rest;
        digits.parse().ok()
    }

    fn take(&mut self, mark: char) -> bool {
        let rest = self.0.strip_prefix(mark);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn clock(&mut self) -> Option<(NaiveTime, Precision, u8)> {
        let hour = self.digits(2)?;
        let (mut minute, mut second, mut nanoseconds) = (0, 0, 0);
        let (mut precision, mut fraction_digits) = (Precision::Hour, 0);
        if self.take(':') {
            minute = self.digits(2)?;
            precision = Precision::Minute;
            if self.take(':') {
                second = self.digits(2)?;
                precision = Precision::Second;
                if self.take('.') {
                    precision = Precision::Fraction;
                    let count = self.0.bytes().take_while(u8::is_ascii_digit).count();
                    let (fraction, rest) = self.0.split_at_checked(count)?;
                    self.0 = rest;
                    // Nobody measures what is beyond nanoseconds.
                    let kept = fraction.get(..count.min(9))?;
                    fraction_digits = u8::try_from(kept.len()).ok()?;
                    let scale = 9_u32.checked_sub(u32::from(fraction_digits))?;
                    nanoseconds = kept.parse::<u32>().ok()? * 10_u32.pow(scale);
                }
            }
        }
        // A leap second is the end of the second before it, as far as FHIR's times go.
        if second == 60 {
            (second, nanoseconds) = (59, 999_999_999);
        }
        let time = NaiveTime::from_hms_nano_opt(hour, minute, second, nanoseconds)?;
        Some((time, precision, fraction_digits))
    }

    fn zone(&mut self) -> Option<Option<Zone>> {
        if self.take('Z') {
            return Some(Some(Zone {
                minutes: 0,
                utc: true,
            }));
        }
        let sign = if self.take('+') {
            1
        } else if self.take('-') {
            -1
        } else {
            return Some(None);
        };
        let hours = i32::try_from(self.digits(2)?).ok()?;
        let minutes = self
            .take(':')
            .then(|| self.digits(2))
            .flatten()
            .and_then(|minutes| i32::try_from(minutes).ok())?;
        (hours <= 14 && minutes < 60).then_some(Some(Zone {
            minutes: sign * (hours * 60 + minutes),
            utc: false,
        }))
    }
}

impl Temporal {
    /// Reads what FHIR and FHIRPath write, without `@`; a time without `T`.
    pub(crate) fn parse(kind: TemporalKind, text: &str) -> Option<Self> {
        let mut reader = Reader(text);
        let mut read = Self {
            kind,
            start: NaiveDate::from_ymd_opt(1, 1, 1)?.and_time(NaiveTime::MIN),
            precision: Precision::Year,
            fraction_digits: 0,
            zone: None,
        };
        if kind == TemporalKind::Time {
            let (time, precision, fraction_digits) = reader.clock()?;
            read.start = read.start.date().and_time(time);
            (read.precision, read.fraction_digits) = (precision, fraction_digits);
            return reader.0.is_empty().then_some(read);
        }
        let year = i32::try_from(reader.digits(4)?).ok()?;
        let (mut month, mut day) = (1, 1);
        if reader.take('-') {
            month = reader.digits(2)?;
            read.precision = Precision::Month;
            if reader.take('-') {
                day = reader.digits(2)?;
                read.precision = Precision::Day;
            }
        }
        let date = NaiveDate::from_ymd_opt(year, month, day)?;
        read.start = date.and_time(NaiveTime::MIN);
        if kind == TemporalKind::DateTime && reader.take('T') && !reader.0.is_empty() {
            let (time, precision, fraction_digits) = reader.clock()?;
            if read.precision != Precision::Day {
                return None;
            }
            read.start = date.and_time(time);
            (read.precision, read.fraction_digits) = (precision, fraction_digits);
            read.zone = reader.zone()?;
        }
        (reader.0.is_empty() && year > 0).then_some(read)
    }

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

    /// Adds whole units; what is finer than the own precision counts as far as it makes whole ones
    /// of it (FHIRPath 6.6.7). `None` beyond the years 1 to 9999.
    pub(crate) fn add(&self, amount: i64, unit: TimeUnit) -> Option<Self> {
        let (mut amount, mut unit) = (amount, unit);
        if unit == TimeUnit::Week {
            (amount, unit) = (amount.checked_mul(7)?, TimeUnit::Day);
        }
        let precision_of = |unit: TimeUnit| match unit {
            TimeUnit::Year => Precision::Year,
            TimeUnit::Month => Precision::Month,
            TimeUnit::Week | TimeUnit::Day => Precision::Day,
            TimeUnit::Hour => Precision::Hour,
            TimeUnit::Minute => Precision::Minute,
            TimeUnit::Second => Precision::Second,
            TimeUnit::Millisecond => Precision::Fraction,
        };
        while precision_of(unit) > self.precision && precision_of(unit) > Precision::Year {
            if precision_of(unit) == Precision::Fraction && self.precision == Precision::Second {
                (amount, unit) = (amount / 1000, TimeUnit::Second);
                break;
            }
            (amount, unit) = match unit {
                TimeUnit::Millisecond => (amount / 1000, TimeUnit::Second),
                TimeUnit::Second => (amount / 60, TimeUnit::Minute),
                TimeUnit::Minute => (amount / 60, TimeUnit::Hour),
                TimeUnit::Hour => (amount / 24, TimeUnit::Day),
                TimeUnit::Day | TimeUnit::Week if self.precision == Precision::Year => {
                    (amount / 365, TimeUnit::Year)
                }
                TimeUnit::Day | TimeUnit::Week => (amount / 30, TimeUnit::Month),
                TimeUnit::Month | TimeUnit::Year => (amount / 12, TimeUnit::Year),
            };
        }
        let months = |count: i64| -> Option<NaiveDateTime> {
            let months = Months::new(u32::try_from(count.unsigned_abs()).ok()?);
            if count < 0 {
                self.start.checked_sub_months(months)
            } else {
                self.start.checked_add_months(months)
            }
        };
        let moment = match unit {
            TimeUnit::Year => months(amount.checked_mul(12)?)?,
            TimeUnit::Month => months(amount)?,
            TimeUnit::Week | TimeUnit::Day => {
                let days = Days::new(amount.unsigned_abs());
                if amount < 0 {
                    self.start.checked_sub_days(days)?
                } else {
                    self.start.checked_add_days(days)?
                }
            }
            TimeUnit::Hour => self
                .start
                .checked_add_signed(TimeDelta::try_hours(amount)?)?,
            TimeUnit::Minute => self
                .start
                .checked_add_signed(TimeDelta::try_minutes(amount)?)?,
            TimeUnit::Second => self
                .start
                .checked_add_signed(TimeDelta::try_seconds(amount)?)?,
            TimeUnit::Millisecond => self
                .start
                .checked_add_signed(TimeDelta::try_milliseconds(amount)?)?,
        };
        let mut sum = *self;
        sum.start = if self.kind == TemporalKind::Time {
            // A clock goes round.
            self.start.date().and_time(moment.time())
        } else {
            moment
        };
        (1..=9999).contains(&sum.start.year()).then_some(sum)
    }

    /// How many digits it is written with: 4 for a year, 17 for a dateTime with milliseconds.
    pub(crate) fn digits(&self) -> u8 {
        let date_digits = if self.kind == TemporalKind::Time {
            0
        } else {
            8
        };
        match self.precision {
            Precision::Year => 4,
            Precision::Month => 6,
            Precision::Day => 8,
            Precision::Hour => date_digits + 2,
            Precision::Minute => date_digits + 4,
            Precision::Second => date_digits + 6,
            Precision::Fraction => date_digits + 6 + self.fraction_digits,
        }
    }

    /// The earliest or the latest value of so many digits that it may stand for; `None` for a
    /// number of digits that no such value has.
    pub(crate) fn boundary(&self, digits: Option<i64>, high: bool) -> Option<Self> {
        let (most, date_digits) = match self.kind {
            TemporalKind::Date => (8, 8),
            TemporalKind::DateTime => (17, 8),
            TemporalKind::Time => (9, 0),
        };
        let digits = digits.unwrap_or(most);
        if digits > most {
            return None;
        }
        let precision = match digits - date_digits {
            -4 if date_digits == 8 => Precision::Year,
            -2 if date_digits == 8 => Precision::Month,
            0 if date_digits == 8 => Precision::Day,
            2 => Precision::Hour,
            4 => Precision::Minute,
            6 => Precision::Second,
            9 => Precision::Fraction,
            _ => return None,
        };
        let moment = if high { self.end() } else { self.start };
        let millisecond = moment.nanosecond() / 1_000_000;
        let date = moment.date();
        let cut = match precision {
            Precision::Year => NaiveDate::from_ymd_opt(date.year(), 1, 1)?.and_time(NaiveTime::MIN),
            Precision::Month => date.with_day(1)?.and_time(NaiveTime::MIN),
            Precision::Day => date.and_time(NaiveTime::MIN),
            Precision::Hour => date.and_hms_opt(moment.hour(), 0, 0)?,
            Precision::Minute => date.and_hms_opt(moment.hour(), moment.minute(), 0)?,
            Precision::Second => {
                date.and_hms_opt(moment.hour(), moment.minute(), moment.second())?
            }
            Precision::Fraction => {
                // The latest of a whole second is its last millisecond.
                let last = high && self.precision == Precision::Second;
                date.and_hms_milli_opt(
                    moment.hour(),
                    moment.minute(),
                    moment.second(),
                    if last { 999 } else { millisecond },
                )?
            }
        };
        let zoned = self.kind == TemporalKind::DateTime && precision > Precision::Day;
        let open = Zone {
            minutes: if high { LATEST_ZONE } else { EARLIEST_ZONE },
            utc: false,
        };
        Some(Self {
            kind: self.kind,
            start: cut,
            precision,
            fraction_digits: if precision == Precision::Fraction {
                3
            } else {
                0
            },
            zone: zoned.then(|| self.zone.unwrap_or(open)),
        })
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
