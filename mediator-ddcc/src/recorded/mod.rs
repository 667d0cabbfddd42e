//! What the parts do for a transaction: how long each took, as a metric, and told to OpenHIM.
//!
//! Parts that call other servers over HTTP record those calls themselves
//! ([`BackEnd`](mediator_core::back_end::BackEnd)). What embedded parts, databases and tokens do is
//! told from here, as the calls that it stands for. No body is recorded, and of a search only the
//! names of its parameters: both are about persons.

mod ledger;
mod repository;
mod signer;
mod transformer;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use mediator_core::envelope::{
    ErrorDetails, Orchestration, RecordedRequest, RecordedResponse, Timestamp,
};
use mediator_core::transaction::Transaction;

use crate::ledger::Ledger;
use crate::repository::FhirRepository;
use crate::signing::Signer;
use crate::transformer::Transformer;

const DURATION: &str = "port_call_duration_seconds";

/// Describes the metrics of this module; needed once, after the recorder is installed.
pub fn describe_metrics() {
    metrics::describe_histogram!(
        DURATION,
        metrics::Unit::Seconds,
        "Time that a part was waited for, embedded or another server, by port and call"
    );
}

/// Who tells OpenHIM of what a part does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The part itself, of each call that it makes over HTTP.
    ByThePart,
    /// Nobody else: it is told as calls to this host.
    AsCallsTo {
        /// A host, or what there is in its place.
        host: String,
        /// Its port, if it has one.
        port: Option<u16>,
    },
}

impl Told {
    /// Of a part in this process.
    #[must_use]
    pub fn as_embedded() -> Self {
        Self::AsCallsTo {
            host: "embedded".to_owned(),
            port: None,
        }
    }
}

/// A part whose work is measured and recorded.
struct Recorded<P> {
    part: P,
    told: Told,
}

/// A transformer whose work is measured, and recorded in the transaction of OpenHIM that it is done
/// for.
#[must_use]
pub fn transformer(part: impl Transformer + 'static, told: Told) -> Arc<dyn Transformer> {
    Arc::new(Recorded { part, told })
}

/// A repository, likewise.
#[must_use]
pub fn repository(part: impl FhirRepository + 'static, told: Told) -> Arc<dyn FhirRepository> {
    Arc::new(Recorded { part, told })
}

/// A signer, likewise.
#[must_use]
pub fn signer(part: impl Signer + 'static, told: Told) -> Arc<dyn Signer> {
    Arc::new(Recorded { part, told })
}

/// A ledger, likewise.
#[must_use]
pub fn ledger(part: impl Ledger + 'static, told: Told) -> Arc<dyn Ledger> {
    Arc::new(Recorded { part, told })
}

/// A call in the making.
struct Call {
    port: &'static str,
    name: &'static str,
    group: &'static str,
    method: &'static str,
    path: String,
    query: Option<String>,
}

impl Call {
    /// Does the work, measures it, and tells of it with the HTTP status that it would have had.
    async fn record<T, E: Display>(
        self,
        told: &Told,
        work: impl Future<Output = Result<T, E>>,
        refused: impl FnOnce(&E) -> Option<StatusCode>,
    ) -> Result<T, E> {
        let (port, name) = (self.port, self.name);
        let start = Instant::now();
        let result = match (told, Transaction::current()) {
            (Told::AsCallsTo { host, port }, Some(transaction)) => {
                let request = RecordedRequest::new(Timestamp::now()).host(host, *port);
                let result = work.await;
                transaction.record(self.orchestration(request, &result, refused));
                result
            }
            _ => work.await,
        };
        metrics::histogram!(DURATION, "port" => port, "call" => name).record(start.elapsed());
        result
    }

    fn orchestration<T, E: Display>(
        self,
        request: RecordedRequest,
        result: &Result<T, E>,
        refused: impl FnOnce(&E) -> Option<StatusCode>,
    ) -> Orchestration {
        let mut request = request.method(self.method).path(self.path);
        if let Some(query) = self.query {
            request = request.querystring(query);
        }
        let orchestration = Orchestration::new(self.name, request).group(self.group);
        let answered = |status| RecordedResponse::new(status, Timestamp::now());
        match result {
            Ok(_) => orchestration.response(answered(StatusCode::OK)),
            Err(error) => match refused(error) {
                Some(status) => orchestration.response(answered(status)),
                None => orchestration
                    .response(answered(StatusCode::SERVICE_UNAVAILABLE))
                    .error(ErrorDetails::new(error.to_string())),
            },
        }
    }
}
