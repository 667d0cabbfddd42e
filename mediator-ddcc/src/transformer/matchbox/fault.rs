//! What went wrong, and whose fault it is.
//!
//! Matchbox answers with status 500 whatever its engine throws, be it about the input, the map or
//! itself; the OperationOutcome names the Java exception. Its words are not passed on: they may
//! quote what people answered.

use http::StatusCode;
use mediator_core::back_end::{BackEndAnswer, BackEndError};
use serde_json::Value;

use crate::transformer::TransformerError;

/// What a transform came to.
pub(super) enum Verdict {
    /// A result, not looked into yet.
    Result(Vec<u8>),
    /// Matchbox does not have the map, or one that it imports.
    MapMissing,
    /// Neither.
    Error(TransformerError),
}

/// Begins the exception in what HAPI FHIR, which Matchbox is made with, says of it.
const THROWN: &str = "Failed to call access method: ";

/// Exceptions of reading the input. The engine itself throws others.
const ABOUT_THE_INPUT: [&str; 8] = [
    "org.hl7.fhir.exceptions.FHIRFormatError",
    "ca.uhn.fhir.parser.DataFormatException",
    "java.io.IOException: Error parsing JSON source",
    "com.google.gson.JsonSyntaxException",
    "java.lang.NumberFormatException",
    "java.time.format.DateTimeParseException",
    "java.util.IllformedLocaleException",
    "org.hl7.fhir.exceptions.PathEngineException",
];

/// Thrown by the engine's rules: about the input, unless [`ABOUT_THE_MAP`].
const RULE_FAILED: &str = "org.hl7.fhir.exceptions.FHIRException: ";

/// In the words of a rule's exception, when it would fail with any input.
const ABOUT_THE_MAP: [&str; 9] = [
    "Unable to find ConceptMap",
    "Unable to translate - cannot find map",
    "No map found for",
    "Unable to create type",
    "Unable to determine resource",
    "Unable to resolve",
    "not supported",
    "not done yet",
    // A NullPointerException of the engine, for example because a type is not known.
    "Cannot invoke",
];

pub(super) fn verdict(map_url: &str, call: Result<BackEndAnswer, BackEndError>) -> Verdict {
    let answer = match call {
        Ok(answer) if answer.status.is_success() => return Verdict::Result(answer.body.to_vec()),
        Ok(answer) => answer,
        Err(error) => return Verdict::Error(of_call(map_url, &error)),
    };
    let said = said(&answer).unwrap_or_default();
    if said.contains("Map not available with canonical url")
        || said.contains("Unable to find map(s) for")
        || said.contains("Unable to find map http")
    {
        return Verdict::MapMissing;
    }
    Verdict::Error(match answer.status {
        StatusCode::INTERNAL_SERVER_ERROR if said.contains(THROWN) => thrown(map_url, &said),
        StatusCode::UNPROCESSABLE_ENTITY if !said.is_empty() => TransformerError::Failed {
            map_url: map_url.to_owned(),
            reason: "Matchbox refuses the input; its log says why".to_owned(),
        },
        StatusCode::BAD_REQUEST if said.contains("Failed to parse") => unreadable(map_url, &said),
        _ => of_status(map_url, &answer),
    })
}

fn thrown(map_url: &str, said: &str) -> TransformerError {
    let exception = said
        .split_once(THROWN)
        .map_or(said, |(_, exception)| exception);
    if ABOUT_THE_INPUT
        .iter()
        .any(|class| exception.starts_with(class))
    {
        return unreadable(map_url, exception);
    }
    let is_about_the_map = |words: &str| {
        let words = words.to_lowercase();
        let mut signs = ABOUT_THE_MAP.iter();
        signs.any(|sign| words.contains(&sign.to_lowercase()))
    };
    let place = rule(exception)
        .map(|rule| format!("rule {rule}: "))
        .unwrap_or_default();
    match exception.strip_prefix(RULE_FAILED) {
        Some(words) if !is_about_the_map(words) => TransformerError::Failed {
            map_url: map_url.to_owned(),
            reason: format!("{place}it does not fit the input; Matchbox's log says why"),
        },
        _ => engine(
            map_url,
            format!(
                "{place}its engine failed ({}): does Matchbox have all models, ConceptMaps and \
                 imported maps, and does its engine know everything that the map uses? See its log",
                class(exception)
            ),
        ),
    }
}

