//! `mediator-runner config`: tells operators what they configured.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use mediator_ddcc::signing::key_file::KeyFileSigner;

use super::{Configuration, ConfigurationArguments};
use crate::serve;
use crate::service::{Parts, lines};

/// Check and show the configuration.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List every mistake, each with its place
    #[command(after_help = "Examples:
  mediator-runner config check --config mediator.toml
  MEDIATOR_SERVER__LISTEN=0.0.0.0:4321 mediator-runner config check

Exit codes: 0 no mistake, 2 mistakes (on standard error, one a line)")]
    Check {
        #[command(flatten)]
        configuration: ConfigurationArguments,
    },
    /// Print the effective configuration, defaults included, without secrets
    #[command(after_help = "Examples:
  mediator-runner config show > mediator.toml
  mediator-runner config show --config mediator.toml --json

Exit codes: 0 shown, 2 mistakes (on standard error, one a line)")]
    Show {
        #[command(flatten)]
        configuration: ConfigurationArguments,
        /// Print JSON instead of TOML
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub(crate) fn run(arguments: &Arguments) -> ExitCode {
    let result = match &arguments.command {
        Command::Check { configuration } => check(configuration),
        Command::Show {
            configuration,
            json,
        } => configuration
            .load()
            .map(|effective| show(&effective, *json))
            .map_err(|error| error.to_string()),
    };
    match result {
        Ok(text) => match io::stdout().write_all(text.as_bytes()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Err(mistakes) => report(&mistakes),
    }
}

fn check(arguments: &ConfigurationArguments) -> Result<String, String> {
    let configuration = arguments.load().map_err(|error| error.to_string())?;
    let mut mistakes = Vec::new();
    if let Err(found) = Parts::read(&configuration) {
        mistakes.push(lines(&found));
    }
    let signing = &configuration.signing;
    if let (Some(key), Some(certificate)) = (&signing.key_file, &signing.certificate_file)
        && let Err(error) = KeyFileSigner::read(key, certificate)
    {
        mistakes.push(format!("signing: {error}"));
    }
    if let Err(error) = serve::trusted_keys(&configuration.verification) {
        mistakes.push(error.to_string());
    }
    mistakes.extend(serve::mistakes(&configuration));
    if !mistakes.is_empty() {
        return Err(mistakes.join("\n"));
    }
    let source = match &arguments.config {
        Some(path) => path.display().to_string(),
        None => "defaults and environment, without a file".to_owned(),
    };
    let mut told = format!("{source}: no mistakes\n");
    let elsewhere = not_asked(&configuration);
    if !elsewhere.is_empty() {
        let names = elsewhere.join(", ");
        told.push_str(&format!(
            "not asked here: {names}; `mediator-runner doctor` does that\n"
        ));
    }
    Ok(told)
}

/// What this command leaves alone: other servers, and tokens, which count wrong PINs.
fn not_asked(configuration: &Configuration) -> Vec<&'static str> {
    let signing = &configuration.signing;
    let is_set = [
        ("signing.vault", signing.vault.url.is_some()),
        (
            "signing.pkcs11 (the token is not opened)",
            signing.pkcs11.module.is_some(),
        ),
        ("repository", configuration.repository.url.is_some()),
        (
            "transformer",
            configuration.transformer.matchbox.url.is_some(),
        ),
        ("ledger", configuration.ledger.url.is_some()),
        (
            "access.tokens",
            configuration.access.tokens.issuer.is_some(),
        ),
        ("openhim", configuration.openhim.api_url.is_some()),
    ];
    let set = is_set.into_iter().filter(|(_, is_set)| *is_set);
    set.map(|(name, _)| name).collect()
}

/// Prints mistakes; the exit code for them.
pub(crate) fn report(mistakes: &dyn Display) -> ExitCode {
    // Nothing is left to do when standard error is closed.
    let _ = writeln!(io::stderr(), "{mistakes}");
    ExitCode::from(2)
}

fn show(configuration: &Configuration, json: bool) -> String {
    let text = if json {
        serde_json::to_string_pretty(configuration).map_err(|error| error.to_string())
    } else {
        toml::to_string(configuration).map_err(|error| error.to_string())
    };
    match text {
        Ok(text) => format!("{}\n", text.trim_end()),
        Err(error) => format!("# cannot be shown: {error}\n"),
    }
}
