//! What `/metrics` tells beside the requests: events and codes, which come many in one request.

use serde_json::Value;

const EVENTS: &str = "health_events_total";
const CODES: &str = "codes_verified_total";

pub(super) fn describe() {
    metrics::describe_counter!(
        EVENTS,
        "Health events worked on, by the status that each was answered with; 201: certified"
    );
    metrics::describe_counter!(CODES, "Codes verified, by format and result");
}

/// One event, by the status that it is answered with: alone, or as an entry of a batch.
pub(super) fn event(status: u16) {
    metrics::counter!(EVENTS, "status" => status.to_string()).increment(1);
}

/// One code, by what was answered.
pub(super) fn code(verification: &Value) {
    let format = verification["format"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    let valid = verification["valid"].to_string();
    metrics::counter!(CODES, "format" => format, "valid" => valid).increment(1);
}
