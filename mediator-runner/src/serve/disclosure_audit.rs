//! AuditEvents of what is read.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts};
use chrono::Utc;
use http::request::Parts;
use mediator_core::authentication::Caller;
use mediator_ddcc::audit_event::{Disclosure, Interaction, disclosed};
use mediator_ddcc::generation_service::GenerationService;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::application::Application;

/// Events that wait to be written at most; who reads more waits for a place.
const WAITING: usize = 1024;

/// Events in one transaction at most.
const TOGETHER: usize = 50;

const ATTEMPTS: u32 = 6;

const LOST: &str = "audit_events_lost_total";

/// Writes an AuditEvent for everything that is read, many in one transaction where many wait. Reads
/// are answered before that, and slowed down when it does not keep up.
#[derive(Debug, Clone)]
pub(super) struct DisclosureAudit(mpsc::Sender<Value>);

/// Who reads, and where that is noted.
pub(super) struct Reader {
    application: Application,
    caller: Option<Caller>,
    address: Option<SocketAddr>,
}

impl FromRequestParts<Application> for Reader {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut Parts,
        application: &Application,
    ) -> Result<Self, Self::Rejection> {
        let address = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        Ok(Self {
            application: application.clone(),
            caller: parts.extensions.get().cloned(),
            address: address.map(|ConnectInfo(address)| *address),
        })
    }
}

impl Reader {
    /// Notes what this reader is given.
    pub(super) async fn was_given(
        &self,
        interaction: Interaction,
        resources: Vec<String>,
        parameters: Vec<String>,
    ) {
        let requesters = &self.application.requesters;
        let disclosure = Disclosure {
            requester: self
                .caller
                .as_ref()
                .and_then(|caller| requesters.of(caller)),
            address: self.address.map(|address| address.ip()),
            interaction,
            resources,
            parameters,
        };
        let generation = self.application.generation();
        let issuer = &generation.settings().issuer.name;
        let event = disclosed(Uuid::new_v4(), Utc::now(), issuer, &disclosure);
        if self.application.disclosures.0.send(event).await.is_err() {
            metrics::counter!(LOST).increment(1);
        }
    }
}

impl DisclosureAudit {
    /// The task ends, with everything written, when every clone is dropped.
    pub(super) fn start(service: &GenerationService) -> (Self, JoinHandle<()>) {
        metrics::describe_counter!(
            LOST,
            "AuditEvents of what was read that the repository has not taken, after all attempts"
        );
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), tokio::spawn(write(service.clone(), receiver)))
    }
}

async fn write(service: GenerationService, mut receiver: mpsc::Receiver<Value>) {
    let mut events = Vec::new();
    while receiver.recv_many(&mut events, TOGETHER).await > 0 {
        let number = events.len();
        let entries: Vec<Value> = events
            .drain(..)
            .map(|event| {
                let id = event["id"].as_str().unwrap_or_default();
                let url = format!("AuditEvent/{id}");
                json!({"resource": event, "request": {"method": "PUT", "url": url}})
            })
            .collect();
        let bundle = json!({"resourceType": "Bundle", "type": "transaction", "entry": entries});
        write_at_last(&service, bundle, number).await;
    }
}

/// Tries again for about half a minute: ids make sure that nothing is written twice.
async fn write_at_last(service: &GenerationService, bundle: Value, number: usize) {
    let repository = Arc::clone(&service.ports().repository);
    let mut pause = Duration::from_millis(500);
    for attempt in 1..=ATTEMPTS {
        match repository.transaction(bundle.clone()).await {
            Ok(_) => return,
            Err(error) if attempt == ATTEMPTS => {
                metrics::counter!(LOST).increment(number as u64);
                tracing::error!(%error, number, "what was read is not in the audit");
            }
            Err(error) => {
                tracing::warn!(%error, number, "what was read is not in the audit yet");
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
        }
    }
}