fn unreadable(map_url: &str, exception: &str) -> TransformerError {
    TransformerError::Failed {
        map_url: map_url.to_owned(),
        reason: format!(
            "Matchbox cannot read the input ({}); its log says why",
            class(exception)
        ),
    }
}

/// The rule that failed, as the engine names it: group and rule, after the map.
fn rule(exception: &str) -> Option<&str> {
    let (_, rest) = exception.split_once(" on Rule \"")?;
    let (rule, _) = rest.split_once('"')?;
    rule.split_once('|').map(|(_, rule)| rule)
}

/// The class of an exception, without what it says.
fn class(exception: &str) -> &str {
    let class = exception.split(':').next().unwrap_or_default().trim();
    let is_class = |character: char| character.is_ascii_alphanumeric() || "._$".contains(character);
    if !class.is_empty() && class.chars().all(is_class) {
        class
    } else {
        "no exception named"
    }
}

/// There was no answer.
pub(super) fn of_call(map_url: &str, error: &BackEndError) -> TransformerError {
    match error {
        BackEndError::TimedOut { .. } => TransformerError::TimedOut(error.to_string()),
        BackEndError::AnswerTooLarge { .. }
        | BackEndError::NotUnderstood { .. }
        | BackEndError::Request { .. } => engine(map_url, error.to_string()),
        _ => TransformerError::Unavailable(error.to_string()),
    }
}

/// There was an answer of a status that says nothing about the input.
pub(super) fn of_status(map_url: &str, answer: &BackEndAnswer) -> TransformerError {
    let status = answer.status.as_u16();
    match status {
        429 | 503 => TransformerError::Unavailable(format!(
            "Matchbox is overloaded or not ready (status {status})"
        )),
        504 => TransformerError::TimedOut(
            "what is in front of Matchbox got no answer from it in time (status 504)".to_owned(),
        ),
        403 => engine(
            map_url,
            "Matchbox does not allow us to use it (status 403): check what our user or client may do",
        ),
        404 => engine(
            map_url,
            "there is no StructureMap/$transform (status 404): is transformer.url the base address \
             of Matchbox's FHIR API?",
        ),
        400..=499 => engine(
            map_url,
            format!(
                "it does not understand what Matchbox understands (status {status}): is \
                 transformer.url the base address of Matchbox's FHIR API?"
            ),
        ),
        _ => engine(
            map_url,
            format!(
                "it answered with status {status}; see the log of Matchbox and of what is in front of it"
            ),
        ),
    }
}

/// Matchbox says that it lacks what it was just given.
pub(super) fn still_missing(map_url: &str) -> TransformerError {
    engine(
        map_url,
        "Matchbox does not have it, or a map that it imports, although it has taken what is here: \
         are all imported maps in the folder of maps, and do several Matchboxes share the address?",
    )
}

pub(super) fn engine(map_url: &str, reason: impl Into<String>) -> TransformerError {
    TransformerError::Engine {
        map_url: map_url.to_owned(),
        reason: reason.into(),
    }
}

/// The diagnostics of an OperationOutcome, if the answer is one.
pub(super) fn said(answer: &BackEndAnswer) -> Option<String> {
    let outcome: Value = answer.json().ok()?;
    if outcome["resourceType"] != "OperationOutcome" {
        return None;
    }
    let issues = outcome["issue"].as_array()?;
    let texts: Vec<&str> = issues
        .iter()
        .filter_map(|issue| {
            issue["diagnostics"]
                .as_str()
                .or_else(|| issue["details"]["text"].as_str())
        })
        .collect();
    (!texts.is_empty()).then(|| texts.join("; "))
}
