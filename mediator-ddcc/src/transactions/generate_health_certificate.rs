//! `QuestionnaireResponse/$generateHealthCertificate`: one health event becomes one certificate.
//!
//! The guide's expected actions, in order: look up the holder's folder, generate and sign the
//! document, store it, register it, write an audit event, return the signed document.

use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use futures::future::try_join_all;
use mediator_core::transaction::Transaction;
use serde_json::Value;
use uuid::Uuid;

use crate::accepted_request::AcceptedRequest;
use crate::audit_event;
use crate::codes::{CodeOmission, IssuedCode};
use crate::core_data_set::{self, CoreDataSet, Event};
use crate::document;
use crate::document::registration::Registration;
use crate::drafting::{Draft, Drafting};
use crate::event_identity::EventIdentity;
use crate::generation_service::{GenerationService, stopped};
use crate::json_text::json_text;
use crate::ledger;
use crate::operation_outcome::{Issue, IssueType, OperationOutcome, Severity};
use crate::questionnaire::Questionnaire;
use crate::repository::RepositoryError;
use crate::signing::SigningCertificate;

/// How often a folder that someone else changes at the same time is read again.
const FOLDER_ATTEMPTS: usize = 8;

/// A health event that can be certified. Nothing is stored for it yet.
pub struct AcceptableEvent {
    response: Value,
    identity: EventIdentity,
    core_data_set: Arc<CoreDataSet>,
    hcid_expression: String,
    warnings: Vec<Issue>,
}

/// An issued certificate.
pub struct HealthCertificate {
    /// Health certificate identifier: whose folder it is in.
    pub hcid: String,
    /// Place in that folder, from 1.
    pub place: usize,
    /// Id of the document in the repository.
    pub document_id: Uuid,
    /// The signed document: a Bundle.
    pub document: Value,
    /// The same as JSON text.
    pub document_text: Arc<str>,
    /// What is certified.
    pub core_data_set: Arc<CoreDataSet>,
    /// Its codes, with images.
    pub codes: Vec<IssuedCode>,
    /// Forms of code that it does not have, and why.
    pub omissions: Vec<CodeOmission>,
    /// The card as PDF.
    pub card: Option<Vec<u8>>,
    /// The document signing certificate that it verifies with.
    pub signer: SigningCertificate,
    /// What was noticed in the request, without stopping it.
    pub warnings: Vec<Issue>,
    /// False when the same event was certified before, and this is that certificate.
    pub is_new: bool,
}

impl AcceptableEvent {
    /// The holder's health certificate identifier.
    #[must_use]
    pub fn hcid(&self) -> &str {
        self.core_data_set.hcid()
    }
}

impl HealthCertificate {
    /// What the holder should know about this certificate: what was noticed in the request, and
    /// the codes it does not have.
    #[must_use]
    pub fn notes(&self) -> Vec<Issue> {
        let omissions = self.omissions.iter().map(|omission| Issue {
            severity: Severity::Information,
            code: IssueType::Informational,
            diagnostics: omission.to_string(),
            expression: Vec::new(),
        });
        self.warnings.iter().cloned().chain(omissions).collect()
    }
}

impl GenerationService {
    /// Certifies one QuestionnaireResponse; [`GenerationService::examine`] and
    /// [`GenerationService::issue`] in one.
    ///
    /// # Errors
    /// Those of both.
    pub async fn generate_health_certificate(
        &self,
        response: Value,
    ) -> Result<HealthCertificate, OperationOutcome> {
        self.issue(self.examine(response).await?).await
    }

    /// Checks a QuestionnaireResponse and makes the core data set of it. Stores nothing.
    ///
    /// # Errors
    /// 400 when it breaks FHIR, 422 when its questionnaire or the rules of the core data set do
    /// not allow it (every mistake at once), 503 when the mapping engine is unavailable.
    pub async fn examine(&self, response: Value) -> Result<AcceptableEvent, OperationOutcome> {
        let questionnaire = self.settings.questionnaires.of(&response)?;
        let warnings = questionnaire.check(&response)?;
        let identity = EventIdentity::of(&response).ok_or_else(|| {
            OperationOutcome::new(
                400,
                Issue::error(
                    IssueType::Structure,
                    "QuestionnaireResponse",
                    "a number is too large to be written exactly",
                ),
            )
        })?;
        let seed = Uuid::new_v5(&Uuid::NAMESPACE_OID, identity.content_hash.as_bytes());
        let transformer = &self.ports.transformer;
        let mapped = transformer
            .transform(questionnaire.map_url(), &response, seed)
            .await?;
        let core_data_set: CoreDataSet = serde_json::from_value(mapped)
            .map_err(|error| not_a_core_data_set(questionnaire, &error))?;
        let broken: Vec<Issue> = core_data_set::rules::broken_rules(&core_data_set, Utc::now())
            .into_iter()
            .map(|rule| {
                let expression = questionnaire.expression_of(rule.element);
                Issue::error(rule.code, expression, rule.diagnostics)
            })
            .collect();
        if !broken.is_empty() {
            return Err(OperationOutcome {
                status: 422,
                issues: broken,
            });
        }
        Ok(AcceptableEvent {
            hcid_expression: questionnaire.expression_of("certificate.hcid"),
            response,
            identity,
            core_data_set: Arc::new(core_data_set),
            warnings,
        })
    }

