//! A trust list, or certificates.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::verification::TrustedKeys;

fuzz_target!(|bytes: &[u8]| {
    let mut keys = TrustedKeys::default();
    let _ = keys.add_trust_list(bytes);
    let _ = keys.add_certificates(bytes);
});
