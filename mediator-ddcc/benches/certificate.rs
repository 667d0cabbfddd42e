//! What one certificate costs from the request to the answer, beside a bare P-256 signature:
//! `cargo bench --bench certificate`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::cell::Cell;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use mediator_ddcc::card::{CardRenderer, CardSize};
use mediator_ddcc::codes::{CodeForm, IssuerSettings};
use mediator_ddcc::database::Database;
use mediator_ddcc::generation_service::{GenerationService, Ports, ServiceSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::questionnaire::Questionnaires;
use mediator_ddcc::repository::sqlite::SqliteRepository;
use mediator_ddcc::signing::Signer as _;
use mediator_ddcc::signing::development_pki::DevelopmentPki;
use mediator_ddcc::transformer::EmbeddedTransformer;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

const REQUEST: &str = include_str!("../../examples/requests/vaccination.json");

fn certificate(criterion: &mut Criterion) {
    let folder = TempDir::new().unwrap();
    let runtime = Runtime::new().unwrap();
    let keys = folder.path().join("keys");
    let pki = DevelopmentPki::open_or_create(&keys, "CH", chrono::Utc::now()).unwrap();
    let signer = Arc::new(pki.signer);
    let identity = signer.identity();
    criterion.bench_function("bare P-256 signature", |bencher| {
        bencher.iter(|| {
            let signing = signer.sign(&identity, black_box(b"message"));
            futures::executor::block_on(signing).unwrap()
        });
    });

    let database = runtime
        .block_on(Database::open(&folder.path().join("ddcc.sqlite")))
        .unwrap();
    let ports = Ports {
        transformer: Arc::new(EmbeddedTransformer::builtin().unwrap()),
        repository: Arc::new(SqliteRepository::new(database.clone())),
        signer,
        ledger: Arc::new(SqliteLedger::new(database)),
    };
    let request: Value = serde_json::from_str(REQUEST).unwrap();
    let number = Cell::new(0_u64);
    for (name, card) in [
        ("certificate with QR images", None),
        ("certificate with QR images and card", Some(CardSize::A4)),
    ] {
        let settings = ServiceSettings {
            issuer: IssuerSettings {
                name: "Ministry of Health".into(),
                country: "CH".into(),
                country_alpha3: "CHE".into(),
                smart_health_card_issuer: "https://health.example.org/ddcc/shc_issuer".into(),
                default_validity_days: 365,
                issue_expired: true,
            },
            forms: CodeForm::ALL.to_vec(),
            card: card.map(|size| (Arc::new(CardRenderer::builtin().unwrap()), size)),
            questionnaires: Questionnaires::builtin().unwrap(),
            public_base_url: "http://127.0.0.1:4321/ddcc".into(),
        };
        let service = GenerationService::new(ports.clone(), settings);
        criterion.bench_function(name, |bencher| {
            bencher.to_async(&runtime).iter(|| {
                number.set(number.get() + 1);
                let mut request = request.clone();
                let id = format!("{name} {}", number.get());
                request["identifier"]["value"] = json!(id);
                let hcid = json!({"valueString": format!("H-{}-{}", name.len(), number.get())});
                let items = request["item"].as_array_mut().unwrap();
                let item = items.iter_mut().find(|item| item["linkId"] == "hcid");
                item.unwrap()["answer"][0] = hcid;
                let service = service.clone();
                async move { service.generate_health_certificate(request).await.unwrap() }
            });
        });
    }
}

criterion_group!(benches, certificate);
criterion_main!(benches);
