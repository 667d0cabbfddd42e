//! `mediator-runner openhim import`.

mod apply;
mod difference;
mod files;
mod plan;

use std::path::PathBuf;

use serde_json::json;

use super::CommandError;
use super::connection::ConnectionArguments;
use crate::registration::at_configured_address;
use crate::serve::credentials_of_channels;
use crate::table::{Cell, Table};
use crate::terminal::{Found, print, print_json};
use files::Folder;
use plan::{Action, Step};

/// Apply roles, channels, clients, users and the registration from the files of a folder
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner openhim import openhim-config --config mediator.toml --dry-run
  OPENHIM_USERNAME=root@openhim.org OPENHIM_PASSWORD=... DDCC_REGISTRAR_PASSWORD=... \\
    mediator-runner openhim import openhim-config --api-url https://localhost:8080 --ca ca.pem

Files, each of which may be missing: roles.json, channels.json, clients.json, users.json (arrays of
what OpenHIM's API takes) and mediator.json (a registration, whose channels are applied too).
Whatever a file mentions becomes as it says; anything else in OpenHIM stays as it is. No file has a
password: passwordEnvironmentVariable names the environment variable that has it.

Exit codes: 0 OpenHIM is as the files say (or could be: --dry-run), 1 OpenHIM refuses or cannot be
reached, 2 usage or mistakes in the files (nothing was changed)")]
pub(super) struct Arguments {
    /// The folder with the files
    #[arg(value_name = "DIR")]
    folder: PathBuf,

    #[command(flatten)]
    connection: ConnectionArguments,

    /// Show what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,

    /// Print one line of JSON for each thing: {"kind", "name", "action": create, update, unchanged
    /// or skip, "details"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Found, CommandError> {
    let connection = arguments.connection.connect()?;
    let configuration = &connection.configuration;
    let credentials = credentials_of_channels(&configuration.access.openhim)
        .map_err(|error| CommandError::Usage(error.to_string()))?;
    let locate = |mediator| at_configured_address(mediator, configuration, credentials.as_ref());
    let folder = Folder::read(&arguments.folder, |name| std::env::var(name).ok(), locate)
        .map_err(|mistakes| CommandError::Usage(mistakes.to_string()))?;
    let steps = plan::plan(&connection, folder).await?;
    if arguments.json {
        for step in &steps {
            print_json(&json!({
                "kind": step.kind,
                "name": step.name,
                "action": step.action.as_str(),
                "details": step.action.details(),
            }))?;
        }
    } else {
        print(&table(&steps).to_string())?;
    }
    let changes = steps.iter().filter(|step| step.action.is_change()).count();
    if !arguments.dry_run {
        for step in steps {
            apply::apply(&connection.openhim, step).await?;
        }
    }
    if !arguments.json {
        print(&match (arguments.dry_run, changes) {
            (_, 0) => "\nOpenHIM is as the files say.\n".to_owned(),
            (true, changes) => format!("\n{changes} to change; nothing was done (--dry-run).\n"),
            (false, changes) => format!("\n{changes} changed.\n"),
        })?;
    }
    Ok(Found::AllWell)
}

fn table(steps: &[Step]) -> Table {
    let mut table = Table::new(&["ACTION", "KIND", "NAME", "DETAILS"]);
    for step in steps {
        let action = step.action.as_str();
        table.row([
            match step.action {
                Action::Create => Cell::good(action),
                Action::Update(_) | Action::Skip(_) => Cell::warning(action),
                Action::Unchanged => Cell::dim(action),
            },
            Cell::plain(step.kind),
            Cell::plain(&step.name),
            Cell::dim(step.action.details()),
        ]);
    }
    table
}
