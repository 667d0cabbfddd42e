use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{DICOM, Requester, object};

/// Resources that one AuditEvent names at most; of the others it says how many there are.
const NAMED: usize = 100;

/// How something was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interaction {
    /// Find Document Lists (ITI-66).
    FindDocumentLists,
    /// Find Document References (ITI-67).
    FindDocumentReferences,
    /// Retrieve Document (ITI-68).
    RetrieveDocument,
    /// A read of FHIR.
    Read,
    /// An operation of this name, without `$`.
    Operation(&'static str),
}

impl Interaction {
    /// Type, subtype and action.
    fn codes(self) -> (Value, Value, &'static str) {
        let dicom =
            |code: &str, display: &str| json!({"system": DICOM, "code": code, "display": display});
        let transaction = |code: &str, display: &str| json!({"system": "urn:ihe:event-type-code", "code": code, "display": display});
        let rest = json!({
            "system": "http://terminology.hl7.org/CodeSystem/audit-event-type",
            "code": "rest",
            "display": "RESTful Operation",
        });
        match self {
            Self::FindDocumentLists => (
                dicom("110112", "Query"),
                transaction("ITI-66", "Find Document Lists"),
                "E",
            ),
            Self::FindDocumentReferences => (
                dicom("110112", "Query"),
                transaction("ITI-67", "Find Document References"),
                "E",
            ),
            Self::RetrieveDocument => (
                dicom("110106", "Export"),
                transaction("ITI-68", "Retrieve Document"),
                "R",
            ),
            Self::Read => (
                rest,
                json!({"system": "http://hl7.org/fhir/restful-interaction", "code": "read", "display": "read"}),
                "R",
            ),
            Self::Operation(name) => (
                rest,
                json!({"system": "urn:mediator:ddcc:operation", "code": name}),
                "E",
            ),
        }
    }
}

/// What somebody was given to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disclosure {
    /// Who, if that is known.
    pub requester: Option<Requester>,
    /// From where: the client, or a proxy in front.
    pub address: Option<IpAddr>,
    /// How.
    pub interaction: Interaction,
    /// `Type/id` of each resource that was given out.
    pub resources: Vec<String>,
    /// The names of search parameters; their values are about persons.
    pub parameters: Vec<String>,
}

/// The AuditEvent of something that was read: which resources, not about whom.
#[must_use]
pub fn disclosed(
    id: Uuid,
    recorded: DateTime<Utc>,
    issuer: &str,
    disclosure: &Disclosure,
) -> Value {
    let (kind, subtype, action) = disclosure.interaction.codes();
    let mut agent = match &disclosure.requester {
        Some(requester) => requester.agent(),
        None => json!({"requestor": true}),
    };
    if let Some(address) = disclosure.address {
        agent["network"] = json!({"address": address.to_string(), "type": "2"});
    }
    let resources = &disclosure.resources;
    let mut entities: Vec<Value> = resources
        .iter()
        .take(NAMED)
        .map(|reference| object(reference, "3", "Report"))
        .collect();
    let mut details = Vec::new();
    if resources.len() > NAMED {
        details.push(json!({"type": "resources", "valueString": resources.len().to_string()}));
    }
    for name in &disclosure.parameters {
        details.push(json!({"type": "parameter", "valueString": name}));
    }
    if !details.is_empty() {
        entities.push(json!({
            "type": {
                "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
                "code": "2", "display": "System Object",
            },
            "role": {
                "system": "http://terminology.hl7.org/CodeSystem/object-role",
                "code": "24", "display": "Query",
            },
            "detail": details,
        }));
    }
    let mut event = json!({
        "resourceType": "AuditEvent",
        "id": id,
        "type": kind,
        "subtype": [subtype],
        "action": action,
        "recorded": recorded.to_rfc3339_opts(SecondsFormat::Millis, true),
        "outcome": "0",
        "agent": [agent],
        "source": {"observer": {"display": issuer}},
    });
    // FHIR has no empty arrays.
    if !entities.is_empty() {
        event["entity"] = entities.into();
    }
    event
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disclosure(interaction: Interaction, number: usize) -> Disclosure {
        Disclosure {
            requester: None,
            address: None,
            interaction,
            resources: (0..number).map(|id| format!("List/{id}")).collect(),
            parameters: Vec::new(),
        }
    }

    #[test]
    fn what_is_much_is_counted() {
        let much = disclosure(Interaction::FindDocumentLists, NAMED + 5);
        let event = disclosed(Uuid::nil(), Utc::now(), "Ministry", &much);
        let entities = event["entity"].as_array().unwrap();
        assert_eq!(entities.len(), NAMED + 1);
        assert_eq!(entities[NAMED]["detail"][0]["valueString"], "105");
        assert_eq!(event["action"], "E");
    }

    #[test]
    fn nothing_found_names_nothing() {
        let mut nothing = disclosure(Interaction::FindDocumentReferences, 0);
        let event = disclosed(Uuid::nil(), Utc::now(), "Ministry", &nothing);
        assert!(event.get("entity").is_none());
        nothing.parameters = vec!["identifier".to_owned()];
        let event = disclosed(Uuid::nil(), Utc::now(), "Ministry", &nothing);
        let detail = json!([{"type": "parameter", "valueString": "identifier"}]);
        assert_eq!(event["entity"][0]["detail"], detail);
        assert_eq!(event["subtype"][0]["code"], "ITI-67");
    }
}
