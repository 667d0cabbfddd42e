//! What parsing, compiling and running maps costs: `cargo bench -p fhir-mapping --bench engine`.
//!
//! The maps and the response are those of `mediator-ddcc`; the Bundle is made here.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a benchmark stops at its first mistake"
)]

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fhir_mapping::{CompiledMaps, MapLibrary};
use serde_json::{Value, json};
use uuid::Uuid;

const TO_CORE_DATA_SET: &str = "http://smart.who.int/ddcc/StructureMap/QRespToVSCoreDataSet";
const TO_BUNDLE: &str = "http://smart.who.int/ddcc/StructureMap/CoreDataSetVSToAddBundle";

/// Every Observation of a Bundle becomes another one, with a coding translated and a reference.
const BUNDLE_MAP: &str = r#"
/// url = 'http://example.org/StructureMap/bundle'
conceptmap "codes" {
  prefix s = "http://example.org/codes"
  prefix t = "http://example.org/other-codes"
  s:weight == t:w
  s:height == t:h
}
uses "http://hl7.org/fhir/StructureDefinition/Bundle" alias Read as source
uses "http://hl7.org/fhir/StructureDefinition/Bundle" alias Made as target
group Main(source s : Read, target t : Made) {
  s.type as type -> t.type = type;
  s.entry as entry -> t.entry as made then Entry(entry, made) "entry";
}
group Entry(source entry, target made) {
  entry.fullUrl as url -> made.fullUrl = url;
  entry.resource : Observation as observation -> made.resource = create('Observation') as other then {
    observation.status as status -> other.status = status;
    observation.id as id -> other.id = append('copy-', id) "id";
    observation.code as code -> other.code as concept then {
      code.coding as coding where system = 'http://example.org/codes' -> concept.coding = translate(coding, '#codes', 'Coding') "coding";
    } "code";
    observation.subject as subject -> other.subject = subject;
    observation.value : Quantity as value where value > 0 -> other.value = value "value";
    observation.note as note -> other.note = note;
  } "observation";
}
"#;

fn ddcc(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../mediator-ddcc")
        .join(path)
}

fn texts(folder: &str, ending: &str) -> Vec<String> {
    let mut paths: Vec<PathBuf> = fs::read_dir(ddcc(folder))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == ending))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

fn library(maps: &[String], models: &[Value]) -> MapLibrary {
    let mut library = MapLibrary::new();
    for model in models {
        library.add_structure_definition(model).unwrap();
    }
    for map in maps {
        library.add_map(map).unwrap();
    }
    library
}

fn run(maps: &CompiledMaps, url: &str, input: &Value) -> Value {
    maps.transform(url, input, Uuid::nil()).unwrap()
}

fn ddcc_maps(criterion: &mut Criterion) {
    let maps = texts("maps", "map");
    let models: Vec<Value> = texts("models", "json")
        .iter()
        .map(|text| serde_json::from_str(text).unwrap())
        .collect();
    let response = ddcc("tests/java-mapping-engine/inputs/vaccination.json");
    let response: Value = serde_json::from_str(&fs::read_to_string(response).unwrap()).unwrap();
    let text = response.to_string();

    let mut group = criterion.benchmark_group("DDCC");
    group.bench_function("parse the maps", |bencher| {
        bencher.iter(|| library(&maps, &[]));
    });
    group.bench_function("parse and compile the maps", |bencher| {
        bencher.iter(|| library(&maps, &models).compile().unwrap());
    });
    let maps = library(&maps, &models).compile().unwrap();
    group.bench_function("response to core data set", |bencher| {
        bencher.iter(|| run(&maps, TO_CORE_DATA_SET, black_box(&response)));
    });
    group.bench_function("response to core data set, with JSON parsing", |bencher| {
        bencher.iter(|| {
            let response = serde_json::from_str(black_box(&text)).unwrap();
            run(&maps, TO_CORE_DATA_SET, &response)
        });
    });
    let core = run(&maps, TO_CORE_DATA_SET, &response);
    group.bench_function("core data set to Bundle", |bencher| {
        bencher.iter(|| run(&maps, TO_BUNDLE, black_box(&core)));
    });
    group.finish();
}

/// A Bundle of Observations that has this many bytes, or a few more.
fn bundle(bytes: usize) -> String {
    let mut entries = Vec::new();
    let mut size = 0;
    for number in 0.. {
        let entry = json!({
            "fullUrl": format!("urn:uuid:{}", Uuid::from_u128(number)),
            "resource": {
                "resourceType": "Observation",
                "id": format!("o{number}"),
                "status": "final",
                "code": {"coding": [
                    {"system": "http://example.org/codes", "code": if number % 2 == 0 { "weight" } else { "height" }},
                    {"system": "http://loinc.org", "code": "29463-7", "display": "Body weight"},
                ]},
                "subject": {"reference": "Patient/p", "display": "Hemi Parata"},
                "effectiveDateTime": "2024-03-05T09:30:00+13:00",
                "valueQuantity": {"value": 81.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
                "note": [{"text": "A note of the person who has measured, as long as notes are"}],
            },
        });
        size += entry.to_string().len() + 1;
        entries.push(entry);
        if size >= bytes {
            break;
        }
    }
    json!({"resourceType": "Bundle", "type": "collection", "entry": entries}).to_string()
}

fn bundles(criterion: &mut Criterion) {
    let maps = library(&[BUNDLE_MAP.to_owned()], &[]).compile().unwrap();
    let url = "http://example.org/StructureMap/bundle";
    let mut group = criterion.benchmark_group("Bundle");
    group.sample_size(20);
    for megabytes in [1, 2, 4] {
        let text = bundle(megabytes << 20);
        let input: Value = serde_json::from_str(&text).unwrap();
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(BenchmarkId::new("transform", megabytes), |bencher| {
            bencher.iter(|| run(&maps, url, black_box(&input)));
        });
        group.bench_function(
            BenchmarkId::new("transform, with JSON parsing", megabytes),
            |bencher| {
                bencher.iter(|| {
                    let input = serde_json::from_str(black_box(&text)).unwrap();
                    run(&maps, url, &input)
                });
            },
        );
    }
    group.finish();
}

criterion_group!(benches, ddcc_maps, bundles);
criterion_main!(benches);
