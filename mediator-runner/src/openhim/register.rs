//! `mediator-runner openhim register`.

use std::path::PathBuf;

use mediator_core::registration::{Registered, register};
use serde_json::json;

use super::CommandError;
use super::connection::ConnectionArguments;
use crate::terminal::{Found, print, print_json};

/// Register the mediator, and tell whether that was new
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner openhim register --config mediator.toml
  OPENHIM_USERNAME=root@openhim.org OPENHIM_PASSWORD=... \\
    mediator-runner openhim register --api-url https://localhost:8080 --ca openhim-ca.pem
  mediator-runner openhim register mediatorConfig.json --json

OpenHIM takes a registration only when its version is higher than the one it has, and keeps
configuration that was set in its console.

Exit codes: 0 OpenHIM has this registration, 1 it keeps another one (raise the version), refuses, or
cannot be reached, 2 usage or mistakes in the file")]
pub(super) struct Arguments {
    /// The registration (mediatorConfig.json); without one, the configured one, else the one of
    /// this program
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,

    #[command(flatten)]
    connection: ConnectionArguments,

    /// Print one line of JSON: {"urn", "version", "outcome": new, updated, unchanged or ignored}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Found, CommandError> {
    let connection = arguments.connection.connect()?;
    let mediator = connection.mediator(arguments.file.as_deref())?;
    let registered = register(&connection.openhim, &mediator).await?;
    let (urn, version) = (mediator.urn(), mediator.version());
    if arguments.json {
        let mut line = json!({
            "urn": urn,
            "version": version.to_string(),
            "outcome": outcome(&registered),
        });
        match &registered {
            Registered::Updated { from, .. } => line["from"] = from.to_string().into(),
            Registered::IgnoredBecauseNotHigher {
                registered,
                differs,
                ..
            } => {
                line["registered"] = registered.to_string().into();
                line["differs"] = differs.clone().into();
            }
            Registered::New | Registered::Unchanged => {}
        }
        print_json(&line)?;
    } else {
        print(&format!("{urn} {version}: {registered}\n"))?;
    }
    Ok(match registered {
        Registered::IgnoredBecauseNotHigher { .. } => Found::Trouble,
        _ => Found::AllWell,
    })
}

/// The word for scripts.
pub(super) fn outcome(registered: &Registered) -> &'static str {
    match registered {
        Registered::New => "new",
        Registered::Updated { .. } => "updated",
        Registered::Unchanged => "unchanged",
        Registered::IgnoredBecauseNotHigher { .. } => "ignored",
    }
}
