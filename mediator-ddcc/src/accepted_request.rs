//! What the ledger keeps of a request until its certificate is stored.

use serde::Serialize;
use serde_json::Value;

use crate::audit_event::Requester;

/// A response, and who asked for its certificate: so that the audit says so too of what a crash
/// interrupted.
#[derive(Debug, PartialEq)]
pub(crate) struct AcceptedRequest {
    pub(crate) response: Value,
    pub(crate) requester: Option<Requester>,
}

/// The form of it that has a requester.
#[derive(Serialize)]
struct Kept<'a> {
    requester: &'a Requester,
    response: &'a Value,
}

impl AcceptedRequest {
    /// The response itself when it is not known who asks; a resource has a `resourceType`, which
    /// tells it from the other form. JSON in both.
    pub(crate) fn write(
        response: &Value,
        requester: Option<&Requester>,
    ) -> Result<String, serde_json::Error> {
        match requester {
            None => serde_json::to_string(response),
            Some(requester) => serde_json::to_string(&Kept {
                requester,
                response,
            }),
        }
    }

    pub(crate) fn read(kept: &str) -> Result<Self, serde_json::Error> {
        let mut kept: Value = serde_json::from_str(kept)?;
        let is_resource = kept.get("resourceType").is_some();
        Ok(match kept.get_mut("response").map(Value::take) {
            Some(response) if !is_resource => Self {
                requester: serde_json::from_value(kept["requester"].take()).ok(),
                response,
            },
            _ => Self {
                response: kept,
                requester: None,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_kept_is_read_again() {
        let response = json!({"resourceType": "QuestionnaireResponse", "item": []});
        let requester = Requester {
            system: "https://login.example".to_owned(),
            value: "clinic".to_owned(),
            program: None,
        };
        for requester in [None, Some(requester)] {
            let kept = AcceptedRequest::write(&response, requester.as_ref()).unwrap();
            let read = AcceptedRequest::read(&kept).unwrap();
            assert_eq!(read.response, response);
            assert_eq!(read.requester, requester);
        }
    }
}
