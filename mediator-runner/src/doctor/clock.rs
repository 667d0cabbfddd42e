use chrono::{DateTime, TimeDelta, Utc};

use super::finding::Finding;

/// Tokens are refused, and certificates not valid yet, when clocks differ by more.
const TOLERABLE: TimeDelta = TimeDelta::seconds(5);

/// Whatever is signed now is from the future for the other, or has ended.
const INTOLERABLE: TimeDelta = TimeDelta::seconds(60);

/// Compares another system's clock with ours; its time was told between `asked` and `answered`, to
/// the second perhaps.
pub(super) fn compare(
    name: &str,
    theirs: DateTime<Utc>,
    asked: DateTime<Utc>,
    answered: DateTime<Utc>,
) -> Finding {
    let name = format!("{name}: clock");
    let ahead = theirs - answered;
    let behind = asked - theirs - TimeDelta::seconds(1);
    let difference = ahead.max(behind).max(TimeDelta::zero());
    if difference <= TimeDelta::seconds(1) {
        return Finding::ok(name, "as ours");
    }
    let direction = if ahead > behind { "ahead of" } else { "behind" };
    let details = format!("{} s {direction} ours", difference.num_seconds());
    let advice = "let both machines take the time from NTP";
    if difference > INTOLERABLE {
        Finding::failed(name, details, advice)
    } else if difference > TOLERABLE {
        Finding::warning(name, details, advice)
    } else {
        Finding::ok(name, details)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn clocks_that_differ_are_told() {
        let asked = Utc::now();
        let answered = asked + TimeDelta::seconds(3);
        let compared = |seconds| {
            let theirs = asked + TimeDelta::milliseconds(1500) + TimeDelta::seconds(seconds);
            compare("x", theirs, asked, answered)
        };
        assert_eq!(compared(0).details, "as ours");
        assert_eq!(compared(-2).details, "as ours");
        assert_eq!(compared(10).verdict, Verdict::Warning);
        assert!(compared(10).details.ends_with("s ahead of ours"));
        assert_eq!(compared(-10).verdict, Verdict::Warning);
        assert!(compared(-10).details.ends_with("s behind ours"));
        assert_eq!(compared(3600).verdict, Verdict::Failed);
        assert_eq!(compared(-3600).verdict, Verdict::Failed);
    }
}
