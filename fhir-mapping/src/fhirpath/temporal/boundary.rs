//! How precise a date or time is, and between which moments it may be.

use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};

use super::{EARLIEST_ZONE, LATEST_ZONE, Precision, Temporal, TemporalKind, Zone};

impl Temporal {
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
