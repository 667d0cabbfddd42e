//! `mediator-runner map`: what an author of FHIR Mapping Language works with.

mod check;
mod convert;
mod finding;
mod format;
mod library;
mod package;
mod run;
mod text;

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
    /// Lay maps out: a line for each rule, its comments kept
    Format(format::Arguments),
    /// Write a map as a StructureMap resource, or a resource in the mapping language
    Convert(convert::Arguments),
}

/// Runs the command: 0 done, 1 an input or a map is wrong, 2 usage.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Run(arguments) => run::run(arguments),
        Command::Check(arguments) => check::run(arguments),
        Command::Format(arguments) => format::run(arguments),
        Command::Convert(arguments) => convert::run(arguments),
    }
}
