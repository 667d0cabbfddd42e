//! What the maps cost: `cargo bench -p mediator-ddcc --bench transform`.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use futures::FutureExt;
use mediator_ddcc::transformer::{EmbeddedTransformer, Transformer};
use serde_json::Value;
use uuid::Uuid;

const BASE: &str = "http://smart.who.int/ddcc/StructureMap/";
const VACCINATION: &str = include_str!("../tests/java-mapping-engine/inputs/vaccination.json");
const TEST_RESULT: &str = include_str!("../tests/java-mapping-engine/inputs/test-result.json");

fn maps(criterion: &mut Criterion) {
    let transformer = EmbeddedTransformer::builtin().unwrap();
    let run = |map: &str, input: &Value| {
        let url = format!("{BASE}{map}");
        let result = transformer.transform(&url, input, Uuid::nil());
        result.now_or_never().unwrap().unwrap()
    };
    for (name, text, to_core, to_bundle) in [
        (
            "vaccination",
            VACCINATION,
            "QRespToVSCoreDataSet",
            "CoreDataSetVSToAddBundle",
        ),
        (
            "test result",
            TEST_RESULT,
            "QRespToTRCoreDataSet",
            "CoreDataSetTRToAddBundle",
        ),
    ] {
        let mut group = criterion.benchmark_group(format!("transform {name}"));
        let minified = serde_json::from_str::<Value>(text).unwrap().to_string();
        group.bench_function("parse JSON", |bencher| {
            bencher.iter(|| serde_json::from_str::<Value>(black_box(&minified)).unwrap());
        });
        group.bench_function("parse JSON, to core data set", |bencher| {
            bencher.iter(|| {
                let response = serde_json::from_str(black_box(&minified)).unwrap();
                run(to_core, &response)
            });
        });
        let response = serde_json::from_str(text).unwrap();
        group.bench_function("to core data set", |bencher| {
            bencher.iter(|| run(to_core, black_box(&response)));
        });
        let core = run(to_core, &response);
        group.bench_function("to add bundle", |bencher| {
            bencher.iter(|| run(to_bundle, black_box(&core)));
        });
        group.finish();
    }
    criterion.bench_function("compile the built-in maps", |bencher| {
        bencher.iter(|| EmbeddedTransformer::builtin().unwrap());
    });
}

criterion_group!(benches, maps);
criterion_main!(benches);
