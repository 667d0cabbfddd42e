//! `mediator-runner serve`: the transactions over HTTP, as a FHIR API.

mod access;
mod application;
mod counted;
mod disclosure_audit;
mod documents;
mod fhir;
mod finish_interrupted;
mod generate;
mod jwks;
mod map_server;
mod media_type;
mod metadata;
mod move_documents;
mod pushed_settings;
mod qr_code;
mod signer_check;
mod submit;
mod telemetry;
mod trust;
mod verify;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::serve::Listener as _;
use futures::future::OptionFuture;
use mediator_core::mediator::{Mediator, MediatorError};
use mediator_core::pushed_configuration::{PushedConfiguration, PushedConfigurationError};
use mediator_core::server::{
    self, Server, ServerError, ServerSettings, TlsSettings, listen, shutdown_signal,
};
use mediator_ddcc::generation_service::GenerationService;
use mediator_ddcc::recorded;
use mediator_ddcc::repository::moving;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::configuration::{self, ClientCertificates, Configuration, ConfigurationArguments, Tls};
use crate::logging;
use crate::registration::{self, OpenHimSetupError};
use crate::service::{self, StartError, Started};

pub(crate) use access::{AccessError, bearer_tokens, credentials_of_channels};
use access::{RefusalAudit, Requesters, Rules};
use application::Application;
use disclosure_audit::DisclosureAudit;
use pushed_settings::PushedSettings;
use signer_check::SignerCheck;
pub(crate) use trust::trusted_keys;
use trust::{TrustError, Trusted};

