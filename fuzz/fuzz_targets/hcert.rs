//! The text of an HCERT: what decodes is verified too, and has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::codes::hcert::decode::decode;
use mediator_ddcc::verification::{TrustedKeys, verify};

fuzz_target!(|text: &str| {
    let _ = decode(text);
    let verification = verify(text, &TrustedKeys::default(), Default::default());
    assert!(!verification.valid);
});
