//! The claims of a SMART Health Card, without the layers around them.
#![no_main]

use std::io::Write as _;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use flate2::{Compression, write::DeflateEncoder};
use libfuzzer_sys::fuzz_target;
use mediator_ddcc::verification::{TrustedKeys, verify};

fuzz_target!(|claims: &[u8]| {
    let mut deflated = DeflateEncoder::new(Vec::new(), Compression::fast());
    deflated.write_all(claims).unwrap();
    let deflated = deflated.finish().unwrap();
    let jws = [
        br#"{"zip":"DEF","alg":"ES256","kid":"k"}"#.as_slice(),
        &deflated,
        &[7; 64],
    ]
    .map(|part| BASE64_URL_SAFE_NO_PAD.encode(part))
    .join(".");
    let digits: String = jws
        .bytes()
        .map(|byte| format!("{:02}", byte - 45))
        .collect();
    let text = format!("shc:/{digits}");
    let verification = verify(&text, &TrustedKeys::default(), Default::default());
    assert!(!verification.valid);
});
