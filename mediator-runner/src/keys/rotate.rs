//! `mediator-runner keys rotate`.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use mediator_ddcc::signing::{Algorithm, KeyManagement};
use serde_json::json;

use super::subject::SubjectArguments;
use super::{CommandError, give, read_time, tell_imported};
use crate::configuration::{Configuration, ConfigurationArguments};
use crate::terminal::{Found, print, print_json};

/// Make a new key, or go over to another one that has a certificate
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner keys rotate --out request.csr
  mediator-runner keys rotate --json --config mediator.toml
  mediator-runner keys rotate --to 'nJ0rqfGM1Fs='

Where an authority issues certificates at once (the development authority, Vault's PKI), the new key
signs from now on, or from --from on. Else it signs once its certificate is imported: have the
request signed by the country signing authority, then `mediator-runner keys import`. What earlier
keys signed verifies on.

Exit codes: 0 done, 1 the key store, the authority or the certificate store fails, 2 usage or
configuration")]
pub(super) struct Arguments {
    /// Go over to the certificate with this key id, also back to an earlier one; no key is made
    #[arg(long, value_name = "KID", conflicts_with_all = ["algorithm", "out"])]
    to: Option<String>,

    /// ES256 (P-256), or PS256 (RSA), with which SMART Health Cards and ICAO seals are left out
    #[arg(long, value_name = "NAME", default_value = "ES256")]
    algorithm: Algorithm,

    /// Sign with it from this time on (2026-12-01 or 2026-12-01T12:00:00Z), not from now on
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    from: Option<DateTime<Utc>>,

    /// Write the request into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    subject: SubjectArguments,

    #[command(flatten)]
    pub(super) configuration: ConfigurationArguments,

    /// Print one line of JSON: {"kid", "signsFrom", "notAfter", "subject"} of what signs, or
    /// {"key", "fingerprint", "request"} of what is to be certified
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    management: &KeyManagement,
) -> Result<Found, CommandError> {
    let from = arguments.from.unwrap_or_else(Utc::now);
    if let Some(kid) = &arguments.to {
        let stored = management.switch_to(kid, from).await?;
        tell_imported(&stored, arguments.json)?;
        return Ok(Found::AllWell);
    }
    let subject = arguments.subject.subject(configuration, None);
    let rotation = management
        .rotate(arguments.algorithm, &subject, from)
        .await?;
    let key = &rotation.key;
    match &rotation.certificate {
        Some(stored) => tell_imported(stored, arguments.json)?,
        None if arguments.json => {
            if let Some(path) = &arguments.out {
                give(&rotation.request, Some(path))?;
            }
            print_json(&json!({
                "key": key.name,
                "fingerprint": key.public_key.fingerprint(),
                "request": rotation.request.to_pem(),
            }))?;
        }
        None => {
            give(&rotation.request, arguments.out.as_deref())?;
            if let Some(path) = &arguments.out {
                print(&format!(
                    "made the key {}; have {} signed by the country signing authority, then `mediator-runner keys import` the certificate\n",
                    key.name,
                    path.display()
                ))?;
            }
        }
    }
    Ok(Found::AllWell)
}
