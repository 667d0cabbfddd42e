//! What the ledger keeps of a request until its certificate is stored.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::audit_event::Requester;

/// A response, and who asked for its certificate: so that the audit says so too of what a crash
/// interrupted.
#[derive(Debug, PartialEq)]
pub(crate) struct AcceptedRequest {
    pub(crate) response: Value,
    pub(crate) requester: Option<Requester>,
}

impl AcceptedRequest {
    /// The response itself when it is not known who asks; a resource has a `resourceType`, which
    /// tells it from the other form.
    pub(crate) fn write<'a>(response: &'a Value, requester: Option<&Requester>) -> Cow<'a, Value> {
        match requester {
            None => Cow::Borrowed(response),
            Some(requester) => Cow::Owned(json!({"requester": requester, "response": response})),
        }
    }

    pub(crate) fn read(mut kept: Value) -> Self {
        let is_resource = kept.get("resourceType").is_some();
        match kept.get_mut("response").map(Value::take) {
            Some(response) if !is_resource => Self {
                requester: serde_json::from_value(kept["requester"].take()).ok(),
                response,
            },
            _ => Self {
                response: kept,
                requester: None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
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
            let kept = AcceptedRequest::write(&response, requester.as_ref()).into_owned();
            let read = AcceptedRequest::read(kept);
            assert_eq!(read.response, response);
            assert_eq!(read.requester, requester);
        }
    }
}
