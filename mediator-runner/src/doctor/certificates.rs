use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use mediator_core::back_end::CertificateValidity;
use url::Url;

use super::check::Check;
use super::finding::Finding;
use crate::configuration::Configuration;

/// When it is time to renew a certificate.
const SOON: TimeDelta = TimeDelta::days(30);

/// Certificates in files that the configuration names.
pub(super) fn checks(configuration: &Configuration) -> Vec<Check> {
    let tls = &configuration.server.tls;
    let files = [("server.tls.certificate_file", &tls.certificate_file)];
    let named = files
        .into_iter()
        .filter_map(|(name, file)| Some((name, file.as_ref()?)));
    named.map(|(name, file)| check_file(name, file)).collect()
}

/// The first certificate of a PEM file.
pub(super) fn check_file(name: &str, file: &Path) -> Check {
    let (told, file) = (name.to_owned(), file.to_owned());
    Check::blocking(name, move || {
        vec![match CertificateValidity::of_file(&file) {
            Ok(certificate) => valid(told, certificate.begins_at, certificate.ends_at),
            Err(error) => Finding::error(told, &error),
        }]
    })
}

/// Whether a certificate is good now, and for a while.
pub(super) fn valid(
    name: impl Into<String>,
    begins_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
) -> Finding {
    let now = Utc::now();
    let ends = ends_at.format("%Y-%m-%d %H:%M UTC");
    let days = (ends_at - now).num_days();
    if begins_at > now {
        let begins = begins_at.format("%Y-%m-%d %H:%M UTC");
        let details = format!("the certificate is not valid before {begins}");
        Finding::failed(name, details, "is the clock of this machine right?")
    } else if ends_at <= now {
        Finding::failed(
            name,
            format!("the certificate ended on {ends}"),
            "renew it now",
        )
    } else if ends_at - now < SOON {
        let details = format!("the certificate ends in {days} days, on {ends}");
        Finding::warning(name, details, "renew it")
    } else {
        Finding::ok(name, format!("the certificate is valid until {ends}"))
    }
}

/// How long a server's certificate is good; nothing when it shows none.
pub(super) async fn server_certificate(name: &str, url: &Url, limit: Duration) -> Option<Finding> {
    if url.scheme() != "https" {
        return None;
    }
    let certificate = CertificateValidity::of_server(url, limit).await.ok()?;
    let name = format!("{name}: certificate");
    Some(valid(name, certificate.begins_at, certificate.ends_at))
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn certificates_that_end_or_have_ended_are_told() {
        let now = Utc::now();
        let day = TimeDelta::days(1);
        let verdict = |from: TimeDelta, to: TimeDelta| valid("x", now + from, now + to).verdict;
        assert_eq!(verdict(-day, day * 100), Verdict::Ok);
        assert_eq!(verdict(-day, day * 10), Verdict::Warning);
        assert_eq!(verdict(-day * 2, -day), Verdict::Failed);
        assert_eq!(verdict(day, day * 100), Verdict::Failed);
    }
}
