//! A certificate without the command line: the generation service on embedded parts.
//!
//! ```sh
//! cargo run -p examples --bin issue-from-code
//! ```

use std::error::Error;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use mediator_ddcc::codes::{CodeForm, IssuerSettings};
use mediator_ddcc::database::Database;
use mediator_ddcc::generation_service::{GenerationService, Ports, ServiceSettings};
use mediator_ddcc::ledger::sqlite::SqliteLedger;
use mediator_ddcc::questionnaire::Questionnaires;
use mediator_ddcc::repository::sqlite::SqliteRepository;
use mediator_ddcc::signing::development_pki::DevelopmentPki;
use mediator_ddcc::transformer::EmbeddedTransformer;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let data = Path::new("mediator-data");
    let pki =
        DevelopmentPki::open_or_create(&data.join("development-pki"), "XX", chrono::Utc::now())?;
    let database = Database::open(&data.join("ddcc.sqlite")).await?;
    let ports = Ports {
        transformer: Arc::new(EmbeddedTransformer::builtin()?),
        repository: Arc::new(SqliteRepository::new(database.clone())),
        signer: Arc::new(pki.signer),
        ledger: Arc::new(SqliteLedger::new(database)),
    };
    let settings = ServiceSettings {
        issuer: IssuerSettings {
            name: "Health authority for trying out".to_owned(),
            country: "XX".to_owned(),
            country_alpha3: "UTO".to_owned(),
            smart_health_card_issuer: "https://health-authority.example/shc".to_owned(),
            default_validity_days: 365,
            issue_expired: false,
        },
        forms: vec![CodeForm::Who],
        card: None,
        questionnaires: Questionnaires::builtin()?,
        public_base_url: "http://127.0.0.1:4321/ddcc".to_owned(),
    };
    let service = GenerationService::new(ports, settings);
    let response = serde_json::from_str(include_str!("requests/vaccination.json"))?;
    let certificate = service.generate_health_certificate(response).await?;
    let mut stdout = std::io::stdout();
    for code in certificate.codes {
        writeln!(stdout, "{}: {}", code.form.as_str(), code.text)?;
    }
    Ok(())
}
