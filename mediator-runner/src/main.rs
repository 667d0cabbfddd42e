//! Issues and verifies signed health certificates: command line and server.

mod configuration;
mod doctor;
mod issue;
mod keys;
mod logging;
mod map;
mod openhim;
mod registration;
mod serve;
mod service;
mod table;
mod terminal;
mod verify;

use std::process::ExitCode;

use clap::Parser;

// More certificates a second than with the system's, by a tenth to a third: docs/decisions/release-build.md.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Issue and verify signed health certificates (WHO DDCC)
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Issue certificates for the health events in files
    Issue(issue::Arguments),
    /// Issue and verify over HTTP, as a FHIR API
    Serve(serve::Arguments),
    /// Check and show the configuration
    Config(configuration::command::Arguments),
    /// List the signing keys, request and import their certificates, rotate them
    Keys(keys::Arguments),
    /// Check everything that the configuration names, from here
    Doctor(doctor::Arguments),
    /// Register with OpenHIM, and set OpenHIM up
    Openhim(openhim::Arguments),
    /// Run and check maps in FHIR Mapping Language
    Map(map::Arguments),
    /// Verify health certificates: is this what a trusted key signed, and is it valid?
    Verify(verify::VerifyArguments),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Issue(arguments) => issue::run(arguments),
        Command::Serve(arguments) => serve::run(&arguments),
        Command::Config(arguments) => configuration::command::run(&arguments),
        Command::Keys(arguments) => keys::run(&arguments),
        Command::Doctor(arguments) => doctor::run(&arguments),
        Command::Openhim(arguments) => openhim::run(&arguments),
        Command::Map(arguments) => map::run(&arguments),
        Command::Verify(arguments) => verify::run(arguments),
    }
}
