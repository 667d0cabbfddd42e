use std::time::Duration;

use mediator_core::back_end::BackEndSettings;
use serde_json::Value;

use super::check::Check;
use super::finding::Finding;
use super::http_back_end::{Examined, examine};
use crate::configuration::Configuration;

const NAME: &str = "Matchbox";

/// Whether Matchbox answers, lets us in, and transforms; nothing when none is configured.
pub(super) fn check(configuration: &Configuration, limit: Duration) -> Option<Check> {
    match configuration.transformer.matchbox.settings(NAME) {
        Ok(settings) => Some(Check::new(NAME, look(settings?, limit))),
        Err(error) => Some(Check::impossible(NAME, &error)),
    }
}

async fn look(settings: BackEndSettings, limit: Duration) -> Vec<Finding> {
    let Examined {
        answer, findings, ..
    } = match examine(settings, "metadata?_format=json", limit).await {
        Ok(examined) => examined,
        Err(findings) => return findings,
    };
    let first = if answer.status.is_success() {
        match answer.json::<Value>() {
            Ok(statement) => describe(&statement),
            Err(error) => Finding::error(NAME, &error),
        }
    } else {
        Finding::failed(
            NAME,
            format!("it answers {} to GET metadata", answer.status),
            "is transformer.url the address of its FHIR API?",
        )
    };
    std::iter::once(first).chain(findings).collect()
}

fn describe(statement: &Value) -> Finding {
    let text = |pointer: &str| statement.pointer(pointer).and_then(Value::as_str);
    let version = text("/fhirVersion").unwrap_or("unknown");
    if text("/resourceType") != Some("CapabilityStatement") || !version.starts_with("4.0") {
        return Finding::failed(
            NAME,
            format!("it is no server of FHIR R4 (FHIR version {version})"),
            "is transformer.url the address of its FHIR API?",
        );
    }
    let software = [text("/software/name"), text("/software/version")];
    let software: Vec<&str> = software.into_iter().flatten().collect();
    Finding::ok(NAME, format!("{}, FHIR {version}", software.join(" ")))
}
