//! The DDCC Generation Service: the actor that the transactions are made by.
//!
//! It holds the four ports and what is configured, and the way of one certificate through them.
//! Its transactions are in [`crate::transactions`], a file each.

use std::sync::Arc;

use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::audit_event::Requester;
use crate::card::{CardRenderer, CardSize};
use crate::codes::{CodeForm, IssuerSettings};
use crate::holder_queue::HolderQueue;
use crate::in_work::InWork;
use crate::ledger::Ledger;
use crate::operation_outcome::{Issue, IssueType, OperationOutcome};
use crate::questionnaire::Questionnaires;
use crate::repository::FhirRepository;
use crate::signing::Signer;
use crate::transformer::Transformer;

/// The ports that a service works through.
#[derive(Clone)]
pub struct Ports {
    /// Runs StructureMaps.
    pub transformer: Arc<dyn Transformer>,
    /// Keeps documents and registers them.
    pub repository: Arc<dyn FhirRepository>,
    /// Signs codes and documents.
    pub signer: Arc<dyn Signer>,
    /// Remembers accepted events.
    pub ledger: Arc<dyn Ledger>,
}

/// What is configured.
#[derive(Clone)]
pub struct ServiceSettings {
    /// What codes state about the health authority.
    pub issuer: IssuerSettings,
    /// Forms of code that a certificate gets where it can.
    pub forms: Vec<CodeForm>,
    /// How cards are laid out, and their size; `None` for certificates without a card.
    pub card: Option<(Arc<CardRenderer>, CardSize)>,
    /// Questionnaires whose responses are certified.
    pub questionnaires: Questionnaires,
    /// URL under which this service is reached from outside, without a slash at its end.
    pub public_base_url: String,
}

/// Issues health certificates. Clones share everything.
#[derive(Clone)]
pub struct GenerationService {
    pub(crate) ports: Ports,
    pub(crate) settings: Arc<ServiceSettings>,
    pub(crate) holders: HolderQueue,
    pub(crate) in_work: InWork,
    pub(crate) requester: Option<Arc<Requester>>,
    processors: Arc<Semaphore>,
}

impl GenerationService {
    /// A service on these ports.
    #[must_use]
    pub fn new(ports: Ports, settings: ServiceSettings) -> Self {
        let processors = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            ports,
            settings: Arc::new(settings),
            holders: HolderQueue::default(),
            in_work: InWork::default(),
            requester: None,
            processors: Arc::new(Semaphore::new(processors)),
        }
    }

    /// The same service with other settings: it shares this one's ports, queues and limits, and
    /// what this one has begun goes on as it was.
    #[must_use]
    pub fn with_settings(&self, settings: ServiceSettings) -> Self {
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// The same service for what somebody asks for: audits say who it was.
    #[must_use]
    pub fn on_behalf_of(&self, requester: Option<Requester>) -> Self {
        Self {
            requester: requester.map(Arc::new),
            ..self.clone()
        }
    }

    /// The ports, for checks of their readiness and for reading what is stored.
    #[must_use]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }

    /// What is configured.
    #[must_use]
    pub fn settings(&self) -> &ServiceSettings {
        &self.settings
    }

    /// URL of a stored document.
    #[must_use]
    pub fn location_of(&self, document_id: Uuid) -> String {
        format!("{}/Bundle/{document_id}", self.settings.public_base_url)
    }

    /// Runs work for the processor outside the async threads, as many at a time as there are
    /// processors.
    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, OperationOutcome> {
        let permit = Arc::clone(&self.processors)
            .acquire_owned()
            .await
            .map_err(|_| stopped())?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
        .await
        .map_err(|_| stopped())
    }
}

/// A panic ended a part of the work.
pub(crate) fn stopped() -> OperationOutcome {
    OperationOutcome::new(
        500,
        Issue::general(
            IssueType::Exception,
            "issuing stopped unexpectedly; repeat the request, and look into the log of the service if it stops again",
        ),
    )
}
