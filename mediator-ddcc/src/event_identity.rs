//! What makes two submissions the same health event.
//!
//! A QuestionnaireResponse with an `identifier` is that event, whatever else changed around it;
//! one without is identified by what it says.

use aws_lc_rs::digest::{SHA256, digest};
use chrono::Utc;
use serde_json::Value;
use uuid::{Builder, Uuid};

use crate::document::canonical;
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
        let elements = response.as_object()?.iter();
        let content = elements.filter(|(name, _)| !NOT_CONTENT.contains(&name.as_str()));
        let mut canonical = String::new();
        canonical::write_object(content, &mut canonical).ok()?;
        let content_hash = hex(canonical.as_bytes());
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

/// An id for a new event, of which every id that is made for it follows: the time, and 74 random
/// bits (UUIDv7). What is stored for events of the same time is then stored together.
pub(crate) fn new_event_id() -> Uuid {
    let now = u64::try_from(Utc::now().timestamp_millis()).unwrap_or_default();
    let [_, _, _, _, _, _, random @ ..] = Uuid::new_v4().into_bytes();
    Builder::from_unix_timestamp_millis(now, &random).into_uuid()
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
    fn ids_of_events_are_in_the_order_of_time() {
        let (one, two) = (new_event_id(), new_event_id());
        assert_eq!(one.get_version_num(), 7);
        assert_ne!(one, two);
        assert!(one.as_bytes()[..6] <= two.as_bytes()[..6]);
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
