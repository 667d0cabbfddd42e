//! The smallest mediator: OpenHIM routes `/hello` to it and shows what it adds.
//!
//! ```sh
//! cd examples/hello-mediator
//! export OPENHIM_API_URL=https://localhost:8080 OPENHIM_TRUST_SELF_SIGNED=true
//! export OPENHIM_USERNAME=root@openhim.org OPENHIM_PASSWORD=...
//! cargo run --bin hello-mediator
//! ```

use axum::{Router, routing::get};
use mediator_core::Mediator;
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{OpenHim, OpenHimSettings};
use mediator_core::transaction::Transaction;

async fn hello(transaction: Transaction) -> String {
    transaction.property("greeting", "friendly");
    let client = transaction.client_id().unwrap_or("whoever you are");
    format!("Hello, {client}.\n")
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    Mediator::builder(MediatorConfig::from_file("mediatorConfig.json")?)
        .openhim(OpenHim::new(&OpenHimSettings::from_environment()?)?)
        .router(Router::new().route("/hello", get(hello)))
        .build()?
        .run()
        .await?;
    Ok(())
}
