//! StructureMap resources: every JSON is refused, or written as a map that is read.
#![no_main]

use fhir_mapping::structure_map::{FhirVersion, from_json, to_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(resource) = serde_json::from_slice(bytes)
        && let Ok(written) = from_json(&resource)
    {
        to_json(&written.text, FhirVersion::R5).unwrap();
    }
});
