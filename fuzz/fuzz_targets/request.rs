//! A submission in any of its forms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use mediator_ddcc::request::read_submissions;

fuzz_target!(|bytes: &[u8]| {
    for submission in read_submissions(bytes) {
        let _ = submission.is_ok();
    }
});
