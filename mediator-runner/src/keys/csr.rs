//! `mediator-runner keys csr`.

use std::path::PathBuf;

use chrono::Utc;
use mediator_ddcc::signing::{KeyManagement, KeyUse, StoredKey};

use super::subject::SubjectArguments;
use super::{CommandError, give};
use crate::configuration::{Configuration, ConfigurationArguments};
use crate::terminal::Found;

/// Make a certification request (PKCS#10) for a key that is there
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner keys csr > request.csr
  mediator-runner keys csr document-signer:01 --common-name 'Document signer 2027' --out request.csr
  openssl req -in request.csr -noout -text -verify

The request asks for the key usage digitalSignature and for HCERT's extended key usages. For a new
key, use `keys rotate`.

Exit codes: 0 made, 1 the key store fails, 2 usage or configuration")]
pub(super) struct Arguments {
    /// The key: its name, fingerprint, or the key id of one of its certificates; without it, the
    /// one that needs a certificate, else the one that signs
    #[arg(value_name = "KEY")]
    key: Option<String>,

    /// Write the request into this file instead of printing it
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    #[command(flatten)]
    subject: SubjectArguments,

    #[command(flatten)]
    pub(super) configuration: ConfigurationArguments,
}

pub(super) async fn run(
    arguments: &Arguments,
    configuration: &Configuration,
    management: &KeyManagement,
) -> Result<Found, CommandError> {
    let key = match &arguments.key {
        Some(wanted) => management.find(wanted).await?,
        None => obvious(management).await?,
    };
    let subject = arguments.subject.subject(configuration, Some(&key));
    let request = management.request(&key, &subject).await?;
    give(&request, arguments.out.as_deref())?;
    Ok(Found::AllWell)
}

/// The key that a request is meant for when none is named.
async fn obvious(management: &KeyManagement) -> Result<StoredKey, CommandError> {
    let listed = management.list(Utc::now()).await?;
    let with = |wanted: KeyUse| {
        listed
            .iter()
            .filter(move |listed| listed.key_use == wanted)
            .filter_map(|listed| listed.key.clone())
    };
    let mut waiting: Vec<StoredKey> = with(KeyUse::NeedsCertificate).collect();
    let names: Vec<&str> = waiting.iter().map(|key| key.name.as_str()).collect();
    if waiting.len() > 1 {
        return Err(CommandError::Usage(format!(
            "more than one key needs a certificate; name one of {}",
            names.join(", ")
        )));
    }
    waiting
        .pop()
        .or_else(|| with(KeyUse::Signs).next())
        .ok_or_else(|| {
            CommandError::Usage(
                "there is no key yet; `mediator-runner keys rotate` makes one".to_owned(),
            )
        })
}
