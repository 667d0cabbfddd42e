//! `mediator-runner keys import`.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use mediator_ddcc::signing::{KeyManagement, SigningCertificate};

use super::{CommandError, read_time, tell_imported};
use crate::configuration::ConfigurationArguments;
use crate::terminal::Found;

/// A certificate and its issuers are a few kilobytes.
const MAXIMUM_FILE: u64 = 1024 * 1024;

/// Take over a certificate that was issued for a request, and sign under it
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner keys import certificate.pem
  mediator-runner keys import certificate.pem country-signing-ca.pem
  mediator-runner keys import --from 2026-12-01T00:00:00Z - < certificate.pem

Give verifiers time to fetch a new certificate: with --from, it is in the key set and trust lists
before anything is signed with it. `serve` follows without a restart, on every machine that shares
the folder of certificates.

Exit codes: 0 imported, 1 it is refused or a store fails, 2 usage or configuration")]
pub(super) struct Arguments {
    /// The certificate and its issuers (PEM, DER or base64), in any order; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Sign under it from this time on (2026-12-01 or 2026-12-01T12:00:00Z), not from now on
    #[arg(long, value_name = "TIME", value_parser = read_time)]
    from: Option<DateTime<Utc>>,

    #[command(flatten)]
    pub(super) configuration: ConfigurationArguments,

    /// Print one line of JSON: {"kid", "signsFrom", "notAfter", "subject"}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    management: &KeyManagement,
) -> Result<Found, CommandError> {
    let mut certificates = Vec::new();
    for path in &arguments.files {
        certificates.extend(read(path)?);
    }
    let from = arguments.from.unwrap_or_else(Utc::now);
    let imported = management.import(certificates, from).await?;
    tell_imported(&imported, arguments.json)?;
    Ok(Found::AllWell)
}

fn read(path: &Path) -> Result<Vec<SigningCertificate>, CommandError> {
    let mut bytes = Vec::new();
    let result = if path == Path::new("-") {
        io::stdin()
            .lock()
            .take(MAXIMUM_FILE)
            .read_to_end(&mut bytes)
    } else {
        fs::File::open(path).and_then(|file| file.take(MAXIMUM_FILE).read_to_end(&mut bytes))
    };
    let wrong =
        |error: &dyn std::fmt::Display| CommandError::Usage(format!("{}: {error}", path.display()));
    result.map_err(|error| wrong(&error))?;
    SigningCertificate::read_all(&bytes).map_err(|error| wrong(&error))
}
