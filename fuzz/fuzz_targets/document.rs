//! A signed document, opened as far as it goes and verified.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::document::{codes, signature};
use mediator_ddcc::strict_json;

fuzz_target!(|text: &[u8]| {
    if let Ok(document) = strict_json::parse(text) {
        assert!(signature::verify(&document, &[]).is_err());
        let _ = signature::signing_certificate(&document);
        let _ = codes::read(&document);
        let _ = codes::card(&document);
    }
});
