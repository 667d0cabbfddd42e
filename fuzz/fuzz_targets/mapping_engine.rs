//! A map, a line of `%`, and the JSON that it reads: neither is trusted.
#![no_main]

use std::time::Duration;

use fhir_mapping::{MapLibrary, Trace, TransformOptions};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some((map, input)) = text.split_once("\n%\n") else {
        return;
    };
    let Ok(input) = serde_json::from_str(input) else {
        return;
    };
    let mut library = MapLibrary::new();
    let Ok(url) = library.add_map(map).map(ToOwned::to_owned) else {
        return;
    };
    let Ok(maps) = library.compile() else {
        return;
    };
    let mut options = TransformOptions::default();
    options.limits.steps = 10_000;
    options.limits.output_bytes = 1 << 20;
    options.limits.time = Some(Duration::from_secs(1));
    let result = maps.transform_with(&url, &input, &options);
    let mut trace = Trace::with_values();
    let traced = maps.transform_traced(&url, &input, &options, &mut trace);
    assert_eq!(result.is_ok(), traced.is_ok());
    let _ = trace.to_string();
});
