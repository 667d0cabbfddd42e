//! The FHIR `AuditEvent`s (ITI-20) of what is done and of what is refused.

mod disclosure;

use std::net::IpAddr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

pub use disclosure::{Disclosure, Interaction, disclosed};

const DICOM: &str = "http://dicom.nema.org/resources/ontology/DCM";

/// Who asks for something to be done: identifiers, no names.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Requester {
    /// Who gives these identifiers, a URI: the issuer of tokens, for example.
    pub system: String,
    /// The person or program.
    pub value: String,
    /// The program that was used, where that is another identifier.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
}

impl Requester {
    fn agent(&self) -> Value {
        let mut agent = json!({
            "type": {"coding": [{"system": DICOM, "code": "110150", "display": "Application"}]},
            "who": {"identifier": {"system": self.system, "value": self.value}},
            "requestor": true,
        });
        if let Some(program) = &self.program {
            agent["altId"] = program.as_str().into();
        }
        agent
    }
}

/// Attempts that were refused for want of a permission, alike in everything that is said here.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RefusedAttempts {
    /// Who, if that is known.
    pub requester: Option<Requester>,
    /// From where: the client, or a proxy in front.
    pub address: Option<IpAddr>,
    /// Why, in a word.
    pub kind: String,
    /// What was asked for: method and route, without anything that a client wrote into the path.
    pub interaction: String,
}

/// The AuditEvent of attempts that were refused.
#[must_use]
pub fn access_refused(
    id: Uuid,
    recorded: DateTime<Utc>,
    issuer: &str,
    attempts: &RefusedAttempts,
    number: u64,
) -> Value {
    let mut agent = match &attempts.requester {
        Some(requester) => requester.agent(),
        None => json!({"requestor": true}),
    };
    if let Some(address) = attempts.address {
        agent["network"] = json!({"address": address.to_string(), "type": "2"});
    }
    json!({
        "resourceType": "AuditEvent",
        "id": id,
        "type": {"system": DICOM, "code": "110113", "display": "Security Alert"},
        "subtype": [{"system": "urn:mediator:ddcc:refusal", "code": attempts.kind}],
        "action": "E",
        "recorded": recorded.to_rfc3339_opts(SecondsFormat::Millis, true),
        "outcome": "4",
        "agent": [agent],
        "source": {"observer": {"display": issuer}},
        "entity": [{
            "name": attempts.interaction,
            "detail": [{"type": "attempts", "valueString": number.to_string()}],
        }],
    })
}

/// The AuditEvent that says that a document was generated and registered. It names the document
/// and the folder, not the holder.
pub(crate) fn document_generated(
    id: Uuid,
    recorded: DateTime<Utc>,
    issuer: &str,
    requester: Option<&Requester>,
    document: &str,
    folder: &str,
) -> Value {
    let service = json!({
        "type": {"coding": [{"system": DICOM, "code": "110153", "display": "Source Role ID"}]},
        "who": {"display": "DDCC Generation Service"},
        "requestor": false,
    });
    let agents: Vec<Value> = requester
        .map(Requester::agent)
        .into_iter()
        .chain([service])
        .collect();
    json!({
        "resourceType": "AuditEvent",
        "id": id,
        "type": {
            "system": DICOM, "code": "110107", "display": "Import",
        },
        "subtype": [{"system": "urn:ihe:event-type-code", "code": "ITI-65", "display": "Provide Document Bundle"}],
        "action": "C",
        "recorded": recorded.to_rfc3339_opts(SecondsFormat::Millis, true),
        "outcome": "0",
        "agent": agents,
        "source": {"observer": {"display": issuer}},
        "entity": [
            object(document, "3", "Report"),
            object(folder, "20", "Job"),
        ],
    })
}

/// The AuditEvent that says that somebody else's document was stored.
#[must_use]
pub fn document_stored(
    id: Uuid,
    recorded: DateTime<Utc>,
    issuer: &str,
    requester: Option<&Requester>,
    document: &str,
) -> Value {
    let agent = match requester {
        Some(requester) => requester.agent(),
        None => json!({"requestor": true}),
    };
    json!({
        "resourceType": "AuditEvent",
        "id": id,
        "type": {"system": DICOM, "code": "110107", "display": "Import"},
        "subtype": [{"system": "http://hl7.org/fhir/restful-interaction", "code": "create", "display": "create"}],
        "action": "C",
        "recorded": recorded.to_rfc3339_opts(SecondsFormat::Millis, true),
        "outcome": "0",
        "agent": [agent],
        "source": {"observer": {"display": issuer}},
        "entity": [object(document, "3", "Report")],
    })
}

/// A resource that something was done with, and its role in that.
fn object(reference: &str, role: &str, display: &str) -> Value {
    json!({
        "what": {"reference": reference},
        "type": {
            "system": "http://terminology.hl7.org/CodeSystem/audit-entity-type",
            "code": "2", "display": "System Object",
        },
        "role": {
            "system": "http://terminology.hl7.org/CodeSystem/object-role",
            "code": role, "display": display,
        },
    })
}
