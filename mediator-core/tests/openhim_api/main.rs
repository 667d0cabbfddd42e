//! The client of core's API, against the double.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

#[path = "../openhim_double/mod.rs"]
mod openhim_double;

#[path = "../server/log.rs"]
mod log;

mod authentication;
mod channels;
mod configuration;
mod failures;
mod heartbeats;
mod logs;
mod real_core;
mod registrations;
mod transactions;
mod trust;

use mediator_core::mediator_config::MediatorConfig;
use serde_json::{Value, json};

use openhim_double::{Fault, OpenHimDouble, User, Version};

const URN: &str = "urn:mediator:patients";

fn document(version: &str) -> Value {
    json!({
        "urn": URN,
        "version": version,
        "name": "Patients",
        "endpoints": [
            {"name": "Patients", "host": "127.0.0.1", "port": "4321", "primary": true}
        ],
        "defaultChannelConfig": [
            {
                "name": "Patients",
                "urlPattern": "^/patients$",
                "type": "http",
                "methods": ["GET"],
                "allow": ["hospital"],
                "routes": [
                    {"name": "Patients", "host": "127.0.0.1", "port": 4321, "primary": true}
                ]
            },
            {
                "name": "Clean up",
                "urlPattern": "_polling",
                "type": "polling",
                "pollingSchedule": "10 seconds",
                "allow": ["admin"],
                "routes": [
                    {"name": "Patients", "host": "127.0.0.1", "port": 4321, "primary": true}
                ]
            }
        ],
        "configDefs": [
            {"param": "retries", "type": "number"},
            {"param": "secret", "type": "password"}
        ],
        "config": {"retries": 3, "secret": "hunter2"}
    })
}

fn config(version: &str) -> MediatorConfig {
    MediatorConfig::from_json(&document(version).to_string()).unwrap()
}

/// Waits for what another task brings about.
async fn eventually(mut holds: impl FnMut() -> bool) {
    for _ in 0..2000 {
        if holds() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("did not happen within twenty seconds");
}
