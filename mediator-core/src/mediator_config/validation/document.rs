use serde_json::Value;

use super::channels::check_channels;
use super::configuration::{check_definitions, check_values};
use super::element::{Element, Findings, Object};
use super::routes::check_endpoints;
use crate::mediator_config::mistake::Mistake;

/// Longest version that core's semver library reads, in characters.
const LONGEST_VERSION: usize = 256;
/// Largest part of a version that it reads: JavaScript's largest exact integer.
const LARGEST_VERSION_PART: u64 = 9_007_199_254_740_991;

/// Every mistake in a mediator's document.
pub(crate) fn check_document(document: &Value) -> Result<(), Vec<Mistake>> {
    let findings = Findings::default();
    if let Some(document) = Element::root(&findings, document).object() {
        check_urn(&document);
        check_version(&document);
        document.required_text("name", "what OpenHIM's console calls the mediator");
        document.texts(&["description"]);
        if document.is_without_items("endpoints") {
            document.mistake(
                "endpoints",
                "is missing: say at least once where core reaches the mediator",
            );
        }
        check_endpoints(&document.items("endpoints"));
        check_channels(&document.items("defaultChannelConfig"));
        let definitions = document.items("configDefs");
        check_definitions(&definitions);
        if let Some(configuration) = document.get("config") {
            match document
                .get("configDefs")
                .map(|definitions| definitions.value)
            {
                // Core does not look at the values then.
                None => {
                    configuration.object();
                }
                Some(definitions) => check_values(
                    definitions
                        .as_array()
                        .map(Vec::as_slice)
                        .unwrap_or_default(),
                    &configuration,
                ),
            }
        }
    }
    findings.into_result()
}

fn check_urn(document: &Object<'_>) {
    const ADVICE: &str = "a name that no other mediator has, for example urn:mediator:patients";
    let Some(urn) = document.required_text("urn", ADVICE) else {
        return;
    };
    let is_urn = urn
        .get(..4)
        .is_some_and(|scheme| scheme.eq_ignore_ascii_case("urn:"))
        && urn.len() > 4;
    if !is_urn {
        document.mistake("urn", format!("must begin with `urn:`: {ADVICE}"));
    }
    if urn
        .chars()
        .any(|character| character.is_whitespace() || character.is_control())
    {
        document.mistake("urn", "must not contain spaces: remove them");
    }
    if urn.contains('%') {
        document.mistake(
            "urn",
            "must not contain `%`: core decodes it once more and never finds the mediator",
        );
    }
}

fn check_version(document: &Object<'_>) {
    const ADVICE: &str = "a semantic version, for example 1.0.0; core takes changes only when it \
                          is higher than before";
    if let Some(version) = document.required_text("version", ADVICE)
        && parse_version(version).is_none()
    {
        document.mistake("version", format!("must be {ADVICE}"));
    }
}

/// A version as core reads it: a `v` may stand before it.
pub(crate) fn parse_version(text: &str) -> Option<semver::Version> {
    if text.chars().count() > LONGEST_VERSION {
        return None;
    }
    let version = semver::Version::parse(text.strip_prefix('v').unwrap_or(text)).ok()?;
    [version.major, version.minor, version.patch]
        .iter()
        .all(|part| *part <= LARGEST_VERSION_PART)
        .then_some(version)
}
