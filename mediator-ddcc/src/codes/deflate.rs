//! Compression.

use std::sync::{Mutex, PoisonError};

use flate2::{Compress, Compression, FlushCompress, Status};

/// What is around the compressed data.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wrapping {
    /// zlib (RFC 1950).
    Zlib,
    /// Nothing (RFC 1951).
    None,
}

/// Compressors that nobody uses now. One needs a quarter of a megabyte, and to get that from the
/// system took longer than to compress a certificate.
static ZLIB: Mutex<Vec<Compress>> = Mutex::new(Vec::new());
static RAW: Mutex<Vec<Compress>> = Mutex::new(Vec::new());

/// Deflates as well as can be; `None` when the compressor fails, which it does for no input.
pub(super) fn deflate(bytes: &[u8], wrapping: Wrapping) -> Option<Vec<u8>> {
    let (idle, zlib) = match wrapping {
        Wrapping::Zlib => (&ZLIB, true),
        Wrapping::None => (&RAW, false),
    };
    let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
    let found = lock().pop();
    let mut compressor = found.unwrap_or_else(|| Compress::new(Compression::best(), zlib));
    // What cannot be compressed is stored, with five bytes for each 16 KiB or less.
    let mut deflated = Vec::with_capacity(64 + bytes.len() + bytes.len() / 1024);
    let status = compressor.compress_vec(bytes, &mut deflated, FlushCompress::Finish);
    compressor.reset();
    lock().push(compressor);
    matches!(status, Ok(Status::StreamEnd)).then_some(deflated)
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::{DeflateDecoder, ZlibDecoder};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// One compressor after the other texts of all kinds.
        #[test]
        fn what_is_deflated_comes_back(
            texts in prop::collection::vec(prop_oneof![
                prop::collection::vec(any::<u8>(), 0..20_000),
                prop::collection::vec(0_u8..3, 0..20_000),
            ], 1..5)
        ) {
            for text in texts {
                let mut inflated = [Vec::new(), Vec::new()];
                let deflated = deflate(&text, Wrapping::Zlib).unwrap_or_default();
                ZlibDecoder::new(deflated.as_slice()).read_to_end(&mut inflated[0])?;
                let deflated = deflate(&text, Wrapping::None).unwrap_or_default();
                DeflateDecoder::new(deflated.as_slice()).read_to_end(&mut inflated[1])?;
                prop_assert!(inflated.iter().all(|inflated| *inflated == text));
            }
        }
    }
}
