use std::time::Duration;

use http::StatusCode;
use mediator_core::back_end::{BackEnd, BackEndSettings};
use mediator_ddcc::repository::rest::RestRepository;

use super::check::Check;
use super::finding::Finding;
use super::http_back_end::{Examined, examine};
use crate::configuration::Configuration;

const NAME: &str = "FHIR repository";

/// Whether the FHIR server answers, lets us in, and can do what is needed; nothing when none is
/// configured.
pub(super) fn check(configuration: &Configuration, limit: Duration) -> Option<Check> {
    match configuration.repository.settings(NAME) {
        Ok(settings) => Some(Check::new(NAME, look(settings?, limit))),
        Err(error) => Some(Check::impossible(NAME, &error)),
    }
}

async fn look(settings: BackEndSettings, limit: Duration) -> Vec<Finding> {
    let Examined {
        back_end, findings, ..
    } = match examine(settings, "metadata?_format=json", limit).await {
        Ok(examined) => examined,
        Err(findings) => return findings,
    };
    let repository = RestRepository::new(back_end.clone());
    let first = match repository.check().await {
        Ok(server) => {
            let software = match server.software() {
                "" => "a server that does not tell its software".to_owned(),
                software => software.to_owned(),
            };
            match may_read(&back_end).await {
                Ok(()) => Finding::ok(NAME, format!("{software}, can do what is needed")),
                Err(finding) => finding,
            }
        }
        Err(error) => Finding::error(NAME, &error),
    };
    std::iter::once(first).chain(findings).collect()
}

/// Many servers tell everyone what they can do, and let not everyone do it.
async fn may_read(back_end: &BackEnd) -> Result<(), Finding> {
    let call = back_end.get(
        "Check the permission to read",
        "Patient?_summary=count&_format=json",
    );
    let answer = call.send().await;
    match answer.map_err(|error| Finding::error(NAME, &error))?.status {
        StatusCode::FORBIDDEN => Err(Finding::failed(
            NAME,
            "it does not let us search for patients (403)",
            "give the user that is configured the permission to read and write",
        )),
        status if status.is_success() => Ok(()),
        status => Err(Finding::failed(
            NAME,
            format!("it answers {status} when it is asked how many patients there are"),
            "see its log",
        )),
    }
}
