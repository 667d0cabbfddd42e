//! `mediator-runner keys list`.

use chrono::{DateTime, TimeDelta, Utc};
use mediator_ddcc::signing::{KeyManagement, KeyUse, ListedKey};
use serde_json::{Value, json};

use super::{CommandError, time};
use crate::configuration::ConfigurationArguments;
use crate::table::{Cell, Table};
use crate::terminal::{Found, print, print_json};

/// A certificate with less than this left is to be followed by another one soon.
const ENDS_SOON: TimeDelta = TimeDelta::days(30);

/// Show every key and certificate, and which of them signs
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner keys list
  mediator-runner keys list --config mediator.toml --json | jq '.keys[] | select(.use == \"signs\")'

USE is `signs`, `signs from` a time on, `signed`, `ready` (it has a certificate and was not told to
sign), `verifies` (its key is not here), `needs certificate`, or `key missing` (it should sign, and
its key is not here).

Exit codes: 0 a key signs and its certificate is valid, 1 none does or the key store fails, 2 usage
or configuration")]
pub(super) struct Arguments {
    #[command(flatten)]
    pub(super) configuration: ConfigurationArguments,

    /// Print one line of JSON: {"keyStore", "authority", "keys": [{"use", "kid", "key", …}]}
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(
    arguments: &Arguments,
    management: &KeyManagement,
) -> Result<Found, CommandError> {
    let now = Utc::now();
    let listed = management.list(now).await?;
    if arguments.json {
        let authority = management.authority.as_ref();
        print_json(&json!({
            "keyStore": management.keys.name(),
            "authority": authority.map(|authority| authority.name()),
            "keys": listed.iter().map(in_json).collect::<Vec<Value>>(),
        }))?;
    } else {
        let mut table = Table::new(&["USE", "KID", "ALGORITHM", "ENDS", "KEY", "SUBJECT"]);
        for one in &listed {
            table.row(row(one, now));
        }
        print(&table.to_string())?;
        for key in listed.iter().filter_map(|listed| listed.key.as_ref()) {
            if let Some(warning) = &key.warning {
                print(&format!("\nwarning: {} {warning}\n", key.name))?;
            }
        }
    }
    let signs = |listed: &ListedKey| {
        let certificate = listed
            .certificate
            .as_ref()
            .map(|stored| &stored.certificate);
        listed.key_use == KeyUse::Signs
            && certificate.is_some_and(|certificate| certificate.is_valid_at(now))
    };
    Ok(if listed.iter().any(signs) {
        Found::AllWell
    } else {
        Found::Trouble
    })
}

fn row(listed: &ListedKey, now: DateTime<Utc>) -> [Cell; 6] {
    let text = use_text(listed.key_use);
    let key_use = match listed.key_use {
        KeyUse::Signs => Cell::good(text),
        KeyUse::SignsFrom(from) => Cell::good(format!("{text} {}", time(from))),
        KeyUse::NeedsCertificate => Cell::warning(text),
        KeyUse::KeyMissing => Cell::bad(text),
        KeyUse::Signed | KeyUse::Ready | KeyUse::Verifies => Cell::plain(text),
    };
    let certificate = listed
        .certificate
        .as_ref()
        .map(|stored| &stored.certificate);
    let ends = certificate.map_or(Cell::plain(""), |certificate| {
        let end = certificate.not_after();
        let text = time(end);
        if end < now {
            Cell::bad(text)
        } else if end < now + ENDS_SOON {
            Cell::warning(text)
        } else {
            Cell::plain(text)
        }
    });
    let public_key = match (&listed.key, certificate) {
        (Some(key), _) => Some(&key.public_key),
        (None, Some(certificate)) => certificate.public_key(),
        (None, None) => None,
    };
    [
        key_use,
        Cell::plain(certificate.map_or(String::new(), |certificate| certificate.kid_base64())),
        Cell::plain(public_key.map_or("", |key| key.algorithm().as_str())),
        ends,
        Cell::plain(listed.key.as_ref().map_or("", |key| key.name.as_str())),
        Cell::dim(certificate.map_or("", |certificate| certificate.subject())),
    ]
}

fn in_json(listed: &ListedKey) -> Value {
    let stored = listed.certificate.as_ref();
    let certificate = stored.map(|stored| &stored.certificate);
    let key = listed.key.as_ref();
    let public_key = key.map(|key| &key.public_key);
    let public_key = public_key.or(certificate.and_then(|certificate| certificate.public_key()));
    json!({
        "use": use_text(listed.key_use),
        "kid": certificate.map(|certificate| certificate.kid_base64()),
        "thumbprint": certificate.map(|certificate| certificate.jwk_thumbprint()),
        "key": key.map(|key| &key.name),
        "fingerprint": public_key.map(|key| key.fingerprint()),
        "algorithm": public_key.map(|key| key.algorithm().as_str()),
        "createdAt": key.and_then(|key| key.created_at),
        "warning": key.and_then(|key| key.warning.as_ref()),
        "signsFrom": stored.and_then(|stored| stored.signs_from),
        "notBefore": certificate.map(|certificate| certificate.not_before()),
        "notAfter": certificate.map(|certificate| certificate.not_after()),
        "subject": certificate.map(|certificate| certificate.subject()),
        "issuers": stored.map(|stored| stored.issuers.iter().map(|issuer| issuer.subject()).collect::<Vec<_>>()),
    })
}

fn use_text(key_use: KeyUse) -> &'static str {
    match key_use {
        KeyUse::Signs => "signs",
        KeyUse::SignsFrom(_) => "signs from",
        KeyUse::Signed => "signed",
        KeyUse::Ready => "ready",
        KeyUse::Verifies => "verifies",
        KeyUse::NeedsCertificate => "needs certificate",
        KeyUse::KeyMissing => "key missing",
    }
}
