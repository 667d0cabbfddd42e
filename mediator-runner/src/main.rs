//! Issues and verifies signed health certificates: command line and server.

mod configuration;

use std::process::ExitCode;

use clap::Parser;

/// Issue and verify signed health certificates (WHO DDCC)
#[derive(Debug, Parser)]
#[command(version)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Check and show the configuration
    Config(configuration::command::Arguments),
}

fn main() -> ExitCode {
    match CommandLine::parse().command {
        Command::Config(arguments) => configuration::command::run(&arguments),
    }
}
