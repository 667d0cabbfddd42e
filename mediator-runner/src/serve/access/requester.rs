use std::sync::Arc;

use mediator_core::authentication::{Caller, Way};
use mediator_ddcc::audit_event::Requester;

/// Makes of callers what audits say about them: ids, no names.
#[derive(Debug, Clone)]
pub(in super::super) struct Requesters {
    /// Who names the subjects and clients of tokens.
    token_issuer: Arc<str>,
}

impl Requesters {
    pub(in super::super) fn new(token_issuer: Option<&str>) -> Self {
        Self {
            token_issuer: token_issuer.unwrap_or_default().into(),
        }
    }

    /// None when nobody in particular asks.
    pub(in super::super) fn of(&self, caller: &Caller) -> Option<Requester> {
        let client = caller.client().map(ToOwned::to_owned);
        Some(match caller.way() {
            Way::BearerToken => {
                let subject = caller.subject().map(ToOwned::to_owned);
                let (value, program) = match (subject, client) {
                    (Some(subject), client) => (subject, client),
                    (None, client) => (client?, None),
                };
                Requester {
                    system: self.token_issuer.to_string(),
                    value,
                    program,
                }
            }
            // Its distinguished name may be a person's.
            Way::ClientCertificate => Requester {
                system: "urn:ietf:rfc:5280".to_owned(),
                value: client?,
                program: None,
            },
            Way::OpenHim => Requester {
                system: "urn:openhim:client".to_owned(),
                value: client?,
                program: None,
            },
            _ => return None,
        })
    }
}
