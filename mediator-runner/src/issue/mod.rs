//! `mediator-runner issue`: certificates for health events in files, without a server.

mod folder;
mod input;
mod report;

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mediator_ddcc::generation_service::GenerationService;
use mediator_ddcc::operation_outcome::OperationOutcome;

use crate::configuration::command::report;
use crate::configuration::{Configuration, ConfigurationArguments};
use crate::{logging, service};

use self::folder::Folder;
use self::input::{Entry, Inputs};
use self::report::{Outcome, Report};

/// Certificates on their way at the same time; more gain nothing, since the processors are busy.
const IN_FLIGHT: usize = 32;

/// What to issue, and where to.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mediator-runner issue examples/requests/vaccination.json
  mediator-runner issue --out /tmp/certificates events.ndjson more.json
  curl https://example.org/events.ndjson | mediator-runner issue --json -

An input is a QuestionnaireResponse, a Parameters with the parameter `response`, a batch Bundle of
these (Submit Health Event), a JSON array of these, or NDJSON with one a line.

Exit status: 0 all issued, 1 some failed, 2 wrong usage or configuration.")]
pub(crate) struct Arguments {
    /// Files with health events; `-` is standard input.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Folder for the certificates: DIR/HCID/N/, N being the place in the holder's folder.
    #[arg(long, value_name = "DIR", default_value = "certificates")]
    out: PathBuf,
    /// Print a line of JSON for each event instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// Runs the command.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let configuration = match arguments.configuration.load() {
        Ok(configuration) => configuration,
        Err(mistakes) => return report(&mistakes),
    };
    logging::start(&configuration);
    let result = tokio::runtime::Runtime::new()
        .map_err(|error| format!("the program cannot start its threads: {error}"))
        .and_then(|runtime| runtime.block_on(issue(arguments, &configuration)));
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => report(&message),
    }
}

/// Whether all were issued, or what is wrong with usage or configuration.
async fn issue(arguments: Arguments, configuration: &Configuration) -> Result<bool, String> {
    let inputs = Inputs::open(&arguments.inputs)?;
    let folder = Arc::new(Folder::create(&arguments.out)?);
    let started = service::start(configuration).await;
    let service = started.map_err(|error| error.to_string())?.service;
    // Better said once than for each event.
    let ledger = &service.ports().ledger;
    ledger
        .unfinished(1)
        .await
        .map_err(|error| error.to_string())?;
    let progress = progress_bar(inputs.length());
    let mut report = Report::new(arguments.json, progress.clone());
    let mut outcomes = Box::pin(
        inputs
            .read()
            .map(|entry| {
                progress.set_position(entry.position);
                examine(service.clone(), entry)
            })
            .buffered(IN_FLIGHT)
            // The place in the holder's queue is taken here, in the order of the input.
            .map(|(entry, event)| {
                let issuing = event.map(|event| service.issue(event));
                async move {
                    let certificate = match issuing {
                        Ok(issuing) => issuing.await,
                        Err(outcome) => Err(outcome),
                    };
                    (entry, certificate)
                }
            })
            .buffered(IN_FLIGHT)
            .map(|(entry, certificate)| {
                let folder = Arc::clone(&folder);
                async move {
                    let outcome = match certificate {
                        Ok(certificate) => folder.keep(certificate).await,
                        Err(outcome) => Err(outcome),
                    };
                    Outcome::new(entry, outcome)
                }
            })
            .buffered(IN_FLIGHT),
    );
    while let Some(outcome) = outcomes.next().await {
        report
            .add(&outcome)
            .map_err(|error| format!("the report cannot be written: {error}"))?;
    }
    drop(outcomes);
    report
        .finish()
        .map_err(|error| format!("the report cannot be written: {error}"))
}

type Examined = (
    Entry,
    Result<mediator_ddcc::transactions::AcceptableEvent, OperationOutcome>,
);

async fn examine(service: GenerationService, mut entry: Entry) -> Examined {
    let submission = entry.take_submission();
    let event = match submission {
        Ok(response) => service.examine(response).await,
        Err(outcome) => Err(outcome),
    };
    (entry, event)
}

/// A bar over the bytes of the inputs on a terminal, where that takes long enough to watch.
fn progress_bar(length: Option<u64>) -> ProgressBar {
    const WORTH_WATCHING: u64 = 64 * 1024;
    let quick = length.is_some_and(|length| length < WORTH_WATCHING);
    if quick || !io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(length, ProgressDrawTarget::hidden());
    }
    let template = match length {
        Some(_) => "{bar:30} {percent:>3} %  {msg}  {eta} left",
        None => "{spinner} {msg}  {elapsed}",
    };
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
