//! Maps run by Matchbox's engine: the same results as the embedded engine's, and faults told apart.
//! `mediator-runner` runs `faults`, `results` and `uploads` with its own server in Matchbox's place.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod faults;
mod restarts;
mod results;
mod uploads;

use std::net::SocketAddr;
use std::time::Duration;

use mediator_core::back_end::{BackEnd, BackEndSettings, CircuitBreakerSettings};
use mediator_ddcc::transformer::matchbox::{MatchboxTransformer, Upload};
use mediator_ddcc::transformer::{Definitions, Transformer, TransformerError};
use real_servers::mapping_engine::RealMappingEngine;
use serde_json::Value;
use tokio::sync::OnceCell;
use uuid::Uuid;

const VACCINATION: &str = "http://smart.who.int/ddcc/StructureMap/QRespToVSCoreDataSet";
const SEED: Uuid = Uuid::from_u128(0x5eed);

/// The engine of the tests that leave it running.
async fn engine() -> Option<&'static RealMappingEngine> {
    static ENGINE: OnceCell<Option<RealMappingEngine>> = OnceCell::const_new();
    ENGINE.get_or_init(RealMappingEngine::start).await.as_ref()
}

fn address(base_url: &str) -> SocketAddr {
    let rest = base_url.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// With time enough for a busy machine.
fn settings(base_url: &str) -> BackEndSettings {
    BackEndSettings {
        timeout: Duration::from_secs(120),
        first_retry_delay: Duration::from_millis(1),
        ..BackEndSettings::new("Matchbox", base_url.parse().unwrap())
    }
}

fn transformer(settings: &BackEndSettings, definitions: Definitions) -> MatchboxTransformer {
    let back_end = BackEnd::new(settings).unwrap();
    MatchboxTransformer::new(back_end, definitions, Upload::Missing).unwrap()
}

fn matchbox(base_url: &str) -> MatchboxTransformer {
    transformer(&settings(base_url), Definitions::builtin().unwrap())
}

/// Fails at once, and as often as it is asked.
fn impatient(base_url: &str, timeout: Duration) -> MatchboxTransformer {
    let settings = BackEndSettings {
        timeout,
        attempts: 1,
        circuit_breaker: CircuitBreakerSettings {
            failures: u32::MAX,
            ..CircuitBreakerSettings::default()
        },
        ..settings(base_url)
    };
    transformer(&settings, Definitions::builtin().unwrap())
}

fn example(name: &str) -> Value {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/java-mapping-engine/inputs/"
    );
    let text = std::fs::read_to_string(format!("{folder}{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

async fn run(transformer: &dyn Transformer) -> Result<Value, TransformerError> {
    let input = example("vaccination");
    transformer.transform(VACCINATION, &input, SEED).await
}
