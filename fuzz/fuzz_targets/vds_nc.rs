//! The text of an ICAO VDS-NC.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::codes::vds_nc::decode::decode;
use mediator_ddcc::verification::{TrustedKeys, verify};

fuzz_target!(|text: &str| {
    let _ = decode(text);
    let verification = verify(text, &TrustedKeys::default(), Default::default());
    assert!(!verification.valid);
});
