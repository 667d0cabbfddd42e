//! `mediator-runner serve`: the transactions over HTTP, as a FHIR API.

mod application;
mod counted;
mod documents;
mod fhir;
mod generate;
mod jwks;
mod media_type;
mod metadata;
mod pushed_settings;
mod qr_code;
mod submit;
mod trust;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::serve::Listener as _;
use chrono::Utc;
use mediator_core::server::{Server, ServerError, ServerSettings, listen, shutdown_signal};
use mediator_ddcc::generation_service::GenerationService;
use tokio::sync::watch;

use crate::configuration::{self, Configuration, ConfigurationArguments};
use crate::logging;
use crate::service::{self, RunningService, StartError};

use application::Application;
use trust::TrustError;
pub(crate) use trust::trusted_keys;

/// Issue and verify over HTTP, as a FHIR API
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner serve
  mediator-runner serve --config mediator.toml
  MEDIATOR_SERVER__LISTEN=127.0.0.1:8080 mediator-runner serve
  curl -H 'Content-Type: application/fhir+json' -d @examples/requests/vaccination.json \\
    'http://127.0.0.1:4321/ddcc/QuestionnaireResponse/$generateHealthCertificate'

It ends on SIGTERM or Ctrl-C, when what is running is finished.

Exit codes: 0 ended when asked to, 1 a back end failed at the start, 2 usage or configuration")]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
enum ServeError {
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error(transparent)]
    Trust(#[from] TrustError),
    #[error("the runtime does not start: {0}")]
    Runtime(#[from] std::io::Error),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let configuration = match arguments.configuration.load() {
        Ok(configuration) => configuration,
        Err(error) => return configuration::command::report(&error),
    };
    logging::start(&configuration);
    let served = tokio::runtime::Runtime::new()
        .map_err(ServeError::from)
        .and_then(|runtime| runtime.block_on(serve(configuration)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(mut configuration: Configuration) -> Result<(), ServeError> {
    let listener = listen(configuration.server.listen).await?;
    // Of port 0 the system made another one.
    configuration.server.listen = listener.local_addr()?;
    let RunningService {
        service,
        signing_certificates,
    } = service::start(&configuration).await?;
    tracing::info!(
        address = %configuration.server.listen,
        url = service.settings().public_base_url,
        "serving"
    );
    let interrupted = service.clone();
    tokio::spawn(async move {
        match interrupted.finish_interrupted().await {
            Ok(0) => {}
            Ok(finished) => tracing::info!(finished, "issued what was interrupted earlier"),
            Err(outcome) => tracing::error!("{}", outcome.summary()),
        }
    });
    let trusted_keys = trusted_keys(&configuration.verification, &signing_certificates)?;
    let server = server(&configuration, &service);
    let (_settings, generation) = watch::channel(service);
    let router = application::router(Application {
        generation,
        certificates: Arc::from(signing_certificates),
        trusted_keys: Arc::new(trusted_keys),
    });
    counted::describe();
    let stopped = tokio::select! {
        stopped = server.serve(router, listener, shutdown_signal()) => stopped?,
        () = asked_twice() => {
            tracing::warn!("ended at once; what was accepted is issued at the next start");
            return Ok(());
        }
    };
    match stopped.abandoned_requests {
        0 => tracing::info!("ended; everything was finished"),
        abandoned => tracing::warn!(
            abandoned,
            "ended before everything was finished; what was accepted is issued at the next start"
        ),
    }
    Ok(())
}

/// Whoever presses Ctrl-C again does not want to wait.
async fn asked_twice() {
    shutdown_signal().await;
    shutdown_signal().await;
}

fn server(configuration: &Configuration, service: &GenerationService) -> Server {
    let settings = &configuration.server;
    let ports = service.ports();
    let (repository, ledger) = (Arc::clone(&ports.repository), Arc::clone(&ports.ledger));
    let signer = Arc::clone(&ports.signer);
    Server::new(ServerSettings {
        maximum_body_bytes: settings.maximum_body_bytes,
        request_timeout: Duration::from_secs(settings.request_timeout_seconds),
        maximum_concurrent_requests: settings.maximum_concurrent_requests,
        shutdown_grace: Duration::from_secs(settings.shutdown_grace_seconds),
        ..ServerSettings::default()
    })
    .refusals(fhir::refused)
    .ready_check("repository", move || {
        let repository = Arc::clone(&repository);
        async move {
            let read = repository.read("Bundle", "ready").await;
            read.map(drop).map_err(|error| error.to_string())
        }
    })
    .ready_check("ledger", move || {
        let ledger = Arc::clone(&ledger);
        async move {
            let unfinished = ledger.unfinished(1).await;
            unfinished.map(drop).map_err(|error| error.to_string())
        }
    })
    .ready_check("signer", move || {
        let certificate = signer.identity().certificate.clone();
        async move {
            let now = Utc::now();
            if certificate.not_before() <= now && now <= certificate.not_after() {
                Ok(())
            } else {
                Err(
                    "the document signing certificate is not valid now; configure its successor"
                        .to_owned(),
                )
            }
        }
    })
}
