//! Answers "accepted" at once and does the work afterwards. Until then the transaction is
//! `Pending Async` in OpenHIM; then it has the answer, the calls and the status of the work.

use std::time::Duration;

use axum::{Router, routing::post};
use mediator_core::Mediator;
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{OpenHim, OpenHimSettings};
use mediator_core::transaction::{Accepted, HandlerError, Transaction};

async fn print_report(transaction: Transaction, body: String) -> Result<String, HandlerError> {
    tokio::time::sleep(Duration::from_secs(1)).await;
    let pages = body.lines().count().div_ceil(60);
    transaction.property("pages", pages.to_string());
    Ok(format!("{pages} pages\n"))
}

async fn report(transaction: Transaction, body: String) -> Result<Accepted, HandlerError> {
    transaction.accept(|transaction| print_report(transaction, body))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    Mediator::builder(MediatorConfig::from_file("mediatorConfig.json")?)
        .openhim(OpenHim::new(&OpenHimSettings::from_environment()?)?)
        .router(Router::new().route("/reports", post(report)))
        .build()?
        .run()
        .await?;
    Ok(())
}
