//! A certificate's way, through the embedded parts: nothing lost, nothing twice.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use mediator_ddcc::codes::{CodeForm, IssuerSettings};
use mediator_ddcc::database::Database;
use mediator_ddcc::document;
use mediator_ddcc::generation_service::{GenerationService, Ports, ServiceSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::ledger::{EventKey, Ledger};
use mediator_ddcc::operation_outcome::OperationOutcome;
use mediator_ddcc::questionnaire::Questionnaires;
use mediator_ddcc::repository::sqlite::SqliteRepository;
use mediator_ddcc::repository::{FhirRepository, RepositoryError};
use mediator_ddcc::signing::development_pki::DevelopmentPki;
use mediator_ddcc::signing::{Signer, SignerIdentity, SigningError};
use mediator_ddcc::transformer::EmbeddedTransformer;
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

const VACCINATION: &str = include_str!("../../examples/requests/vaccination.json");
const TEST_RESULT: &str = include_str!("../../examples/requests/test-result.json");

fn vaccination() -> Value {
    serde_json::from_str(VACCINATION).unwrap()
}

/// The answer to a question of a response, to be changed.
fn answer<'a>(response: &'a mut Value, link_id: &str) -> &'a mut Value {
    let items = response["item"].as_array_mut().unwrap();
    let item = items.iter_mut().find(|item| item["linkId"] == link_id);
    &mut item.unwrap()["answer"][0]
}

fn with(link_id: &str, value: Value) -> Value {
    let mut response = vaccination();
    *answer(&mut response, link_id) = value;
    response
}

struct Fixture {
    service: GenerationService,
    repository: Arc<dyn FhirRepository>,
    ledger: Arc<dyn Ledger>,
    signer: Arc<dyn Signer>,
    folder: TempDir,
}

impl Fixture {
    async fn new() -> Self {
        Self::with(|repository| repository, |signer| signer).await
    }

    async fn with(
        repository: impl FnOnce(Arc<dyn FhirRepository>) -> Arc<dyn FhirRepository>,
        signer: impl FnOnce(Arc<dyn Signer>) -> Arc<dyn Signer>,
    ) -> Self {
        let folder = TempDir::new().unwrap();
        let pki = DevelopmentPki::open_or_create(
            &folder.path().join("development-pki"),
            "CH",
            chrono::Utc::now(),
        );
        let signer = signer(Arc::new(pki.unwrap().signer));
        let (database_repository, ledger) = open(&folder).await;
        let repository = repository(database_repository);
        Self {
            service: service(&repository, &ledger, &signer),
            repository,
            ledger,
            signer,
            folder,
        }
    }

    /// Another process on the same database and keys.
    async fn another_process(&self) -> GenerationService {
        let (repository, ledger) = open(&self.folder).await;
        service(&repository, &ledger, &self.signer)
    }

    /// Why a response is not certified.
    async fn refused(&self, response: Value) -> OperationOutcome {
        let issued = self.service.generate_health_certificate(response).await;
        issued.err().unwrap()
    }

    async fn count(&self, resource_type: &str) -> usize {
        self.repository
            .search(resource_type, &[])
            .await
            .unwrap()
            .len()
    }

    async fn stored(&self) -> Vec<(&'static str, usize)> {
        let mut counts = Vec::new();
        for resource_type in [
            "Bundle",
            "DocumentReference",
            "List",
            "Patient",
            "AuditEvent",
        ] {
            counts.push((resource_type, self.count(resource_type).await));
        }
        counts
    }

    async fn stores_nothing(&self) -> bool {
        self.stored().await.iter().all(|(_, count)| *count == 0)
            && self.ledger.unfinished(10).await.unwrap().is_empty()
    }
}

async fn open(folder: &TempDir) -> (Arc<dyn FhirRepository>, Arc<dyn Ledger>) {
    let database = Database::open(&folder.path().join("ddcc.sqlite"))
        .await
        .unwrap();
    (
        Arc::new(SqliteRepository::new(database.clone())),
        Arc::new(SqliteLedger::new(database)),
    )
}

