//! A PDF document: whatever it is, there is an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::verification::image::read_codes;

fuzz_target!(|bytes: &[u8]| {
    if bytes.starts_with(b"%PDF-") {
        let _ = read_codes(bytes);
    }
});
