//! The text of a SMART Health Card, whole or in parts.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::codes::smart_health_card::decode::{decode, join};
use mediator_ddcc::verification::{TrustedKeys, verify};

fuzz_target!(|text: &str| {
    let _ = decode(text);
    let _ = join(text.lines());
    let verification = verify(text, &TrustedKeys::default(), Default::default());
    assert!(!verification.valid);
});
