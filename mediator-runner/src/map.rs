//! `mediator-runner map`: what an author of FHIR Mapping Language works with.

mod check;
mod library;
mod package;
mod run;

use std::process::ExitCode;

/// Run and check maps in FHIR Mapping Language
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Transform FHIR JSON by a map
    Run(run::Arguments),
    /// List the mistakes of maps, and what in them is tolerated only
    Check(check::Arguments),
}

/// Runs the command: 0 done, 1 an input or a map is wrong, 2 usage.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
    }
}
