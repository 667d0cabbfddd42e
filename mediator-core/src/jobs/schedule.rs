use chrono::{DateTime, FixedOffset, Offset as _, SubsecRound as _, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;
use croner::parser::{CronParser, Seconds};
use croner::{Cron, JobType};

/// More than the changes of a time zone's offset between now and any date that a schedule of use
/// names.
const MAXIMUM_OFFSET_CHANGES: usize = 256;

/// When a job runs: a cron expression in a time zone.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    expression: String,
    cron: Cron,
    time_zone: Tz,
}

impl Schedule {
    /// # Errors
    /// A sentence for each thing wrong with either.
    pub(super) fn parse(expression: &str, time_zone: &str) -> Result<Self, Vec<String>> {
        let mut mistakes = Vec::new();
        let cron = parse_expression(expression)
            .map_err(|mistake| mistakes.push(mistake))
            .ok();
        let time_zone = time_zone
            .parse::<Tz>()
            .map_err(|_| {
                mistakes.push(format!(
                    "time zone {time_zone:?} is not in the IANA database; write one like \"Africa/Nairobi\" or \"UTC\""
                ));
            })
            .ok();
        let (Some(cron), Some(time_zone)) = (cron, time_zone) else {
            return Err(mistakes);
        };
        let schedule = Self {
            expression: expression.to_owned(),
            cron,
            time_zone,
        };
        if schedule.next_after(Utc::now()).is_none() {
            return Err(vec![format!(
                "cron expression {expression:?} names no time that is still to come"
            )]);
        }
        Ok(schedule)
    }

    pub(super) fn expression(&self) -> &str {
        &self.expression
    }

    pub(super) fn time_zone(&self) -> Tz {
        self.time_zone
    }

    /// The first time of this schedule that is later than `after`.
    ///
    /// When clocks change, a fixed time of day comes exactly once: in the hour that is left out at
    /// the hour's end, in the hour that is repeated at its first passing. An expression with a
    /// wildcard, range or step in its time of day goes by the clock on the wall: nothing in the
    /// hour that is left out, everything twice in the one that is repeated.
    pub(super) fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // croner carries fractions of a second on, and replicas would not agree on a time.
        let after = after.trunc_subsecs(0);
        match self.cron.determine_job_type() {
            JobType::FixedTime => self
                .cron
                .iter_after(after.with_timezone(&self.time_zone))
                .map(|time| time.to_utc())
                .find(|time| *time > after),
            JobType::IntervalWildcard => self.next_on_the_wall(after),
        }
    }

    /// croner alone leaves out the second passing of an hour when asked for one time after the
    /// other, so each stretch of constant offset is searched by itself.
    fn next_on_the_wall(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let mut start = after;
        let mut inclusive = false;
        for _ in 0..MAXIMUM_OFFSET_CHANGES {
            let offset = self.offset_at(start);
            let next = self
                .cron
                .find_next_occurrence(&start.with_timezone(&offset), inclusive)
                .ok()?
                .to_utc();
            if self.offset_at(next) == offset {
                return Some(next);
            }
            start = self.offset_change_between(start, next);
            inclusive = true;
        }
        None
    }

    fn offset_at(&self, time: DateTime<Utc>) -> FixedOffset {
        self.time_zone
            .offset_from_utc_datetime(&time.naive_utc())
            .fix()
    }

    /// The first second of another offset than `from` has; `until` has another.
    fn offset_change_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> DateTime<Utc> {
        let offset = self.offset_at(from);
        let (mut before, mut changed) = (from.timestamp(), until.timestamp());
        let at = |second: i64| from + TimeDelta::seconds(second - from.timestamp());
        while changed - before > 1 {
            let middle = before + (changed - before) / 2;
            if self.offset_at(at(middle)) == offset {
                before = middle;
            } else {
                changed = middle;
            }
        }
        DateTime::from_timestamp(changed, 0).unwrap_or(until)
    }
}