    /// Issues the certificate of an event, or returns the one it got before.
    ///
    /// The holder's events are worked on in the order in which this is called (not awaited). Once
    /// accepted, an event is finished even when nobody waits for it any more.
    ///
    /// # Errors
    /// 409 when the HCID is another person's, or another event has this event's identifier; 5xx
    /// when a back end fails: the event is then in the ledger, and repeating is safe.
    pub fn issue(
        &self,
        event: AcceptableEvent,
    ) -> impl Future<Output = Result<HealthCertificate, OperationOutcome>> + Send + use<> {
        let mut ticket = self.holders.ticket(event.hcid());
        let service = self.clone();
        async move {
            ticket.turn().await;
            tokio::spawn(Transaction::carry(async move {
                let _ticket = ticket;
                service.accept_and_issue(event).await
            }))
            .await
            .unwrap_or_else(|_| Err(stopped()))
        }
    }

    /// Lets another process try, which may reach what this one does not.
    pub(crate) async fn release(&self, id: Uuid) {
        if let Err(error) = self.ports.ledger.released(id).await {
            // It stays with this process, whose next attempt needs no claim.
            tracing::debug!(event = %id, "{error}");
        }
    }

    async fn accept_and_issue(
        &self,
        event: AcceptableEvent,
    ) -> Result<HealthCertificate, OperationOutcome> {
        let content_hash = &event.identity.content_hash;
        let ledger = &self.ports.ledger;
        let (accepted, is_new) = self.accept(&event).await?;
        let _working = self.in_work.begin(accepted.id);
        if accepted.content_hash != *content_hash {
            return Err(OperationOutcome::new(
                409,
                Issue::error(
                    IssueType::Conflict,
                    "QuestionnaireResponse.identifier",
                    "an event with this identifier and other content was certified before; a correction needs an identifier of its own",
                ),
            ));
        }
        let stored = if is_new {
            None
        } else {
            self.stored_document(accepted.id).await?
        };
        let is_refusable = stored.is_none();
        if is_refusable && matches!(accepted.state, ledger::EventState::Issued { .. }) {
            return Err(OperationOutcome::new(
                410,
                Issue::general(
                    IssueType::NotFound,
                    "the certificate of this event was deleted from the repository",
                ),
            ));
        }
        let result = match stored {
            Some(document) => self.read_back(&accepted, event, document).await,
            None => self.issue_accepted(&accepted, event).await,
        };
        match &result {
            Ok(_) => {
                ledger.issued(accepted.id, &accepted.id.to_string()).await?;
            }
            // Refused for what it says: it leaves no trace. After any other failure it stays.
            Err(outcome) if is_refusable && (400..500).contains(&outcome.status) => {
                ledger.refused(accepted.id).await?;
            }
            Err(_) => self.release(accepted.id).await,
        }
        result
    }

