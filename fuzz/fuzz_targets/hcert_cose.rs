//! The signed structure of an HCERT and what is in it, without the layers around it, which a
//! fuzzer does not get through.
#![no_main]

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use libfuzzer_sys::fuzz_target;
use mediator_ddcc::verification::{TrustedKeys, verify};

fuzz_target!(|cbor: &[u8]| {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(cbor).unwrap();
    let text = format!("HC1:{}", base45::encode(zlib.finish().unwrap()));
    let verification = verify(&text, &TrustedKeys::default(), Default::default());
    assert!(!verification.valid);
});
