use std::time::Duration;

use chrono::Utc;
use mediator_ddcc::ledger::postgresql::{PostgreSqlLedger, PostgreSqlSettings};

use super::check::Check;
use super::clock::compare;
use super::finding::Finding;
use crate::configuration::Configuration;
use crate::service;

const NAME: &str = "ledger";

/// Whether PostgreSQL answers, lets us in and can keep the ledger; nothing when it is not
/// configured.
pub(super) fn check(configuration: &Configuration, limit: Duration) -> Option<Check> {
    match service::ledger::settings(&configuration.ledger) {
        Ok(settings) => Some(Check::new(NAME, look(settings?, limit))),
        Err(error) => Some(Check::impossible(NAME, &error)),
    }
}

async fn look(mut settings: PostgreSqlSettings, limit: Duration) -> Vec<Finding> {
    // The second attempt tells why there is no connection.
    settings.connect_timeout = settings.connect_timeout.min(limit.mul_f32(0.4));
    settings.timeout = settings.timeout.min(limit.mul_f32(0.4));
    let asked = Utc::now();
    let ledger = match PostgreSqlLedger::new(&settings) {
        Ok(ledger) => ledger,
        Err(error) => return vec![Finding::error(NAME, &error)],
    };
    let server = match ledger.server().await {
        Ok(server) => server,
        Err(error) => return vec![Finding::error(NAME, &error)],
    };
    let clock = compare(NAME, server.time, asked, Utc::now());
    let software = format!("PostgreSQL {}", server.version);
    let first = if server.is_durable {
        Finding::ok(NAME, software)
    } else {
        let details = format!("{software} acknowledges what is not on its disk yet");
        Finding::warning(NAME, details, "set fsync and synchronous_commit to on")
    };
    vec![first, clock]
}