    /// Waits while another process is issuing this very event, and takes it over when that one
    /// ends before it is done.
    async fn accept(
        &self,
        event: &AcceptableEvent,
    ) -> Result<(ledger::Event, bool), OperationOutcome> {
        /// Longer than a process that has ended keeps its events.
        const PATIENCE: Duration = Duration::from_secs(20);
        const PAUSE: Duration = Duration::from_millis(50);
        let EventIdentity { key, content_hash } = &event.identity;
        let request = AcceptedRequest::write(&event.response, self.requester.as_deref())
            .map_err(|error| internal(&error))?;
        let asked_at = Instant::now();
        loop {
            let ledger = &self.ports.ledger;
            let (accepted, is_new) = ledger.accept(key, content_hash, &request).await?;
            let is_elsewhere = accepted.state == ledger::EventState::InWorkElsewhere;
            if !is_elsewhere || accepted.content_hash != *content_hash {
                return Ok((accepted, is_new));
            }
            if asked_at.elapsed() > PATIENCE {
                return Err(OperationOutcome::new(
                    503,
                    Issue::general(
                        IssueType::Transient,
                        "another process is issuing the certificate of this event; repeat the request",
                    ),
                ));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn stored_document(&self, id: Uuid) -> Result<Option<Value>, OperationOutcome> {
        let repository = &self.ports.repository;
        Ok(repository.read("Bundle", &id.to_string()).await?)
    }

    async fn issue_accepted(
        &self,
        accepted: &ledger::Event,
        mut event: AcceptableEvent,
    ) -> Result<HealthCertificate, OperationOutcome> {
        let mut held = self.held_by_holder(&event).await?;
        let drafting = self.drafting(accepted, &event);
        let draft = self.draft(&drafting).await?;
        let signer = &drafting.signer;
        let signature = self
            .ports
            .signer
            .sign(signer, draft.document.to_be_signed())
            .await?;
        let document = draft
            .document
            .finish(&signature)
            .map_err(|error| internal(&error))?;
        for attempt in 0..FOLDER_ATTEMPTS {
            // It was moved into the attempt before, and to copy it for a conflict would take time always.
            if attempt > 0 {
                let request = AcceptedRequest::read(&accepted.request);
                event.response = request.map_err(|error| internal(&error))?.response;
            }
            let registration = self.registration(accepted, &mut event, &document, held.as_ref())?;
            let registered = self.ports.repository.provide_document_bundle(registration);
            match registered.await {
                Ok(()) => {
                    let folder = held.as_ref().map(|held| &held.folder);
                    let place = document::folder::next_place(folder, accepted.id);
                    return Ok(HealthCertificate {
                        hcid: event.hcid().to_owned(),
                        place,
                        document_id: accepted.id,
                        document_text: Arc::clone(document.text()),
                        document: document.into_bundle(),
                        core_data_set: event.core_data_set,
                        codes: draft.codes,
                        omissions: draft.omissions,
                        card: draft.card,
                        signer: signer.certificate.clone(),
                        warnings: event.warnings,
                        is_new: true,
                    });
                }
                Err(RepositoryError::VersionConflict { .. }) => {
                    // Someone else may have issued this very event; theirs was first then.
                    if let Some(stored) = self.stored_document(accepted.id).await? {
                        return self.read_back(accepted, event, stored).await;
                    }
                    held = self.held_by_holder(&event).await?;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(OperationOutcome::new(
            503,
            Issue::general(
                IssueType::Transient,
                "the holder's folder is changed by others all the time; repeat the request",
            ),
        ))
    }

    /// The holder's folder, when there is one, with the Patient that it is about.
    async fn held_by_holder(
        &self,
        event: &AcceptableEvent,
    ) -> Result<Option<Held>, OperationOutcome> {
        let repository = &self.ports.repository;
        let id = document::folder::id(&event.core_data_set.certificate.hcid).to_string();
        let Some(folder) = repository.read("List", &id).await? else {
            return Ok(None);
        };
        let patient = match document::folder::patient(&folder) {
            Some(patient) => repository.read("Patient", patient).await?,
            None => None,
        };
        let is_same = patient
            .as_ref()
            .is_none_or(|patient| document::holder::is_same(patient, &event.core_data_set));
        if is_same {
            return Ok(Some(Held { folder, patient }));
        }
        Err(OperationOutcome::new(
            409,
            Issue::error(
                IssueType::Conflict,
                event.hcid_expression.as_str(),
                "this HCID belongs to another person",
            ),
        ))
    }

    /// Codes, card and document, up to the document's signature.
    async fn draft(&self, drafting: &Drafting) -> Result<Draft, OperationOutcome> {
        let core_data_set =
            serde_json::to_value(&*drafting.core_data_set).map_err(|error| internal(&error))?;
        let transaction = self
            .ports
            .transformer
            .transform(
                add_bundle_map(&drafting.core_data_set),
                &core_data_set,
                drafting.document_id,
            )
            .await?;
        // A tenth of a millisecond: handing it to a blocking thread and back would take longer.
        let prepared = drafting.prepare_codes();
        let signer = &self.ports.signer;
        let signatures = try_join_all(
            prepared
                .codes
                .iter()
                .map(|code| signer.sign(&drafting.signer, code.to_be_signed())),
        )
        .await?;
        let work = drafting.clone();
        self.compute(move || work.complete(prepared, signatures, transaction))
            .await?
            .map_err(|error| internal(&error))
    }

    fn drafting(&self, accepted: &ledger::Event, event: &AcceptableEvent) -> Drafting {
        Drafting {
            settings: Arc::clone(&self.settings),
            signer: self.ports.signer.identity_at(accepted.accepted_at),
            document_id: accepted.id,
            issued_at: accepted.accepted_at,
            core_data_set: Arc::clone(&event.core_data_set),
        }
    }

    /// What stores and registers a document, with its AuditEvent.
    fn registration<'a>(
        &self,
        accepted: &ledger::Event,
        event: &mut AcceptableEvent,
        document: &'a document::SignedDocument,
        held: Option<&Held>,
    ) -> Result<Registration<'a>, OperationOutcome> {
        let mut registration = document::registration::provide_document_bundle(
            document,
            &event.core_data_set,
            event.response.take(),
            held.map(|held| &held.folder),
        )
        .map_err(|error| internal(&error))?;
        let patient = held.and_then(|held| held.patient.as_ref());
        if let Some(patient) = patient
            .and_then(|patient| document::holder::with_identifier(patient, &event.core_data_set))
        {
            registration.replace(patient);
        }
        let hcid = &event.core_data_set.certificate.hcid;
        let id = document::derived(accepted.id, "AuditEvent");
        let audit = audit_event::document_generated(
            id,
            Utc::now(),
            &self.settings.issuer.name,
            self.requester.as_deref(),
            &format!("Bundle/{}", accepted.id),
            &format!("List/{}", document::folder::id(hcid)),
        );
        registration.add(audit);
        Ok(registration)
    }

    /// The certificate that an event got before.
    async fn read_back(
        &self,
        accepted: &ledger::Event,
        event: AcceptableEvent,
        document: Value,
    ) -> Result<HealthCertificate, OperationOutcome> {
        let broken = || {
            OperationOutcome::new(
                500,
                Issue::general(
                    IssueType::Exception,
                    format!("the stored document Bundle/{} is damaged", accepted.id),
                ),
            )
        };
        let place = self
            .held_by_holder(&event)
            .await?
            .and_then(|held| document::folder::place_of(&held.folder, accepted.id))
            .ok_or_else(broken)?;
        let signer = document::signature::signing_certificate(&document).ok_or_else(broken)?;
        let drafting = self.drafting(accepted, &event);
        let (document, codes, omissions, card) = self
            .compute(move || {
                let codes = document::codes::read(&document)
                    .into_iter()
                    .map(|code| IssuedCode::new(code.form, code.text))
                    .collect::<Result<Vec<_>, _>>();
                let issued = codes.as_deref().unwrap_or_default();
                let omissions = drafting.omissions(issued);
                let card = document::codes::card(&document);
                (document, codes, omissions, card)
            })
            .await?;
        Ok(HealthCertificate {
            hcid: event.hcid().to_owned(),
            place,
            document_id: accepted.id,
            document_text: json_text(&document).into(),
            document,
            core_data_set: event.core_data_set,
            codes: codes.map_err(|_| broken())?,
            omissions,
            card,
            signer,
            warnings: event.warnings,
            is_new: false,
        })
    }
}

/// What the repository has of a holder.
struct Held {
    folder: Value,
    patient: Option<Value>,
}

/// Canonical url of the StructureMap that makes the resources of a core data set.
fn add_bundle_map(core_data_set: &CoreDataSet) -> &'static str {
    match core_data_set.event {
        Event::Vaccination(_) => "http://smart.who.int/ddcc/StructureMap/CoreDataSetVSToAddBundle",
        Event::Test(_) => "http://smart.who.int/ddcc/StructureMap/CoreDataSetTRToAddBundle",
    }
}

/// The questionnaire's map, which may be an operator's, left something out or made it of the wrong
/// type. Serde's message names the element, and may quote its value.
fn not_a_core_data_set(
    questionnaire: &Questionnaire,
    error: &serde_json::Error,
) -> OperationOutcome {
    let text = error.to_string();
    let element = text
        .strip_prefix("missing field `")
        .and_then(|rest| rest.split('`').next());
    let diagnostics = match element {
        Some(element) => format!(
            "the map {} made a core data set without `{element}`",
            questionnaire.map_url()
        ),
        None => format!(
            "the map {} made a core data set with an element of the wrong type",
            questionnaire.map_url()
        ),
    };
    OperationOutcome::new(422, Issue::general(IssueType::Invariant, diagnostics))
}

/// A mistake of this program or its configuration; the log has it whole.
fn internal(error: &dyn std::error::Error) -> OperationOutcome {
    tracing::error!("a certificate could not be made: {error}");
    OperationOutcome::new(
        500,
        Issue::general(
            IssueType::Exception,
            format!("the certificate could not be made: {error}"),
        ),
    )
}
