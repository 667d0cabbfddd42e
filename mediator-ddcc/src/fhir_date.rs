//! FHIR `date` and `dateTime` (FHIR R4 2.24.0.1), which may know only a year or a month.

use chrono::{DateTime, Days, Months, NaiveDate, NaiveTime, Utc};

/// The days that a FHIR `date` (`YYYY`, `YYYY-MM` or `YYYY-MM-DD`) covers, first and last;
/// `None` when it is no such date.
#[must_use]
pub fn days_of_date(text: &str) -> Option<(NaiveDate, NaiveDate)> {
    let digits_at = |positions: &[usize], dashes: &[usize]| {
        text.bytes().enumerate().all(|(index, byte)| {
            (positions.contains(&index) && byte.is_ascii_digit())
                || (dashes.contains(&index) && byte == b'-')
        })
    };
    match text.len() {
        4 if digits_at(&[0, 1, 2, 3], &[]) => {
            let first = NaiveDate::from_ymd_opt(text.parse().ok()?, 1, 1)?;
            Some((first, first + Months::new(12) - Days::new(1)))
        }
        7 if digits_at(&[0, 1, 2, 3, 5, 6], &[4]) => {
            let first =
                NaiveDate::from_ymd_opt(text[..4].parse().ok()?, text[5..].parse().ok()?, 1)?;
            Some((first, first + Months::new(1) - Days::new(1)))
        }
        10 if digits_at(&[0, 1, 2, 3, 5, 6, 8, 9], &[4, 7]) => {
            let day = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some((day, day))
        }
        _ => None,
    }
}

/// The instants that a FHIR `date` or `dateTime` covers, first and last, in whole seconds. A date
/// without time is taken in UTC, the only zone that everyone who reads it knows.
#[must_use]
pub fn instants(text: &str) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    if let Some((first, last)) = days_of_date(text) {
        let end_of_day = NaiveTime::from_hms_opt(23, 59, 59)?;
        return Some((
            first.and_time(NaiveTime::MIN).and_utc(),
            last.and_time(end_of_day).and_utc(),
        ));
    }
    // RFC 3339 knows leap seconds, a space for the `T` and lower case; FHIR only the first.
    let strict = text.as_bytes().get(10) == Some(&b'T') && !text.ends_with('z');
    let instant = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    strict.then_some((instant, instant))
}

/// The day of a FHIR `date` or `dateTime` as `YYYY-MM-DD`, as it was where it was written; `None`
/// when it names no day.
#[must_use]
pub fn day(text: &str) -> Option<&str> {
    instants(text)?;
    text.get(..10)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(text: &str) -> Option<String> {
        instants(text).map(|(first, last)| format!("{} {}", first.to_rfc3339(), last.to_rfc3339()))
    }

    #[test]
    fn a_partial_date_covers_all_its_days() {
        assert_eq!(
            covered("2024").as_deref(),
            Some("2024-01-01T00:00:00+00:00 2024-12-31T23:59:59+00:00")
        );
        assert_eq!(
            covered("2024-02").as_deref(),
            Some("2024-02-01T00:00:00+00:00 2024-02-29T23:59:59+00:00")
        );
        assert_eq!(
            covered("2024-02-29").as_deref(),
            Some("2024-02-29T00:00:00+00:00 2024-02-29T23:59:59+00:00")
        );
    }

    #[test]
    fn a_date_time_is_one_instant() {
        assert_eq!(
            covered("2024-02-29T23:30:00-02:00").as_deref(),
            Some("2024-03-01T01:30:00+00:00 2024-03-01T01:30:00+00:00")
        );
        assert_eq!(day("2024-02-29T23:30:00-02:00"), Some("2024-02-29"));
        assert_eq!(day("2024-02-29"), Some("2024-02-29"));
        for text in ["2024-02", "2024", "2024-02-31", "2024-02-29T99:00:00Z"] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_date() {
        for text in [
            "",
            "24",
            "2023-02-29",
            "2023-13",
            "2023-00-01",
            "2023-1-1",
            "+023-01-01",
            "2023-02-01T",
            "2023-02-01T10:00",
            "2023-02-01T10:00:00",
            "2023-02-01 10:00:00Z",
            "2023-02-01T10:00:00z",
            "2023-02-01T25:00:00Z",
            "２０２３",
        ] {
            assert_eq!(covered(text), None, "{text}");
        }
    }
}
