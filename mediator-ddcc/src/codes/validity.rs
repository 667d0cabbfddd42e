//! From when to when a code is valid.

use chrono::{DateTime, Days, Utc};

use super::CodeContext;
use crate::fhir_date;

/// When a code is issued, from when it counts and when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    /// Time of issue.
    pub(super) issued_at: DateTime<Utc>,
    /// From when the certificate counts: the time of issue or, when that is later or the
    /// certificate's validity is over, the start of `certificate.period`.
    pub(super) starts: DateTime<Utc>,
    /// The last second of validity.
    pub(super) expires: DateTime<Utc>,
}

impl Validity {
    /// The certificate's validity, within that of the document signing certificate (DSC):
    /// `certificate.period.end` (a date counts to its last second, UTC) or the issuer's default.
    ///
    /// # Errors
    /// Why there is no time at which the code would be valid.
    pub(super) fn of(context: &CodeContext<'_>) -> Result<Self, String> {
        let issued_at = context.issued_at;
        let signer = &context.signer.certificate;
        if issued_at < signer.not_before() {
            return Err("the document signing certificate is not valid yet".into());
        }
        let period = context.core_data_set.certificate.period.as_ref();
        let first = match period.and_then(|period| period.start.as_deref()) {
            Some(start) => {
                let (first, _) = fhir_date::instants(start)
                    .ok_or("certificate.period.start is not a FHIR dateTime")?;
                Some(first)
            }
            None => None,
        };
        let end = match period.and_then(|period| period.end.as_deref()) {
            Some(end) => {
                let (_, last) = fhir_date::instants(end)
                    .ok_or("certificate.period.end is not a FHIR dateTime")?;
                last
            }
            None => issued_at
                .checked_add_days(Days::new(context.issuer.default_validity_days.into()))
                .ok_or("the default validity is too long")?,
        };
        if signer.not_after() <= issued_at {
            return Err(
                "the validity of the document signing certificate is over; issue with a new one"
                    .into(),
            );
        }
        if end <= issued_at && !context.issuer.issue_expired {
            return Err("the certificate's validity (certificate.period.end) is over".into());
        }
        let starts = match first {
            // A record of the past counted then.
            Some(first) if end <= issued_at => first,
            Some(first) => issued_at.max(first),
            None => issued_at,
        };
        let expires = end.min(signer.not_after());
        if first.is_some() && expires <= starts {
            return Err(
                "the document signing certificate or the certificate's validity (certificate.period.end) ends before the certificate's validity begins (certificate.period.start)"
                    .into(),
            );
        }
        Ok(Self {
            issued_at,
            starts,
            expires,
        })
    }
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::codes::CodeForm;
    use crate::codes::testing::{Issue, time, vaccination};

    fn validity(change: impl FnOnce(&mut Issue)) -> Result<Validity, String> {
        let mut issue = Issue::new(vaccination());
        change(&mut issue);
        Validity::of(&CodeContext {
            issuer: &issue.issuer,
            signer: &issue.signer.identity,
            issued_at: issue.issued_at,
            document_id: uuid::Uuid::nil(),
            core_data_set: &issue.set,
        })
    }

    fn period(issue: &mut Issue, start: Option<&str>, end: Option<&str>) {
        issue.set.certificate.period = Some(crate::core_data_set::Period {
            start: start.map(Into::into),
            end: end.map(Into::into),
        });
    }

    #[test]
    fn a_certificate_is_valid_to_the_last_second_of_its_last_day() {
        let validity = validity(|_| {}).unwrap();
        assert_eq!(validity.issued_at, time("2021-04-06T10:00:00Z"));
        assert_eq!(validity.starts, validity.issued_at);
        assert_eq!(validity.expires, time("2022-04-05T23:59:59Z"));
    }

    #[test]
    fn without_an_end_the_default_counts() {
        let validity = validity(|issue| issue.set.certificate.period = None).unwrap();
        assert_eq!(validity.expires, time("2021-10-03T10:00:00Z"));
    }

    #[test]
    fn nothing_outlives_the_document_signing_certificate() {
        let validity = validity(|issue| period(issue, None, Some("2040"))).unwrap();
        assert_eq!(validity.expires, time("2023-01-01T00:00:00Z"));
    }

    #[test]
    fn a_later_start_is_kept() {
        let validity = validity(|issue| period(issue, Some("2021-05"), Some("2021-06"))).unwrap();
        assert_eq!(validity.starts, time("2021-05-01T00:00:00Z"));
        assert_eq!(validity.expires, time("2021-06-30T23:59:59Z"));
    }

    #[test]
    fn there_is_no_validity_outside_the_document_signing_certificate_or_the_period() {
        for (reason, change) in [
            (
                "not valid yet",
                Box::new(|issue: &mut Issue| issue.issued_at = time("2020-12-31T23:59:59Z"))
                    as Box<dyn FnOnce(&mut Issue)>,
            ),
            (
                "document signing certificate is over",
                Box::new(|issue| issue.issued_at = time("2023-01-01T00:00:00Z")),
            ),
            (
                "certificate.period.end",
                Box::new(|issue| issue.issued_at = time("2022-04-06T00:00:00Z")),
            ),
            (
                "certificate.period.start",
                Box::new(|issue| period(issue, Some("2021-07-01"), Some("2021-06-01"))),
            ),
            (
                "certificate.period.end is not",
                Box::new(|issue| period(issue, None, Some("2021-02-30"))),
            ),
        ] {
            let error = validity(change).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn expired_certificates_are_issued_where_the_issuer_wants_it() {
        let validity = validity(|issue| {
            issue.issued_at = time("2022-10-01T00:00:00Z");
            issue.issuer.issue_expired = true;
        })
        .unwrap();
        assert_eq!(validity.issued_at, time("2022-10-01T00:00:00Z"));
        assert_eq!(validity.starts, time("2021-04-05T00:00:00Z"));
        assert_eq!(validity.expires, time("2022-04-05T23:59:59Z"));
    }

    #[test]
    fn every_form_is_left_out_when_its_validity_is_over() {
        let mut issue = Issue::new(vaccination());
        issue.issued_at = time("2022-10-01T00:00:00Z");
        for form in CodeForm::ALL {
            assert!(issue.reason(form).contains("certificate.period.end"));
        }
    }
}
