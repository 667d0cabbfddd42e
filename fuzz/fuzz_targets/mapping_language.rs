//! Maps: every text is refused, or formatted to what is formatted already and means the same; its
//! resource is written as a map that has the same resource.
#![no_main]

use fhir_mapping::structure_map::{FhirVersion, from_json, to_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(formatted) = fhir_mapping::format(text) else {
        return;
    };
    assert_eq!(fhir_mapping::format(&formatted).unwrap(), formatted);
    for version in [FhirVersion::R4, FhirVersion::R5] {
        if let Ok(resource) = to_json(text, version) {
            assert_eq!(to_json(&formatted, version).unwrap(), resource);
            let written = from_json(&resource).unwrap();
            assert_eq!(to_json(&written.text, version).unwrap(), resource);
        }
    }
});