fn parse_expression(expression: &str) -> Result<Cron, String> {
    CronParser::builder()
        .seconds(Seconds::Required)
        .build()
        .parse(expression)
        .map_err(|error| {
            format!(
                "cron expression {expression:?} cannot be read: {error} Its fields are second, minute, hour, day of month, month, day of week and, if wanted, year"
            )
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn times(expression: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let mut time = utc(after);
        (0..count)
            .map(|_| {
                time = schedule.next_after(time).unwrap();
                time.with_timezone(&schedule.time_zone())
                    .format("%m-%d %H:%M:%S %z")
                    .to_string()
            })
            .collect()
    }

    #[rstest]
    #[case("0 0 3 * * *", "UTC", "2026-03-01T03:00:00Z", &["03-02 03:00:00 +0000"])]
    #[case("*/20 * * * * *", "UTC", "2026-03-01T00:00:05Z",
        &["03-01 00:00:20 +0000", "03-01 00:00:40 +0000", "03-01 00:01:00 +0000"])]
    #[case("0 30 9 * * MON", "Asia/Kolkata", "2026-03-01T00:00:00Z", &["03-02 09:30:00 +0530"])]
    // Day of month and day of week: either, as in every cron.
    #[case("0 0 0 15 * MON", "UTC", "2026-03-09T00:00:00Z",
        &["03-15 00:00:00 +0000", "03-16 00:00:00 +0000"])]
    fn follows_the_expression(
        #[case] expression: &str,
        #[case] zone: &str,
        #[case] after: &str,
        #[case] expected: &[&str],
    ) {
        assert_eq!(times(expression, zone, after, expected.len()), expected);
    }

    #[test]
    fn keeps_the_time_of_day_through_a_change_of_clocks() {
        assert_eq!(
            times("0 0 8 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            [
                "03-28 08:00:00 +0100",
                "03-29 08:00:00 +0200",
                "03-30 08:00:00 +0200"
            ]
        );
    }

    #[test]
    fn a_fixed_time_comes_once_when_its_hour_is_left_out_or_repeated() {
        assert_eq!(
            times("0 30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", 2),
            ["03-29 03:00:00 +0200", "03-30 02:30:00 +0200"]
        );
        assert_eq!(
            times("0 30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["10-25 02:30:00 +0200", "10-26 02:30:00 +0100"]
        );
        // Asked between the two passings.
        assert_eq!(
            times("0 30 2 * * *", "Europe/Berlin", "2026-10-25T01:10:00Z", 1),
            ["10-26 02:30:00 +0100"]
        );
    }

    #[test]
    fn steps_go_by_the_clock_on_the_wall() {
        assert_eq!(
            times("0 */30 * * * *", "Europe/Berlin", "2026-10-24T23:45:00Z", 6),
            [
                "10-25 02:00:00 +0200",
                "10-25 02:30:00 +0200",
                "10-25 02:00:00 +0100",
                "10-25 02:30:00 +0100",
                "10-25 03:00:00 +0100",
                "10-25 03:30:00 +0100",
            ]
        );
        assert_eq!(
            times("0 */30 * * * *", "Europe/Berlin", "2026-03-29T00:15:00Z", 3),
            [
                "03-29 01:30:00 +0100",
                "03-29 03:00:00 +0200",
                "03-29 03:30:00 +0200"
            ]
        );
    }

    #[rstest]
    #[case("0 3 * * *", "UTC", 1, "6 or 7 fields")]
    #[case("0 0 25 * * *", "UTC", 1, "cron expression")]
    #[case("0 0 3 * * *", "Mars/Olympus", 1, "IANA")]
    #[case("often", "here", 2, "cron expression")]
    #[case("0 0 0 30 2 *", "UTC", 1, "still to come")]
    #[case("0 0 0 1 1 * 2020", "UTC", 1, "still to come")]
    #[case("", "UTC", 1, "empty")]
    fn tells_every_mistake(
        #[case] expression: &str,
        #[case] zone: &str,
        #[case] count: usize,
        #[case] says: &str,
    ) {
        let mistakes = Schedule::parse(expression, zone).unwrap_err();
        assert_eq!(mistakes.len(), count, "{mistakes:?}");
        assert!(mistakes[0].contains(says), "{mistakes:?}");
    }

    proptest! {
        #[test]
        fn the_next_time_is_later_and_matches(
            second in 0_u32..60, minute in 0_u32..60, step in 1_u32..24,
            after in 1_700_000_000_000_i64..2_000_000_000_000,
            zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "Australia/Lord_Howe", "America/St_Johns"]),
        ) {
            let schedule = Schedule::parse(&format!("{second} {minute} */{step} * * *"), zone).unwrap();
            let after = DateTime::from_timestamp_millis(after).unwrap();
            let next = schedule.next_after(after).unwrap();
            prop_assert!(next > after);
            prop_assert_eq!(next.timestamp_subsec_nanos(), 0);
            prop_assert!(schedule.cron.is_time_matching(&next.with_timezone(&schedule.time_zone)).unwrap());
            prop_assert!(next - after <= TimeDelta::hours(26));
        }

        #[test]
        fn any_text_is_read_or_refused(expression in ".{0,40}", zone in ".{0,20}") {
            let _ = Schedule::parse(&expression, &zone);
        }
    }
}
