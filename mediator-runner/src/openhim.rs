//! `mediator-runner openhim`: what an operator does at OpenHIM core's API.

mod channels;
mod connection;
mod import;
mod register;
mod status;

use std::io;
use std::process::ExitCode;

use mediator_core::openhim::OpenHimError;

use crate::configuration::command::report;

/// Register the mediator with OpenHIM, and set OpenHIM up for it
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Register the mediator, and tell whether that was new
    Register(register::Arguments),
    /// Show OpenHIM core, the mediator in it, and the mediator's channels
    Status(status::Arguments),
    /// List the mediator's channels, and create those that are missing
    Channels(channels::Arguments),
    /// Apply roles, channels, clients, users and the registration from the files of a folder
    Import(import::Arguments),
}

/// Why a command did not do what it should.
#[derive(Debug, thiserror::Error)]
enum CommandError {
    /// Wrong arguments, configuration or files: nothing was done.
    #[error("{0}")]
    Usage(String),
    /// Core did not do what it was asked to.
    #[error(transparent)]
    OpenHim(#[from] OpenHimError),
    /// Core did not do one of several things; what was done before it stays done.
    #[error("{kind} {name}: {source}")]
    Step {
        /// What it is.
        kind: &'static str,
        /// Which one.
        name: String,
        /// Why.
        source: OpenHimError,
    },
    /// Nobody takes the output any more.
    #[error("cannot print: {0}")]
    Output(#[from] io::Error),
}

/// Runs the command: 0 all is well, 1 it is not, 2 usage or configuration.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(&error),
    };
    let outcome = runtime.block_on(async {
        match &arguments.command {
            Command::Register(arguments) => register::run(arguments).await,
            Command::Status(arguments) => status::run(arguments).await,
            Command::Channels(arguments) => channels::run(arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
        }
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
