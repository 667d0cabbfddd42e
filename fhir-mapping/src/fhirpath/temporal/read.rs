//! Dates and times from text.

use chrono::{NaiveDate, NaiveTime};

use super::{Precision, Temporal, TemporalKind, Zone};

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
}
