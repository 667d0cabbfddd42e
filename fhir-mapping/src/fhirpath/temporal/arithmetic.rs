//! What comes after a date or time (FHIRPath 6.6.7).

use chrono::{Datelike, Days, Months, NaiveDateTime, TimeDelta};

use super::{Precision, Temporal, TemporalKind};

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

impl Temporal {
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
}
