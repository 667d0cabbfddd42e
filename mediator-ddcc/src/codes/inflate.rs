//! Decompression in bounded memory.

mod unused_bits;

use flate2::{Decompress, FlushDecompress, Status};

/// Bytes that a code may inflate to. The largest QR code holds 3 KiB of compressed bytes, and
/// certificates are a few hundred bytes of CBOR or JSON.
const MAXIMUM: usize = 64 * 1024;

/// Inflates one zlib stream (RFC 1950) or, without `zlib`, one raw deflate stream (RFC 1951).
/// Nothing may follow it, and bits that say nothing must be zero.
pub(super) fn inflate(compressed: &[u8], zlib: bool) -> Result<Vec<u8>, &'static str> {
    let mut inflater = Decompress::new(zlib);
    let mut inflated = Vec::with_capacity((compressed.len() * 4).clamp(512, MAXIMUM));
    loop {
        let consumed = usize::try_from(inflater.total_in()).unwrap_or(usize::MAX);
        let rest = compressed.get(consumed..).unwrap_or_default();
        match inflater.decompress_vec(rest, &mut inflated, FlushDecompress::Finish) {
            Err(_) => return Err("the compressed data is broken"),
            Ok(Status::StreamEnd) => break,
            Ok(Status::Ok | Status::BufError) => {
                if inflated.len() < inflated.capacity() {
                    return Err("the compressed data ends too early");
                }
                if inflated.len() >= MAXIMUM {
                    return Err("it inflates to more than 64 KiB, which no certificate has");
                }
                inflated.reserve_exact(inflated.len().min(MAXIMUM - inflated.len()));
            }
        }
    }
    if inflated.len() > MAXIMUM {
        return Err("it inflates to more than 64 KiB, which no certificate has");
    }
    if inflater.total_in() != compressed.len() as u64 {
        return Err("there are bytes after the end of the compressed data");
    }
    // zlib has two bytes before the stream and four behind it.
    let stream = if zlib {
        compressed
            .get(2..compressed.len().saturating_sub(4))
            .unwrap_or_default()
    } else {
        compressed
    };
    if unused_bits::are_zero(stream) {
        Ok(inflated)
    } else {
        Err("there are bits in the compressed data that no encoder writes")
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, ZlibEncoder};
    use proptest::prelude::*;

    use super::*;

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn raw(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn nothing_inflates_to_more_than_the_limit() {
        let full = vec![b'a'; MAXIMUM];
        assert_eq!(inflate(&zlib(&full), true), Ok(full));
        for size in [MAXIMUM + 1, 16 * 1024 * 1024] {
            let error = inflate(&zlib(&vec![0; size]), true).unwrap_err();
            assert!(error.contains("64 KiB"), "{error}");
            assert!(inflate(&raw(&vec![0; size]), false).is_err());
        }
    }

    #[test]
    fn a_stream_is_neither_cut_nor_followed_by_anything() {
        for (whole, is_zlib) in [(zlib(b"certificate"), true), (raw(b"certificate"), false)] {
            for length in 0..whole.len() {
                assert!(inflate(&whole[..length], is_zlib).is_err(), "{length}");
            }
            for tail in [&b"\0"[..], b"tail", &whole] {
                let longer = [whole.as_slice(), tail].concat();
                let error = inflate(&longer, is_zlib).unwrap_err();
                assert!(error.contains("after the end"), "{error}");
            }
        }
    }

    #[test]
    fn the_checksum_counts() {
        let mut broken = zlib(b"certificate");
        *broken.last_mut().unwrap() ^= 1;
        assert!(inflate(&broken, true).is_err());
    }

    proptest! {
        #[test]
        fn what_is_deflated_comes_back(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            prop_assert_eq!(inflate(&zlib(&bytes), true), Ok(bytes.clone()));
            prop_assert_eq!(inflate(&raw(&bytes), false), Ok(bytes));
        }
    }
}
