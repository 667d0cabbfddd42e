//! `mediator-runner keys`: what an operator does with signing keys and their certificates.

mod csr;
mod import;
mod list;
mod rotate;
mod subject;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use chrono::{DateTime, Utc};
use mediator_ddcc::signing::{CertificateRequest, KeyManagementError, StoredCertificate};
use serde_json::json;

use crate::configuration::command::report;
use crate::configuration::{Configuration, ConfigurationArguments};
use crate::logging;
use crate::service::{StartError, signer};
use crate::terminal::{print, print_json};

/// List the signing keys, request and import their certificates, rotate them
#[derive(Debug, clap::Args)]
#[command(after_help = "Rotate a key whose authority is offline:
  mediator-runner keys rotate --out request.csr     a new key, and the request for its certificate
  ... the country signing authority signs request.csr ...
  mediator-runner keys import certificate.pem       `serve` signs with it from now on, not restarted
  mediator-runner keys list                         what signs, what signed, what is missing")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show every key and certificate, and which of them signs
    List(list::Arguments),
    /// Make a certification request (PKCS#10) for a key that is there
    Csr(csr::Arguments),
    /// Take over a certificate that was issued for a request, and sign under it
    Import(import::Arguments),
    /// Make a new key, or go over to another one that has a certificate
    Rotate(rotate::Arguments),
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// Wrong arguments, configuration or files: nothing was done.
    #[error("{0}")]
    Usage(String),
    /// What is configured cannot be used.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The key store, the certificate store or the authority did not do what it was asked to.
    #[error(transparent)]
    Management(#[from] KeyManagementError),
    /// Nobody takes the output any more.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Runs the command: 0 all is well, 1 it is not, 2 usage or configuration.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let configuration = match &arguments.command {
        Command::List(arguments) => &arguments.configuration,
        Command::Csr(arguments) => &arguments.configuration,
        Command::Import(arguments) => &arguments.configuration,
        Command::Rotate(arguments) => &arguments.configuration,
    };
    let outcome = load(configuration).and_then(|configuration| {
        let runtime = tokio::runtime::Runtime::new()?;
        runtime.block_on(async {
            let management = signer::key_management(&configuration).await?;
            match &arguments.command {
                Command::List(arguments) => list::run(arguments, &management).await,
                Command::Csr(arguments) => csr::run(arguments, &configuration, &management).await,
                Command::Import(arguments) => import::run(arguments, &management).await,
                Command::Rotate(arguments) => {
                    rotate::run(arguments, &configuration, &management).await
                }
            }
        })
    });
    match outcome {
        Ok(found) => found.into(),
        Err(error @ CommandError::Usage(_)) => report(&error),
        Err(error) => {
            report(&error);
            ExitCode::FAILURE
        }
    }
}

fn load(arguments: &ConfigurationArguments) -> Result<Configuration, CommandError> {
    let configuration = arguments
        .load()
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    logging::start(&configuration);
    Ok(configuration)
}

/// Says that a certificate signs, to people or as a line of JSON.
fn tell_imported(stored: &StoredCertificate, json: bool) -> Result<(), CommandError> {
    let certificate = &stored.certificate;
    let from = stored.signs_from.unwrap_or_else(Utc::now);
    if json {
        print_json(&json!({
            "kid": certificate.kid_base64(),
            "signsFrom": from,
            "notAfter": certificate.not_after(),
            "subject": certificate.subject(),
        }))?;
        return Ok(());
    }
    let when = if from > Utc::now() {
        format!("from {} on", time(from))
    } else {
        "from now on".to_owned()
    };
    print(&format!(
        "{when}, certificates are signed under {} ({}), which ends {}\n",
        certificate.kid_base64(),
        certificate.subject(),
        time(certificate.not_after()),
    ))?;
    Ok(())
}

/// Writes a request into a file, or prints it where none is named.
fn give(request: &CertificateRequest, file: Option<&Path>) -> Result<(), CommandError> {
    match file {
        Some(path) => std::fs::write(path, request.to_pem()).map_err(|error| {
            CommandError::Usage(format!("cannot write {}: {error}", path.display()))
        }),
        None => Ok(print(&request.to_pem())?),
    }
}

fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M UTC").to_string()
}

fn read_time(text: &str) -> Result<DateTime<Utc>, String> {
    mediator_ddcc::fhir_date::instants(text)
        .map(|(first, _)| first)
        .ok_or_else(|| "a time is written 2026-12-01 or 2026-12-01T12:00:00Z".into())
}
