use std::time::Duration;

use chrono::Utc;
use mediator_core::openhim::{OpenHim, OpenHimSettings, Trust};

use super::certificates::server_certificate;
use super::check::Check;
use super::clock::compare;
use super::finding::Finding;
use crate::configuration::Configuration;
use crate::registration;

const NAME: &str = "OpenHIM";

/// Whether core answers, lets us in, and knows this mediator; nothing when none is configured.
pub(super) fn check(configuration: &Configuration, limit: Duration) -> Option<Check> {
    let settings = match registration::client_settings(&configuration.openhim) {
        Ok(settings) => settings?,
        Err(error) => return Some(Check::impossible(NAME, &error)),
    };
    let urn = match registration::of(configuration) {
        Ok(mediator) => mediator.urn().to_owned(),
        Err(error) => return Some(Check::impossible(NAME, &error)),
    };
    Some(Check::new(NAME, examine(settings, urn, limit)))
}

async fn examine(mut settings: OpenHimSettings, urn: String, limit: Duration) -> Vec<Finding> {
    let less = limit.mul_f32(0.8);
    settings.attempts = 1;
    settings.timeout = settings.timeout.min(less);
    settings.connect_timeout = settings.connect_timeout.min(less);
    let openhim = match OpenHim::new(&settings) {
        Ok(openhim) => openhim,
        Err(error) => return vec![Finding::error(NAME, &error)],
    };
    let certificate = server_certificate(NAME, &settings.api_url, less).await;
    let asked = Utc::now();
    let heartbeat = match openhim.heartbeat().await {
        Ok(heartbeat) => heartbeat,
        Err(error) => {
            let failed = certificate.filter(Finding::is_failure);
            return [Some(Finding::error(NAME, &error)), failed]
                .into_iter()
                .flatten()
                .collect();
        }
    };
    let clock = compare(NAME, heartbeat.now, asked, Utc::now());
    let version = match openhim.about().await {
        Ok(about) => format!("version {}", about.version),
        Err(error) => return vec![Finding::error(NAME, &error), clock],
    };
    let first = match openhim.mediator(&urn).await {
        Ok(Some(_)) => Finding::ok(NAME, format!("{version}, knows {urn}")),
        Ok(None) => Finding::warning(
            NAME,
            format!("{version}, does not know {urn}"),
            "start `mediator-runner serve`, which registers it, or register it with `mediator-runner openhim register`",
        ),
        Err(error) => Finding::error(NAME, &error),
    };
    let trust = (settings.trust == Trust::AnyCertificate).then(|| {
        Finding::warning(
            format!("{NAME}: trust"),
            "openhim.trust_self_signed takes any certificate",
            "set openhim.ca_file to the authority that issued it",
        )
    });
    [Some(first), Some(clock), certificate, trust]
        .into_iter()
        .flatten()
        .collect()
}