fn service(
    repository: &Arc<dyn FhirRepository>,
    ledger: &Arc<dyn Ledger>,
    signer: &Arc<dyn Signer>,
) -> GenerationService {
    let ports = Ports {
        transformer: Arc::new(EmbeddedTransformer::builtin().unwrap()),
        repository: Arc::clone(repository),
        signer: Arc::clone(signer),
        ledger: Arc::clone(ledger),
    };
    let settings = ServiceSettings {
        issuer: IssuerSettings {
            name: "Ministry of Health".to_owned(),
            country: "CH".to_owned(),
            country_alpha3: "CHE".to_owned(),
            smart_health_card_issuer: "https://health.example.org/ddcc/shc_issuer".to_owned(),
            default_validity_days: 365,
            issue_expired: true,
        },
        forms: CodeForm::ALL.to_vec(),
        card: None,
        questionnaires: Questionnaires::builtin().unwrap(),
        public_base_url: "https://health.example.org/ddcc".to_owned(),
    };
    GenerationService::new(ports, settings)
}

#[tokio::test]
async fn a_vaccination_becomes_a_registered_document_with_every_code() {
    let fixture = Fixture::new().await;
    let certificate = fixture
        .service
        .generate_health_certificate(vaccination())
        .await
        .unwrap();
    assert!(certificate.is_new);
    assert_eq!(certificate.place, 1);
    assert_eq!(certificate.hcid, "CH-7QK2-M4TD");
    let forms: Vec<CodeForm> = certificate.codes.iter().map(|code| code.form).collect();
    assert_eq!(forms, CodeForm::ALL);
    let signers = [certificate.signer.clone()];
    document::signature::verify(&certificate.document, &signers).unwrap();
    let id = certificate.document_id.to_string();
    let stored = fixture.repository.read("Bundle", &id).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&certificate.document));
    assert_eq!(
        fixture.stored().await,
        [
            ("Bundle", 1),
            ("DocumentReference", 5),
            ("List", 2),
            ("Patient", 1),
            ("AuditEvent", 1)
        ]
    );
    assert!(fixture.ledger.unfinished(10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_test_result_is_certified_and_what_has_no_equivalent_is_left_out_with_a_reason() {
    let fixture = Fixture::new().await;
    let response = serde_json::from_str(TEST_RESULT).unwrap();
    let certificate = fixture
        .service
        .generate_health_certificate(response)
        .await
        .unwrap();
    let forms: Vec<CodeForm> = certificate.codes.iter().map(|code| code.form).collect();
    assert_eq!(forms, [CodeForm::Who, CodeForm::Dcc, CodeForm::Shc]);
    assert_eq!(certificate.omissions[0].form, CodeForm::Icao);
    assert!(!certificate.omissions[0].reason.is_empty());
}

#[tokio::test]
async fn the_same_event_twice_gives_the_same_certificate() {
    let fixture = Fixture::new().await;
    let service = &fixture.service;
    let first = service
        .generate_health_certificate(vaccination())
        .await
        .unwrap();
    let before = fixture.stored().await;
    let mut again = vaccination();
    again["id"] = json!("sent-again");
    again["meta"] = json!({"source": "#2"});
    let second = service.generate_health_certificate(again).await.unwrap();
    assert!(!second.is_new);
    assert_eq!(second.document, first.document);
    assert_eq!(second.codes, first.codes);
    assert_eq!(second.omissions, first.omissions);
    assert_eq!((second.place, second.signer), (1, first.signer));
    assert_eq!(fixture.stored().await, before);
}

#[tokio::test]
async fn without_identifier_the_content_makes_the_event() {
    let fixture = Fixture::new().await;
    let mut anonymous = vaccination();
    anonymous.as_object_mut().unwrap().remove("identifier");
    let service = &fixture.service;
    let first = service
        .generate_health_certificate(anonymous.clone())
        .await
        .unwrap();
    let second = service
        .generate_health_certificate(anonymous.clone())
        .await
        .unwrap();
    assert_eq!(first.document, second.document);
    *answer(&mut anonymous, "lot") = json!({"valueString": "OTHER"});
    let other = service
        .generate_health_certificate(anonymous)
        .await
        .unwrap();
    assert_eq!((other.is_new, other.place), (true, 2));
}

#[tokio::test]
async fn another_event_under_the_same_identifier_is_a_conflict() {
    let fixture = Fixture::new().await;
    let service = &fixture.service;
    service
        .generate_health_certificate(vaccination())
        .await
        .unwrap();
    let before = fixture.stored().await;
    let outcome = fixture
        .refused(with("lot", json!({"valueString": "OTHER"})))
        .await;
    assert_eq!(outcome.status, 409);
    assert_eq!(
        outcome.issues[0].expression,
        ["QuestionnaireResponse.identifier"]
    );
    assert_eq!(fixture.stored().await, before);
}

#[tokio::test]
async fn the_hcid_of_another_person_is_a_conflict_and_leaves_no_trace() {
    let fixture = Fixture::new().await;
    let service = &fixture.service;
    service
        .generate_health_certificate(vaccination())
        .await
        .unwrap();
    let before = fixture.stored().await;
    let mut other = with("name", json!({"valueString": "Someone Else"}));
    other["identifier"]["value"] = json!("other event");
    *answer(&mut other, "birthDate") = json!({"valueDate": "1950-01-01"});
    *answer(&mut other, "identifier") = json!({"valueString": "Y1"});
    let outcome = fixture.refused(other.clone()).await;
    assert_eq!(outcome.status, 409);
    assert_eq!(
        outcome.issues[0].expression,
        ["QuestionnaireResponse.item.where(linkId='hcid').answer.value"]
    );
    assert_eq!(fixture.stored().await, before);
    assert!(fixture.ledger.unfinished(10).await.unwrap().is_empty());
    // Corrected, it is an event like any other.
    *answer(&mut other, "hcid") = json!({"valueString": "CH-OTHER"});
    service.generate_health_certificate(other).await.unwrap();
}

#[tokio::test]
async fn doses_get_their_places_in_the_order_in_which_they_were_asked_for() {
    let fixture = Fixture::new().await;
    let mut issuing = Vec::new();
    for dose in 1..=9 {
        let mut response = with("dose", json!({"valueInteger": dose}));
        *answer(&mut response, "total_doses") = json!({"valueInteger": 9});
        response["identifier"]["value"] = json!(format!("dose {dose}"));
        let event = fixture.service.examine(response).await.unwrap();
        issuing.push(fixture.service.issue(event));
    }
    let certificates = futures::future::join_all(issuing).await;
    let places: Vec<usize> = certificates
        .iter()
        .map(|certificate| certificate.as_ref().unwrap().place)
        .collect();
    assert_eq!(places, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(fixture.count("Patient").await, 1);
}

#[tokio::test]
async fn processes_on_one_database_agree() {
    let fixture = Fixture::new().await;
    let other = fixture.another_process().await;
    // The same event, and two doses of one holder, at the same time.
    let mut second = with("dose", json!({"valueInteger": 2}));
    second["identifier"]["value"] = json!("dose 2");
    let (one, two, three) = tokio::join!(
        fixture.service.generate_health_certificate(vaccination()),
        other.generate_health_certificate(vaccination()),
        other.generate_health_certificate(second),
    );
    let (one, two, three) = (one.unwrap(), two.unwrap(), three.unwrap());
    assert_eq!(one.document, two.document);
    let mut places = [one.place, three.place];
    places.sort_unstable();
    assert_eq!(places, [1, 2]);
    assert_eq!(fixture.count("Bundle").await, 2);
}

#[tokio::test]
async fn a_batch_is_answered_in_order_and_one_failure_leaves_the_others_alone() {
    let fixture = Fixture::new().await;
    let entry = |resource: Value| {
        json!({"resource": resource, "request": {
            "method": "POST", "url": "QuestionnaireResponse/$generateHealthCertificate"}})
    };
    let mut second = with("dose", json!({"valueInteger": 2}));
    second["identifier"]["value"] = json!("dose 2");
    let mut foreign = entry(vaccination());
    foreign["request"]["url"] = json!("Patient");
    let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
        entry(vaccination()),
        entry(with("dose", json!({"valueInteger": 0}))),
        foreign,
        entry(json!({"resourceType": "Parameters", "parameter": [{"name": "response", "resource": second}]})),
    ]});
    let response = fixture.service.submit_health_event(batch).await.unwrap();
    assert_eq!(
        response.statuses().collect::<Vec<_>>(),
        [201, 422, 404, 201]
    );
    let text: String = response
        .into_pieces()
        .map(|piece| piece.to_string())
        .collect();
    let response: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(response["type"], "batch-response");
    assert!(response["identifier"]["value"].is_string());
    let entries = response["entry"].as_array().unwrap();
    let statuses: Vec<&str> = entries
        .iter()
        .map(|entry| entry["response"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(statuses, ["201", "422", "404", "201"]);
    for index in [0, 3] {
        assert_eq!(entries[index]["resource"]["type"], "document");
        let location = entries[index]["response"]["location"].as_str().unwrap();
        let id = location
            .strip_prefix("https://health.example.org/ddcc/Bundle/")
            .unwrap();
        assert!(
            fixture
                .repository
                .read("Bundle", id)
                .await
                .unwrap()
                .is_some()
        );
    }
    let outcome = &entries[1]["response"]["outcome"];
    assert_eq!(
        outcome["issue"][0]["expression"][0],
        "QuestionnaireResponse.item.where(linkId='dose').answer.value"
    );
    assert_eq!(fixture.count("Bundle").await, 2);
}

#[rstest]
#[case::unknown_questionnaire(|r: &mut Value| r["questionnaire"] = json!("http://example.org/q"), 422, "QuestionnaireResponse.questionnaire")]
#[case::not_completed(|r: &mut Value| r["status"] = json!("in-progress"), 422, "QuestionnaireResponse.status")]
#[case::no_lot(|r: &mut Value| *answer(r, "lot") = json!({"valueString": ""}), 422, "QuestionnaireResponse.item.where(linkId='lot').answer.value")]
#[case::wrong_type(|r: &mut Value| *answer(r, "dose") = json!({"valueString": "1"}), 422, "QuestionnaireResponse.item.where(linkId='dose').answer.value")]
#[case::impossible_date(|r: &mut Value| *answer(r, "date") = json!({"valueDate": "2026-02-30"}), 400, "QuestionnaireResponse.item.where(linkId='date').answer.value")]
#[case::dose_0(|r: &mut Value| *answer(r, "dose") = json!({"valueInteger": 0}), 422, "QuestionnaireResponse.item.where(linkId='dose').answer.value")]
#[case::no_maker(|r: &mut Value| r["item"].as_array_mut().unwrap().retain(|item| item["linkId"] != "manufacturer" && item["linkId"] != "ma_holder"), 422, "QuestionnaireResponse.item.where(linkId='manufacturer').answer.value")]
#[case::validity_reversed(|r: &mut Value| *answer(r, "valid_until") = json!({"valueDate": "2020-01-01"}), 422, "QuestionnaireResponse.item.where(linkId='valid_until').answer.value")]
#[case::hcid_path(|r: &mut Value| *answer(r, "hcid") = json!({"valueString": "../../etc"}), 422, "QuestionnaireResponse.item.where(linkId='hcid').answer.value")]
#[case::hcid_long(|r: &mut Value| *answer(r, "hcid") = json!({"valueString": "1".repeat(10_000)}), 422, "QuestionnaireResponse.item.where(linkId='hcid').answer.value")]
#[case::control_character(|r: &mut Value| *answer(r, "name") = json!({"valueString": "a\u{1b}[2Jb"}), 422, "QuestionnaireResponse.item.where(linkId='name').answer.value")]
#[tokio::test]
async fn bad_input_names_the_element_and_leaves_no_trace(
    #[case] spoil: fn(&mut Value),
    #[case] status: u16,
    #[case] expression: &str,
) {
    let fixture = Fixture::new().await;
    let mut response = vaccination();
    spoil(&mut response);
    let outcome = fixture.refused(response).await;
    assert_eq!(outcome.status, status, "{outcome}");
    assert_eq!(outcome.issues[0].expression, [expression], "{outcome}");
    assert!(fixture.stores_nothing().await);
}

/// A repository that fails its first transactions.
struct Failing {
    inner: Arc<dyn FhirRepository>,
    failures: AtomicUsize,
    /// Whether it does as it is told before it fails, as when an answer is lost.
    after: bool,
}

#[async_trait]
impl FhirRepository for Failing {
    async fn transaction(&self, bundle: Value) -> Result<Value, RepositoryError> {
        let failure = || RepositoryError::Unavailable("unplugged".to_owned());
        let left = self
            .failures
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                left.checked_sub(1)
            });
        match left {
            Err(_) => self.inner.transaction(bundle).await,
            Ok(_) if self.after => {
                self.inner.transaction(bundle).await?;
                Err(failure())
            }
            Ok(_) => Err(failure()),
        }
    }

    async fn read(&self, resource_type: &str, id: &str) -> Result<Option<Value>, RepositoryError> {
        self.inner.read(resource_type, id).await
    }

    async fn search(
        &self,
        resource_type: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, RepositoryError> {
        self.inner.search(resource_type, parameters).await
    }
}

#[rstest]
#[case::before(false)]
#[case::after(true)]
#[tokio::test]
async fn an_interrupted_event_is_finished_once(#[case] after: bool) {
    let failing = |inner| -> Arc<dyn FhirRepository> {
        Arc::new(Failing {
            inner,
            failures: AtomicUsize::new(1),
            after,
        })
    };
    let fixture = Fixture::with(failing, |signer| signer).await;
    let outcome = fixture.refused(vaccination()).await;
    assert_eq!(outcome.status, 503);
    let left = fixture.ledger.unfinished(10).await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(fixture.service.finish_interrupted().await.unwrap(), 1);
    assert!(fixture.ledger.unfinished(10).await.unwrap().is_empty());
    assert_eq!(fixture.count("Bundle").await, 1);
    let certificate = fixture
        .service
        .generate_health_certificate(vaccination())
        .await
        .unwrap();
    assert_eq!(certificate.document_id, left[0].id);
    assert!(!certificate.is_new);
    assert_eq!(certificate.place, 1);
}

#[tokio::test]
async fn an_identifier_that_a_later_dose_states_finds_every_document_of_the_holder() {
    let fixture = Fixture::new().await;
    let mut first = vaccination();
    let items = first["item"].as_array_mut().unwrap();
    items.retain(|item| item["linkId"] != "identifier");
    let mut second = with("dose", json!({"valueInteger": 2}));
    second["identifier"]["value"] = json!("second dose");
    let mut found = Vec::new();
    for event in [first, second] {
        fixture
            .service
            .generate_health_certificate(event)
            .await
            .unwrap();
        let criteria = [("patient.identifier", "X4711082"), ("status", "current")];
        let references = fixture
            .repository
            .search("DocumentReference", &criteria)
            .await
            .unwrap();
        let is_of_document = |found: &&Value| found["content"][0]["attachment"]["url"].is_string();
        found.push(references.iter().filter(is_of_document).count());
    }
    assert_eq!(found, [0, 2]);
    assert_eq!(fixture.count("Patient").await, 1);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_stops_no_other() {
    let fixture = Fixture::with(|repository| repository, |signer| signer).await;
    let kept = ["{", &vaccination().to_string()];
    for (name, request) in ["broken", "whole"].into_iter().zip(kept) {
        let key = EventKey(name.to_owned());
        fixture.ledger.accept(&key, "h", request).await.unwrap();
    }
    assert_eq!(fixture.service.finish_interrupted().await.unwrap(), 1);
    assert_eq!(fixture.count("Bundle").await, 1);
}

/// A signer whose key is away.
struct Away(Arc<dyn Signer>);

#[async_trait]
impl Signer for Away {
    fn identity(&self) -> Arc<SignerIdentity> {
        self.0.identity()
    }

    async fn sign(&self, _: &SignerIdentity, _: &[u8]) -> Result<Vec<u8>, SigningError> {
        Err(SigningError::Unavailable("sealed".to_owned()))
    }
}

#[tokio::test]
async fn without_a_signature_nothing_leaves_and_the_event_waits() {
    let away = |signer| -> Arc<dyn Signer> { Arc::new(Away(signer)) };
    let fixture = Fixture::with(|repository| repository, away).await;
    let outcome = fixture.refused(vaccination()).await;
    assert_eq!(outcome.status, 503);
    assert_eq!(fixture.count("Bundle").await, 0);
    assert_eq!(fixture.ledger.unfinished(10).await.unwrap().len(), 1);
    assert_eq!(fixture.service.finish_interrupted().await.unwrap(), 0);
}

/// A signer that makes signatures of another key.
struct Forged(Arc<dyn Signer>);

#[async_trait]
impl Signer for Forged {
    fn identity(&self) -> Arc<SignerIdentity> {
        self.0.identity()
    }

    async fn sign(&self, _: &SignerIdentity, _: &[u8]) -> Result<Vec<u8>, SigningError> {
        Ok(vec![7; 64])
    }
}

#[tokio::test]
async fn a_code_that_does_not_verify_does_not_leave() {
    let forged = |signer| -> Arc<dyn Signer> { Arc::new(Forged(signer)) };
    let fixture = Fixture::with(|repository| repository, forged).await;
    let outcome = fixture.refused(vaccination()).await;
    assert_eq!(outcome.status, 500);
    assert_eq!(fixture.count("Bundle").await, 0);
}
