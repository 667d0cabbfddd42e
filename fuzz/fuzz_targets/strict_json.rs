//! JSON: what is read is what serde_json reads.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::strict_json::parse;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = parse(bytes) {
        let written = value.to_string();
        assert_eq!(parse(written.as_bytes()).unwrap().to_string(), written);
    }
});
