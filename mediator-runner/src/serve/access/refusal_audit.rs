use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use mediator_core::authentication::Refused;
use mediator_ddcc::audit_event::{RefusedAttempts, access_refused};
use mediator_ddcc::generation_service::GenerationService;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use super::requester::Requesters;

/// Refusals that wait to be written at most; more are counted in the metrics only.
const WAITING: usize = 256;

/// How many kinds of attempts are told apart in a period. The rest is one kind.
const KINDS: usize = 30;

const PERIOD: Duration = Duration::from_secs(60);

/// Writes an AuditEvent for the first of every kind of refused attempts, and one a minute for how
/// many there were more: whoever knocks often cannot fill the repository.
#[derive(Debug, Clone)]
pub(in super::super) struct RefusalAudit(mpsc::Sender<RefusedAttempts>);

impl RefusalAudit {
    /// The task ends, with everything written, when every clone is dropped.
    pub(in super::super) fn start(service: &GenerationService) -> (Self, JoinHandle<()>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        let writer = Writer {
            service: service.clone(),
            kinds: HashMap::new(),
            others: 0,
        };
        (Self(sender), tokio::spawn(writer.run(receiver)))
    }

    pub(super) fn note(&self, refused: &Refused, requesters: &Requesters) {
        let caller = refused.caller.as_ref();
        let route = refused.route.as_deref().unwrap_or("no route");
        let attempts = RefusedAttempts {
            requester: caller.and_then(|caller| requesters.of(caller)),
            address: refused.address.map(|address| address.ip()),
            kind: refused.reason.kind().to_owned(),
            interaction: format!("{} {route}", method(refused)),
        };
        if self.0.try_send(attempts).is_err() {
            metrics::counter!("access_refusals_not_audited_total").increment(1);
        }
    }
}

/// A method that a client has invented is not repeated.
fn method(refused: &Refused) -> &str {
    match refused.method.as_str() {
        known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
        _ => "another method",
    }
}

struct Writer {
    service: GenerationService,
    /// What was written in this period already, and how often it happened since.
    kinds: HashMap<RefusedAttempts, u64>,
    /// How often something else happened.
    others: u64,
}

impl Writer {
    async fn run(mut self, mut receiver: mpsc::Receiver<RefusedAttempts>) {
        let mut period = interval(PERIOD);
        period.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                attempts = receiver.recv() => match attempts {
                    Some(attempts) => self.note(attempts).await,
                    None => return self.sum_up().await,
                },
                _ = period.tick() => self.sum_up().await,
            }
        }
    }

    async fn note(&mut self, attempts: RefusedAttempts) {
        if let Some(number) = self.kinds.get_mut(&attempts) {
            *number += 1;
        } else if self.kinds.len() < KINDS {
            self.write(&attempts, 1).await;
            self.kinds.insert(attempts, 0);
        } else {
            self.others += 1;
        }
    }

    async fn sum_up(&mut self) {
        for (attempts, number) in std::mem::take(&mut self.kinds) {
            if number > 0 {
                self.write(&attempts, number).await;
            }
        }
        let others = std::mem::take(&mut self.others);
        if others > 0 {
            let attempts = RefusedAttempts {
                requester: None,
                address: None,
                kind: "others".to_owned(),
                interaction: "others".to_owned(),
            };
            self.write(&attempts, others).await;
        }
    }

    async fn write(&self, attempts: &RefusedAttempts, number: u64) {
        let id = Uuid::new_v4();
        let issuer = &self.service.settings().issuer.name;
        let event = access_refused(id, Utc::now(), issuer, attempts, number);
        let bundle = json!({
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [{
                "resource": event,
                "request": {"method": "PUT", "url": format!("AuditEvent/{id}")},
            }],
        });
        let repository = Arc::clone(&self.service.ports().repository);
        if let Err(error) = repository.transaction(bundle).await {
            tracing::error!(
                %error,
                number,
                kind = attempts.kind,
                interaction = attempts.interaction,
                "refused attempts are not in the audit"
            );
        }
    }
}
