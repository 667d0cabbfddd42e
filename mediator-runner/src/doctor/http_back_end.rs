use std::time::Duration;

use chrono::{DateTime, Utc};
use http::{HeaderValue, header};
use mediator_core::back_end::{BackEnd, BackEndAnswer, BackEndSettings};

use super::certificates::server_certificate;
use super::clock::compare;
use super::finding::Finding;

/// A back end that answered, and what was found on the way.
pub(super) struct Examined {
    pub(super) back_end: BackEnd,
    pub(super) answer: BackEndAnswer,
    /// About its clock and its certificate.
    pub(super) findings: Vec<Finding>,
}

/// Asks a back end once, with the credentials that are configured.
///
/// # Errors
/// That there is no answer, and what is wrong with its certificate.
pub(super) async fn examine(
    mut settings: BackEndSettings,
    path: &str,
    limit: Duration,
) -> Result<Examined, Vec<Finding>> {
    // So that the reason is told rather than that the check took too long.
    let less = limit.mul_f32(0.8);
    settings.timeout = settings.timeout.min(less);
    settings.connect_timeout = settings.connect_timeout.min(less);
    settings.attempts = 1;
    let name = settings.name.clone();
    let back_end = BackEnd::new(&settings).map_err(|error| vec![Finding::error(&name, &error)])?;
    let asked = Utc::now();
    let call = back_end
        .get("Check", path)
        .header(header::ACCEPT, HeaderValue::from_static("application/json"));
    let (answer, certificate) = tokio::join!(
        async { (call.send().await, Utc::now()) },
        server_certificate(&name, &settings.base_url, less),
    );
    match answer {
        (Ok(answer), answered) => {
            let mut findings = Vec::new();
            findings.extend(clock(&name, &answer, asked, answered));
            findings.extend(certificate);
            Ok(Examined {
                back_end,
                answer,
                findings,
            })
        }
        (Err(error), _) => {
            let mut findings = vec![Finding::error(&name, &error)];
            findings.extend(certificate.filter(Finding::is_failure));
            Err(findings)
        }
    }
}

fn clock(
    name: &str,
    answer: &BackEndAnswer,
    asked: DateTime<Utc>,
    answered: DateTime<Utc>,
) -> Option<Finding> {
    let date = DateTime::parse_from_rfc2822(answer.header("date")?).ok()?;
    Some(compare(name, date.to_utc(), asked, answered))
}