/// How long the end waits for the audit of refused attempts and of reads.
const AUDIT_GRACE: Duration = Duration::from_secs(5);

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
    #[error(transparent)]
    OpenHim(#[from] OpenHimSetupError),
    #[error("openhim.mediator_config: {0}")]
    PushedConfiguration(#[from] PushedConfigurationError),
    #[error(transparent)]
    Mediator(#[from] MediatorError),
    #[error("the address that is listened on is unknown: {0}")]
    Address(#[from] std::io::Error),
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let configuration = match arguments.configuration.load() {
        Ok(configuration) => configuration,
        Err(error) => return configuration::command::report(&error),
    };
    let rules = match Rules::of(&configuration) {
        Ok(rules) => rules,
        Err(error) => return configuration::command::report(&error),
    };
    let runtime = match Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            return configuration::command::report(&format!("the runtime does not start: {error}"));
        }
    };
    let telemetry = match telemetry::start(&configuration.telemetry, runtime.handle()) {
        Ok(telemetry) => telemetry,
        Err(error) => return configuration::command::report(&error),
    };
    logging::start_beside(&configuration, telemetry.as_ref());
    let served = runtime.block_on(async {
        let served = serve(configuration, rules).await;
        if let Some(telemetry) = telemetry
            && let Err(error) = telemetry.shutdown().await
        {
            tracing::warn!("{error}");
        }
        served
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(mut configuration: Configuration, rules: Option<Rules>) -> Result<(), ServeError> {
    server::record_metrics()?;
    let listener = listen(configuration.server.listen).await?;
    // Of port 0 the system made another one.
    configuration.server.listen = listener.local_addr()?;
    let Started { service, moving } = service::start(&configuration).await?;
    let mediator_config = registration::of(&configuration)?;
    let pushed = PushedConfiguration::<PushedSettings>::new(&mediator_config)?;
    let trusted_keys = trusted_keys(&configuration.verification)?;
    let mut server = server(&configuration, &service);
    if let Some(tokens) = rules.as_ref().and_then(Rules::tokens).cloned() {
        server = server.ready_check("token keys", move || {
            let tokens = tokens.clone();
            async move { tokens.ready().await.map_err(|error| error.to_string()) }
        });
    }
    if let Some(address) = configuration.server.operation_listen {
        server = server.operation_listener(listen(address).await?);
    }
    let requesters = Requesters::new(configuration.access.tokens.issuer.as_deref());
    let (settings, generation) = watch::channel(service.clone());
    let map_server = match configuration.map_server.enabled {
        true => {
            let definitions = service::uploaded_definitions(&configuration).await?;
            map_server::router(map_server::MapServer::new(definitions))
        }
        false => Router::new(),
    };
    let (disclosures, disclosed) = DisclosureAudit::start(&service);
    let mut mediator = Mediator::builder(mediator_config)
        .configuration(&pushed)
        .job(finish_interrupted::job(&configuration.jobs, &service))
        .server(server)
        .router(
            application::router(Application {
                generation,
                trusted: Arc::new(Trusted::new(
                    trusted_keys,
                    Arc::clone(&service.ports().signer),
                )),
                requesters: requesters.clone(),
                disclosures,
                maximum_batch_entries: configuration.server.maximum_batch_entries,
            })
            .merge(map_server),
        );
    if let Some(moving) = &moving {
        mediator = mediator.job(move_documents::job(moving));
    }
    let audited = match rules {
        Some(rules) => {
            let (audit, audited) = RefusalAudit::start(&service);
            fetch_keys(&rules);
            mediator = mediator
                .layer(from_fn_with_state(Arc::new(rules.clone()), access::enforce))
                .layer(rules.authentication_layer(audit, requesters));
            Some(audited)
        }
        None => {
            tracing::warn!(
                "everyone who reaches this server may do everything; see the section access of the configuration"
            );
            None
        }
    };
    if let Some(openhim) = registration::client(&configuration.openhim)? {
        let period = Duration::from_secs(configuration.openhim.heartbeat_seconds);
        mediator = mediator.openhim(openhim).heartbeat_period(period);
    }
    let mediator = mediator.build()?;
    tracing::info!(
        address = %configuration.server.listen,
        url = service.settings().public_base_url,
        "serving"
    );
    counted::describe();
    recorded::describe_metrics();
    moving::describe_metrics();
    signer_check::follow_expiry(Arc::clone(&service.ports().signer));
    if let Some(moving) = moving {
        // What comes of it is in the log, and in the next run of the job.
        tokio::spawn(async move { move_documents::run(&moving).await });
    }
    let interrupted = service.clone();
    tokio::spawn(async move {
        finish_interrupted::at_start(&interrupted).await;
    });
    let asked = count_signals();
    let stopped = tokio::select! {
        stopped = mediator.run_on(listener, asked_to_end(asked.clone(), 1)) => stopped?,
        () = apply_settings(&configuration, &service, pushed.subscribe(), &settings) => return Ok(()),
        // Whoever presses Ctrl-C again does not want to wait.
        () = asked_to_end(asked, 2) => {
            tracing::warn!("ended at once; what was accepted is issued at the next start");
            return Ok(());
        }
    };
    // The mediator has ended, and so has who told of refusals and reads.
    let audited = async { tokio::join!(OptionFuture::from(audited), disclosed) };
    if timeout(AUDIT_GRACE, audited).await.is_err() {
        tracing::warn!("ended before everything was in the audit");
    }
    match stopped.abandoned_requests {
        0 => tracing::info!("ended; everything was finished"),
        abandoned => tracing::warn!(
            abandoned,
            "ended before everything was finished; what was accepted is issued at the next start"
        ),
    }
    Ok(())
}

/// What in the configuration keeps `serve` from starting, beside what `issue` needs too; no server
/// is asked.
pub(crate) fn mistakes(configuration: &Configuration) -> Vec<String> {
    let mut mistakes = Vec::new();
    match registration::of(configuration) {
        Ok(config) => {
            if let Err(error) = PushedConfiguration::<PushedSettings>::new(&config) {
                mistakes.push(ServeError::from(error).to_string());
            }
        }
        Err(error) => mistakes.push(error.to_string()),
    }
    if let Err(error) = Rules::of(configuration) {
        mistakes.push(error.to_string());
    }
    if let Err(error) = registration::client(&configuration.openhim) {
        mistakes.push(error.to_string());
    }
    if let Err(error) = finish_interrupted::check(&configuration.jobs) {
        mistakes.push(format!("jobs: {error}"));
    }
    if let Some(tls) = tls(&configuration.server.tls)
        && let Err(error) = tls.check()
    {
        mistakes.push(format!("server.tls: {error}"));
    }
    mistakes
}

/// Gets the keys that tokens are checked with, so that the first one need not wait for them.
fn fetch_keys(rules: &Rules) {
    if let Some(tokens) = rules.tokens().cloned() {
        // What comes of it is in the log, and looked after by the ready check.
        tokio::spawn(async move { tokens.fetch_keys().await });
    }
}

/// Puts what the console sends in the place of what is configured, from the next request on.
async fn apply_settings(
    configuration: &Configuration,
    service: &GenerationService,
    mut pushed: watch::Receiver<Arc<PushedSettings>>,
    settings: &watch::Sender<GenerationService>,
) {
    loop {
        let now = pushed.borrow_and_update().clone();
        let renderer = || service::card_renderer(&configuration.card);
        match now.over(service.settings(), renderer) {
            Ok(applied) => {
                settings.send_replace(service.with_settings(applied));
            }
            Err(error) => tracing::error!(%error, "the settings made in OpenHIM do not apply"),
        }
        if pushed.changed().await.is_err() {
            return std::future::pending().await;
        }
        tracing::info!("settings made in OpenHIM apply from now on");
    }
}

/// How often this process was asked to end.
fn count_signals() -> watch::Receiver<usize> {
    let (asked, count) = watch::channel(0);
    tokio::spawn(async move {
        loop {
            shutdown_signal().await;
            asked.send_modify(|count| *count += 1);
        }
    });
    count
}

async fn asked_to_end(mut asked: watch::Receiver<usize>, times: usize) {
    if asked.wait_for(|count| *count >= times).await.is_err() {
        // Nobody counts any more, and nobody asks.
        std::future::pending().await
    }
}

fn server(configuration: &Configuration, service: &GenerationService) -> Server {
    let settings = &configuration.server;
    let ports = service.ports();
    let (repository, ledger) = (Arc::clone(&ports.repository), Arc::clone(&ports.ledger));
    let signer = SignerCheck::new(Arc::clone(&ports.signer));
    let server = Server::new(ServerSettings {
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
        let signer = signer.clone();
        async move { signer.ready().await }
    });
    match tls(&settings.tls) {
        Some(tls) => server.tls(tls),
        None => server,
    }
}

fn tls(settings: &Tls) -> Option<TlsSettings> {
    let (Some(certificate), Some(key)) = (&settings.certificate_file, &settings.key_file) else {
        return None;
    };
    let mut tls = TlsSettings::new(certificate, key);
    if let Some(certificate_authority) = settings.client_ca_file.clone() {
        tls.client_certificates = match settings.client_certificates {
            ClientCertificates::None => server::ClientCertificates::None,
            ClientCertificates::Optional => server::ClientCertificates::Optional {
                certificate_authority,
            },
            ClientCertificates::Required => server::ClientCertificates::Required {
                certificate_authority,
            },
        };
    }
    Some(tls)
}
