//! `mediator-runner doctor`: whether everything that the configuration names is there, from where
//! this program runs.

mod certificates;
mod check;
mod clock;
mod data_directory;
mod documents_to_move;
mod finding;
mod http_back_end;
mod ledger;
mod openhim;
mod repository;
mod signing;
mod token_issuer;
mod transformer;
mod vault;

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::json;

use crate::configuration::command::report;
use crate::configuration::{Configuration, ConfigurationArguments};
use crate::table::Table;

use check::Check;
use finding::{Finding, Verdict};

/// Check everything that the configuration names, from here
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner doctor --config mediator.toml
  mediator-runner doctor --config mediator.toml --json | jq -r '.checks[] | select(.result != \"ok\") | .name'

Nothing is changed anywhere: a file is made in the data directory and removed again.

Exit codes: 0 nothing failed (there may be warnings), 1 something failed, 2 usage or mistakes in
the configuration")]
pub(crate) struct Arguments {
    #[command(flatten)]
    configuration: ConfigurationArguments,

    /// How long each check may take, in seconds; all are made at once
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,

    /// Print one line of JSON: {"ok", "checks": [{"name", "result", "details", "advice"}]}
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let configuration = match arguments.configuration.load() {
        Ok(configuration) => configuration,
        Err(mistakes) => return report(&mistakes),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => return report(&error),
    };
    let limit = Duration::from_secs(arguments.timeout);
    let findings = runtime.block_on(async {
        let checks = checks(&configuration, limit);
        check::run_all(checks, limit).await
    });
    // A check that is stuck in the operating system is not waited for.
    runtime.shutdown_background();
    let text = if arguments.json {
        format!("{}\n", as_json(&findings))
    } else {
        as_table(&findings).to_string()
    };
    if let Err(error) = io::stdout().write_all(text.as_bytes()) {
        return report(&error);
    }
    if findings.iter().any(Finding::is_failure) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// What there is to check.
fn checks(configuration: &Configuration, limit: Duration) -> Vec<Check> {
    let mut checks = vec![data_directory::check(configuration)];
    checks.extend(certificates::checks(configuration));
    checks.push(signing::check(configuration));
    checks.extend(repository::check(configuration, limit));
    checks.extend(documents_to_move::check(configuration));
    checks.extend(ledger::check(configuration, limit));
    checks.extend(transformer::check(configuration, limit));
    checks.extend(token_issuer::check(configuration, limit));
    checks.extend(openhim::check(configuration, limit));
    checks
}

fn as_table(findings: &[Finding]) -> Table {
    let mut table = Table::new(&["WHAT", "RESULT", "DETAILS", "WHAT TO DO"]);
    for finding in findings {
        table.row(finding.cells());
    }
    table
}

fn as_json(findings: &[Finding]) -> serde_json::Value {
    json!({
        "ok": findings.iter().all(|finding| finding.verdict == Verdict::Ok),
        "checks": findings,
    })
}
