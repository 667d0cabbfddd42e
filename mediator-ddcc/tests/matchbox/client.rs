//! The client as its tests use it, of whichever server is in Matchbox's place.

use std::net::SocketAddr;
use std::time::Duration;

use mediator_core::back_end::{BackEnd, BackEndSettings, CircuitBreakerSettings};
use mediator_ddcc::transformer::matchbox::{MatchboxTransformer, Upload};
use mediator_ddcc::transformer::{Definitions, Transformer, TransformerError};
use serde_json::Value;
use uuid::Uuid;

pub(crate) const VACCINATION: &str = "http://smart.who.int/ddcc/StructureMap/QRespToVSCoreDataSet";
pub(crate) const SEED: Uuid = Uuid::from_u128(0x5eed);

pub(crate) fn address(base_url: &str) -> SocketAddr {
    let rest = base_url.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}

/// With time enough for a busy machine.
pub(crate) fn settings(base_url: &str) -> BackEndSettings {
    BackEndSettings {
        timeout: Duration::from_secs(120),
        first_retry_delay: Duration::from_millis(1),
        ..BackEndSettings::new("Matchbox", base_url.parse().unwrap())
    }
}

pub(crate) fn transformer(
    settings: &BackEndSettings,
    definitions: Definitions,
) -> MatchboxTransformer {
    let back_end = BackEnd::new(settings).unwrap();
    MatchboxTransformer::new(back_end, definitions, Upload::Missing).unwrap()
}

pub(crate) fn matchbox(base_url: &str) -> MatchboxTransformer {
    transformer(&settings(base_url), Definitions::builtin().unwrap())
}

/// Fails at once, and as often as it is asked.
pub(crate) fn impatient(base_url: &str, timeout: Duration) -> MatchboxTransformer {
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

pub(crate) fn example(name: &str) -> Value {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../mediator-ddcc/tests/java-mapping-engine/inputs/"
    );
    let text = std::fs::read_to_string(format!("{folder}{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) async fn run(transformer: &dyn Transformer) -> Result<Value, TransformerError> {
    let input = example("vaccination");
    transformer.transform(VACCINATION, &input, SEED).await
}
