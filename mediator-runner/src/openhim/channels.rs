//! `mediator-runner openhim channels`.

use std::path::PathBuf;

use mediator_core::default_channels::install_default_channels;
use mediator_core::mediator_config::{ChannelDefinition, ChannelStatus, MediatorConfig};
use mediator_core::openhim::{Channel, OpenHim};
use serde_json::{Value, json};

use super::CommandError;
use super::connection::ConnectionArguments;
use crate::table::{Cell, Table};
use crate::terminal::{Found, print, print_json};

/// List the mediator's channels, and create those that are missing
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner openhim channels --config mediator.toml
  mediator-runner openhim channels --config mediator.toml --dry-run --json

A channel that OpenHIM has is left as it is; `openhim import` changes it.

Exit codes: 0 all are there, 1 one is missing, not scheduled, or not in use, or OpenHIM refuses or
cannot be reached, 2 usage or mistakes in the registration")]
pub(super) struct Arguments {
    /// The registration (mediatorConfig.json) whose channels these are; without one, the
    /// configured one, else the one of this program
    #[arg(long, value_name = "FILE")]
    mediator: Option<PathBuf>,

    #[command(flatten)]
    connection: ConnectionArguments,

    /// Create nothing
    #[arg(long)]
    dry_run: bool,

    /// Print one line of JSON for each channel: {"name", "type", "urlPattern", "state"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Found, CommandError> {
    let connection = arguments.connection.connect()?;
    let mediator = connection.mediator(arguments.mediator.as_deref())?;
    let openhim = &connection.openhim;
    let mut channels = ProposedChannel::all(openhim, &mediator).await?;
    if !arguments.dry_run
        && channels
            .iter()
            .any(|channel| channel.state == State::Missing)
    {
        let installed = install_default_channels(openhim, &mediator).await?;
        for channel in &mut channels {
            if installed.not_scheduled.contains(&channel.definition.name) {
                channel.state = State::NotScheduled;
            } else if installed.created.contains(&channel.definition.name) {
                channel.state = State::Created;
            }
        }
    }
    if arguments.json {
        for channel in &channels {
            print_json(&channel.to_json())?;
        }
    } else {
        print(&table(&channels).to_string())?;
    }
    let well = |channel: &ProposedChannel<'_>| channel.state.is_well();
    Ok(if channels.iter().all(well) {
        Found::AllWell
    } else {
        Found::Trouble
    })
}

/// A channel that a mediator's registration proposes, and what OpenHIM has of it.
pub(super) struct ProposedChannel<'a> {
    definition: &'a ChannelDefinition,
    pub(super) state: State,
}

/// What there is of a proposed channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Enabled,
    Disabled,
    /// By somebody; core keeps its name.
    Deleted,
    Missing,
    Created,
    /// Created, and polled only after somebody has saved it or core was restarted.
    NotScheduled,
}

impl State {
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::Enabled | Self::Created)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Disabled => "disabled",
            Self::Deleted => "deleted",
            Self::Missing => "missing",
            Self::Created => "created",
            Self::NotScheduled => "created, not scheduled",
        }
    }

    fn cell(self) -> Cell {
        let text = self.as_str();
        match self {
            Self::Enabled => Cell::good(text),
            Self::Created | Self::Disabled | Self::NotScheduled => Cell::warning(text),
            Self::Deleted | Self::Missing => Cell::bad(text),
        }
    }
}

impl<'a> ProposedChannel<'a> {
    /// The channels that `mediator` proposes, in its order.
    pub(super) async fn all(
        openhim: &OpenHim,
        mediator: &'a MediatorConfig,
    ) -> Result<Vec<Self>, CommandError> {
        let existing = openhim.channels().list().await?;
        let proposed = mediator.default_channels().iter();
        Ok(proposed
            .map(|definition| Self {
                definition,
                state: state(
                    existing
                        .iter()
                        .find(|channel| channel.definition.name == definition.name),
                ),
            })
            .collect())
    }

    fn kind(&self) -> String {
        let kind = json!(self.definition.channel_type());
        kind.as_str().unwrap_or_default().to_owned()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "name": self.definition.name,
            "type": self.kind(),
            "urlPattern": self.definition.url_pattern,
            "state": self.state.as_str(),
        })
    }
}

fn state(existing: Option<&Channel>) -> State {
    match existing.map(|channel| channel.definition.status) {
        None => State::Missing,
        Some(None | Some(ChannelStatus::Enabled)) => State::Enabled,
        Some(Some(ChannelStatus::Deleted)) => State::Deleted,
        Some(Some(_)) => State::Disabled,
    }
}

pub(super) fn table(channels: &[ProposedChannel<'_>]) -> Table {
    let mut table = Table::new(&["CHANNEL", "STATE", "TYPE", "TAKES"]);
    for channel in channels {
        let definition = channel.definition;
        let methods: Vec<Value> = definition
            .methods
            .iter()
            .map(|method| json!(method))
            .collect();
        let methods: Vec<&str> = methods.iter().filter_map(Value::as_str).collect();
        let takes = match &definition.polling_schedule {
            Some(schedule) => schedule.clone(),
            None => format!("{} {}", methods.join(","), definition.url_pattern),
        };
        table.row([
            Cell::plain(&definition.name),
            channel.state.cell(),
            Cell::plain(channel.kind()),
            Cell::dim(takes),
        ]);
    }
    table
}
