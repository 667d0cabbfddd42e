//! The FHIR `AuditEvent` of an issued certificate (ITI-20), stored with what it is about.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// The AuditEvent that says that a document was generated and registered. It names the document
/// and the folder, not the holder.
pub(crate) fn document_generated(
    id: Uuid,
    recorded: DateTime<Utc>,
    issuer: &str,
    document: &str,
    folder: &str,
) -> Value {
    let what = |reference: &str, role: &str, display: &str| {
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
    };
    json!({
        "resourceType": "AuditEvent",
        "id": id,
        "type": {
            "system": "http://dicom.nema.org/resources/ontology/DCM",
            "code": "110107", "display": "Import",
        },
        "subtype": [{"system": "urn:ihe:event-type-code", "code": "ITI-65", "display": "Provide Document Bundle"}],
        "action": "C",
        "recorded": recorded.to_rfc3339_opts(SecondsFormat::Millis, true),
        "outcome": "0",
        "agent": [{
            "type": {"coding": [{
                "system": "http://dicom.nema.org/resources/ontology/DCM",
                "code": "110153", "display": "Source Role ID",
            }]},
            "who": {"display": "DDCC Generation Service"},
            "requestor": false,
        }],
        "source": {"observer": {"display": issuer}},
        "entity": [
            what(document, "3", "Report"),
            what(folder, "20", "Job"),
        ],
    })
}
