//! Maps: every text is refused, or formatted to what is formatted already and means the same.
#![no_main]

use fhir_mapping::structure_map::{FhirVersion, from_json, to_json};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(formatted) = fhir_mapping::format(text) else {
        return;
    };
    assert_eq!(fhir_mapping::format(&formatted).as_ref(), Ok(&formatted));
    for version in [FhirVersion::R4, FhirVersion::R5] {
        let resource = to_json(text, version);
        assert_eq!(to_json(&formatted, version), resource);
        if let Ok(resource) = resource
            && let Ok(written) = from_json(&resource)
        {
            assert_eq!(to_json(&written.text, version), Ok(resource));
        }
    }
});
