//! `mediator-runner openhim status`.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};
use mediator_core::openhim::RegisteredMediator;
use serde_json::json;

use super::CommandError;
use super::channels::{self, ProposedChannel};
use super::connection::ConnectionArguments;
use crate::table::{Cell, Table};
use crate::terminal::{Found, print, print_json};

/// How long after a heartbeat core still shows a mediator as up.
const SHOWN_AS_UP: Duration = Duration::from_secs(60);

/// Show OpenHIM core, the mediator in it, and the mediator's channels
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner openhim status --config mediator.toml
  mediator-runner openhim status --config mediator.toml --json | jq .mediator.up

Exit codes: 0 the mediator is up and all of its channels are in use, 1 they are not, or OpenHIM
refuses or cannot be reached, 2 usage or mistakes in the registration")]
pub(super) struct Arguments {
    /// The registration (mediatorConfig.json) of the mediator to show; without one, the configured
    /// one, else the one of this program
    #[arg(long, value_name = "FILE")]
    mediator: Option<PathBuf>,

    #[command(flatten)]
    connection: ConnectionArguments,

    /// Print one line of JSON: {"core", "mediator", "channels"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: &Arguments) -> Result<Found, CommandError> {
    let connection = arguments.connection.connect()?;
    let mediator = connection.mediator(arguments.mediator.as_deref())?;
    let openhim = &connection.openhim;
    let heartbeat = openhim.heartbeat().await?;
    let about = openhim.about().await?;
    let registered = openhim.mediator(mediator.urn()).await?;
    let channels = ProposedChannel::all(openhim, &mediator).await?;
    let url = &connection.settings.api_url;
    // Core's clock, which set the time of the heartbeat.
    let now = heartbeat.now;
    let up = registered
        .as_ref()
        .is_some_and(|mediator| is_up(mediator, now));
    if arguments.json {
        print_json(&json!({
            "core": {
                "apiUrl": url.as_str(),
                "version": about.version.to_string(),
                "uptimeSeconds": heartbeat.uptime.as_secs(),
            },
            "mediator": {
                "urn": mediator.urn(),
                "up": up,
                "registeredVersion": registered.as_ref().map(|registered| &registered.version),
                "lastHeartbeat": registered.as_ref().and_then(|registered| registered.last_heartbeat),
                "uptimeSeconds": registered.as_ref().and_then(|registered| registered.uptime),
            },
            "channels": channels.iter().map(ProposedChannel::to_json).collect::<Vec<_>>(),
        }))?;
    } else {
        let mut table = Table::new(&["WHAT", "STATE", "VERSION", "DETAILS"]);
        table.row([
            Cell::plain("OpenHIM core"),
            Cell::good("up"),
            Cell::plain(about.version.to_string()),
            Cell::plain(format!("for {} at {url}", duration(heartbeat.uptime))),
        ]);
        let (state, version, details) = describe(registered.as_ref(), now);
        table.row([
            Cell::plain(mediator.urn()),
            state,
            Cell::plain(version),
            Cell::plain(details),
        ]);
        print(&format!("{table}\n{}", channels::table(&channels)))?;
    }
    let in_use = channels.iter().all(|channel| channel.state.is_well());
    Ok(if up && in_use {
        Found::AllWell
    } else {
        Found::Trouble
    })
}

/// State, version and details of the mediator as core has it.
fn describe(registered: Option<&RegisteredMediator>, now: DateTime<Utc>) -> (Cell, &str, String) {
    let Some(registered) = registered else {
        return (Cell::bad("not registered"), "", String::new());
    };
    let version = registered.version.as_str();
    let Some(last) = registered.last_heartbeat else {
        let details = "has never sent a heartbeat".to_owned();
        return (Cell::bad("down"), version, details);
    };
    let since = (now - last).to_std().unwrap_or_default();
    let running = registered
        .uptime
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .map_or(String::new(), |uptime| {
            format!("for {}, ", duration(uptime))
        });
    let details = format!("{running}last heartbeat {} ago", duration(since));
    let state = if is_up(registered, now) {
        Cell::good("up")
    } else {
        Cell::bad("down")
    };
    (state, version, details)
}

fn is_up(mediator: &RegisteredMediator, now: DateTime<Utc>) -> bool {
    mediator
        .last_heartbeat
        .is_some_and(|last| (now - last).to_std().unwrap_or_default() <= SHOWN_AS_UP)
}

/// The two largest units.
fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_their_two_largest_units() {
        let shown = |seconds| duration(Duration::from_secs(seconds));
        assert_eq!(shown(0), "0 s");
        assert_eq!(shown(61), "1 min 1 s");
        assert_eq!(shown(7_261), "2 h 1 min");
        assert_eq!(shown(90_000), "1 d 1 h");
    }

    #[test]
    fn a_mediator_is_up_for_a_minute_after_its_heartbeat() {
        let now = Utc::now();
        let registered = |last: Option<DateTime<Utc>>| -> RegisteredMediator {
            serde_json::from_value(json!({
                "urn": "urn:a", "version": "1.0.0", "name": "A", "_lastHeartbeat": last,
            }))
            .unwrap()
        };
        let seconds = |seconds| Some(now - chrono::TimeDelta::seconds(seconds));
        assert!(is_up(&registered(seconds(59)), now));
        assert!(!is_up(&registered(seconds(61)), now));
        assert!(!is_up(&registered(None), now));
        // Core's clock and the heartbeat's time come from two requests.
        assert!(is_up(&registered(seconds(-1)), now));
    }
}
