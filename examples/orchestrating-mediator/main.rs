//! Asks two systems at once for one answer. Without the register of patients there is none, so
//! the transaction is `Failed` and OpenHIM may try again. Without the register of insurances the
//! answer says less, and the transaction is `Completed with error(s)`. Where the two are, an
//! operator sets in OpenHIM's console.

use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use mediator_core::Mediator;
use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{OpenHim, OpenHimSettings};
use mediator_core::pushed_configuration::PushedConfiguration;
use mediator_core::transaction::{CallError, HandlerError, Transaction};
use serde_json::{Value, json};

#[derive(serde::Deserialize)]
#[serde(rename_all = "camelCase")]
struct Settings {
    patients_url: String,
    insurances_url: String,
}

async fn patient(
    transaction: Transaction,
    State(settings): State<PushedConfiguration<Settings>>,
    Path(id): Path<u64>,
) -> Result<Json<Value>, HandlerError> {
    let settings = settings.current();
    let ask = async |name: &str, url: &str| -> Result<Value, CallError> {
        let call = transaction.client().get(name, format!("{url}/{id}"));
        call.send().await?.error_for_status()?.json()
    };
    let (patient, insurance) = tokio::join!(
        ask("Look up the patient", &settings.patients_url),
        ask("Look up the insurance", &settings.insurances_url),
    );
    let patient = patient.map_err(|error| HandlerError::from(error).worth_a_retry())?;
    Ok(Json(
        json!({ "patient": patient, "insurance": insurance.ok() }),
    ))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().init();
    let config = MediatorConfig::from_file("mediatorConfig.json")?;
    let settings = PushedConfiguration::<Settings>::new(&config)?;
    let routes = Router::new().route("/patients/{id}", get(patient));
    Mediator::builder(config)
        .openhim(OpenHim::new(&OpenHimSettings::from_environment()?)?)
        .configuration(&settings)
        .router(routes.with_state(settings))
        .build()?
        .run()
        .await?;
    Ok(())
}
