//! What makes two submissions the same health event.
//!
//! A QuestionnaireResponse with an `identifier` is that event, whatever else changed around it;
//! one without is identified by what it says.

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::{Map, Value};

use crate::ledger::EventKey;

/// Elements of a response that say where it is kept or how it is shown, not what happened.
const NOT_CONTENT: [&str; 4] = ["id", "meta", "text", "identifier"];

/// Identity and content of a submitted QuestionnaireResponse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventIdentity {
    /// Equal for submissions of the same event.
    pub(crate) key: EventKey,
    /// SHA-256 over the canonical JSON (RFC 8785) of the content, lower-case hex.
    pub(crate) content_hash: String,
}

impl EventIdentity {
    /// Reads both from a response. `None` when it has numbers that canonical JSON cannot express.
    pub(crate) fn of(response: &Value) -> Option<Self> {
        let content: Map<String, Value> = response
            .as_object()?
            .iter()
            .filter(|(name, _)| !NOT_CONTENT.contains(&name.as_str()))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let canonical = serde_json_canonicalizer::to_vec(&content).ok()?;
        let content_hash = hex(&canonical);
        let part = |name: &str| {
            response
                .pointer(&format!("/identifier/{name}"))
                .and_then(Value::as_str)
        };
        let key = match part("value") {
            // Unlike in FHIR's token syntax, the parts cannot run into each other here.
            Some(value) => format!(
                "identifier {}",
                Value::from(vec![part("system").unwrap_or_default(), value])
            ),
            None => format!("content {content_hash}"),
        };
        Some(Self {
            key: EventKey(key),
            content_hash,
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes)
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    fn response() -> Value {
        json!({"resourceType": "QuestionnaireResponse", "status": "completed",
            "item": [{"linkId": "name", "answer": [{"valueString": "A"}]}]})
    }

    fn with(name: &str, value: Value) -> Value {
        let mut response = response();
        response[name] = value;
        response
    }

    fn identity(response: &Value) -> EventIdentity {
        EventIdentity::of(response).unwrap()
    }

    #[test]
    fn without_identifier_the_content_is_the_identity() {
        assert_eq!(identity(&response()), identity(&with("id", json!("7"))));
        assert_eq!(
            identity(&response()),
            identity(&with("meta", json!({"versionId": "2"})))
        );
        assert_ne!(
            identity(&response()).key,
            identity(&with("status", json!("amended"))).key
        );
    }

    #[test]
    fn the_order_of_elements_does_not_matter() {
        let reordered = json!({"item": response()["item"], "status": "completed",
            "resourceType": "QuestionnaireResponse"});
        assert_eq!(identity(&response()), identity(&reordered));
    }

    #[test]
    fn an_identifier_is_the_identity() {
        let one = with("identifier", json!({"system": "urn:x", "value": "1"}));
        let mut other = one.clone();
        other["status"] = json!("amended");
        assert_eq!(identity(&one).key, identity(&other).key);
        assert_ne!(identity(&one).content_hash, identity(&other).content_hash);
        let elsewhere = with("identifier", json!({"system": "urn:y", "value": "1"}));
        assert_ne!(identity(&one).key, identity(&elsewhere).key);
    }

    #[test]
    fn system_and_value_do_not_run_into_each_other() {
        let one = with("identifier", json!({"system": "a\",\"b", "value": "c"}));
        let other = with("identifier", json!({"system": "a", "value": "b\",\"c"}));
        assert_ne!(identity(&one).key, identity(&other).key);
    }
}
