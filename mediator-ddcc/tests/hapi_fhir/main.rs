//! Certificates in a real FHIR server: HAPI FHIR.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod failures;
mod issuing;
mod repository;

use std::sync::Arc;
use std::time::Duration;

use mediator_core::back_end::{Authentication, BackEnd, BackEndSettings, CircuitBreakerSettings};
use mediator_ddcc::codes::{CodeForm, IssuerSettings};
use mediator_ddcc::database::Database;
use mediator_ddcc::generation_service::{GenerationService, Ports, ServiceSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::questionnaire::Questionnaires;
use mediator_ddcc::repository::FhirRepository;
use mediator_ddcc::repository::rest::RestRepository;
use mediator_ddcc::signing::Signer;
use mediator_ddcc::signing::development_pki::DevelopmentPki;
use mediator_ddcc::transformer::EmbeddedTransformer;
use real_servers::hapi_fhir::RealHapiFhir;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

const VACCINATION: &str = include_str!("../../../examples/requests/vaccination.json");
const TEST_RESULT: &str = include_str!("../../../examples/requests/test-result.json");

static SERVER: OnceCell<Option<RealHapiFhir>> = OnceCell::const_new();

/// The server that the tests share; each has holders of its own.
async fn server() -> Option<&'static RealHapiFhir> {
    SERVER.get_or_init(RealHapiFhir::start).await.as_ref()
}

/// Patient with a machine that has much else to do.
fn settings(server: &RealHapiFhir) -> BackEndSettings {
    BackEndSettings {
        timeout: Duration::from_secs(60),
        circuit_breaker: CircuitBreakerSettings {
            failures: 1000,
            ..CircuitBreakerSettings::default()
        },
        ..BackEndSettings::new("FHIR repository", server.base_url().parse().unwrap())
    }
}

fn with_authentication(server: &RealHapiFhir, authentication: Authentication) -> RestRepository {
    repository(&BackEndSettings {
        authentication,
        ..settings(server)
    })
}

fn repository(settings: &BackEndSettings) -> RestRepository {
    RestRepository::new(BackEnd::new(settings).unwrap())
}

/// A process with a ledger and keys of its own.
struct Mediator {
    service: GenerationService,
    _folder: TempDir,
}

impl Mediator {
    async fn on(repository: impl FhirRepository + 'static) -> Self {
        let folder = TempDir::new().unwrap();
        let pki = folder.path().join("development-pki");
        let pki = DevelopmentPki::open_or_create(&pki, "CH", chrono::Utc::now()).unwrap();
        Self::with(repository, Arc::new(pki.signer), folder).await
    }

    async fn with(
        repository: impl FhirRepository + 'static,
        signer: Arc<dyn Signer>,
        folder: TempDir,
    ) -> Self {
        let database = Database::open(&folder.path().join("ddcc.sqlite")).await;
        let ports = Ports {
            transformer: Arc::new(EmbeddedTransformer::builtin().unwrap()),
            repository: Arc::new(repository),
            signer,
            ledger: Arc::new(SqliteLedger::new(database.unwrap())),
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
        Self {
            service: GenerationService::new(ports, settings),
            _folder: folder,
        }
    }

    /// Another process with the same keys.
    async fn beside(&self, repository: RestRepository) -> Self {
        let signer = Arc::clone(&self.service.ports().signer);
        Self::with(repository, signer, TempDir::new().unwrap()).await
    }

    async fn unfinished(&self) -> usize {
        let ledger = &self.service.ports().ledger;
        ledger.unfinished(10).await.unwrap().len()
    }
}

/// An event of somebody whom no other test knows.
struct Holder(String);

impl Holder {
    fn new() -> Self {
        Self(format!("CH-{}", Uuid::new_v4()))
    }

    fn hcid(&self) -> &str {
        &self.0
    }

    fn event(&self, example: &str) -> Value {
        let mut event: Value = serde_json::from_str(example).unwrap();
        event["identifier"]["value"] = json!(Uuid::new_v4());
        *answer(&mut event, "hcid") = json!({"valueString": self.0});
        event
    }

    fn dose(&self, number: u32) -> Value {
        let mut event = self.event(VACCINATION);
        *answer(&mut event, "dose") = json!({"valueInteger": number});
        *answer(&mut event, "total_doses") = json!({"valueInteger": 9});
        event
    }
}

/// The answer to a question of a response, to be changed.
fn answer<'a>(response: &'a mut Value, link_id: &str) -> &'a mut Value {
    let items = response["item"].as_array_mut().unwrap();
    let item = items.iter_mut().find(|item| item["linkId"] == link_id);
    &mut item.unwrap()["answer"][0]
}
