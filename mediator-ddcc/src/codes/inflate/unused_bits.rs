//! The bits of a deflate stream (RFC 1951) that say nothing: before the length of a stored block,
//! and behind the end of the stream, up to the next byte.
//!
//! Decompression passes over them, so a text with others would be taken for the one that was
//! issued. Here they must be zero, as every encoder writes them.

/// Lengths in bits of the codes of the fixed code (RFC 1951 section 3.2.6), up to each symbol.
const FIXED: [(usize, u8); 4] = [(144, 8), (256, 9), (280, 7), (288, 8)];
/// In which order the lengths of the code of code lengths are written (section 3.2.7).
const ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];
const END_OF_BLOCK: u16 = 256;

/// Whether all unused bits of a stream are zero. The stream is one that was decompressed before;
/// `false`, too, for others.
pub(super) fn are_zero(stream: &[u8]) -> bool {
    let mut bits = Bits {
        stream,
        position: 0,
    };
    walk(&mut bits) == Some(true)
}

fn walk(bits: &mut Bits<'_>) -> Option<bool> {
    loop {
        let is_last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => {
                if !bits.rest_of_byte_is_zero()? {
                    return Some(false);
                }
                let length = bits.take(16)?;
                bits.take(16)?;
                bits.position = bits.position.checked_add(length * 8)?;
            }
            1 => {
                let mut lengths = Vec::with_capacity(288);
                for (end, length) in FIXED {
                    lengths.resize(end, length);
                }
                block(bits, &Code::new(&lengths), &Code::new(&[5; 30]))?;
            }
            2 => {
                let (literals, distances) = dynamic_codes(bits)?;
                block(bits, &literals, &distances)?;
            }
            _ => return None,
        }
        if is_last {
            return bits.rest_of_byte_is_zero();
        }
    }
}

/// Walks over the symbols of a block.
fn block(bits: &mut Bits<'_>, literals: &Code, distances: &Code) -> Option<()> {
    loop {
        match literals.next(bits)? {
            END_OF_BLOCK => return Some(()),
            0..END_OF_BLOCK => {}
            length => {
                // Section 3.2.5: symbols 265 to 284 have one more extra bit every fourth.
                let extra = match length {
                    265..=284 => usize::from((length - 261) / 4),
                    _ => 0,
                };
                bits.take(extra)?;
                // Symbols 4 to 29 have one more every second.
                let distance = usize::from(distances.next(bits)?);
                bits.take((distance / 2).saturating_sub(1))?;
            }
        }
    }
}

/// Reads the codes that a block begins with (section 3.2.7).
fn dynamic_codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let literals = bits.take(5)? + 257;
    let distances = bits.take(5)? + 1;
    let number = bits.take(4)? + 4;
    let mut lengths = [0; 19];
    for symbol in ORDER.iter().take(number) {
        lengths[*symbol] = u8::try_from(bits.take(3)?).ok()?;
    }
    let code = Code::new(&lengths);
    let mut lengths = Vec::with_capacity(literals + distances);
    while lengths.len() < literals + distances {
        let (length, repeated) = match code.next(bits)? {
            length @ 0..16 => (u8::try_from(length).ok()?, 1),
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        lengths.resize(lengths.len() + repeated, length);
    }
    let (literals, rest) = lengths.split_at_checked(literals)?;
    Some((Code::new(literals), Code::new(rest)))
}

/// Bits of the longest code.
const LONGEST: usize = 15;

/// A canonical Huffman code (section 3.2.2).
struct Code {
    lengths: [Length; LONGEST + 1],
    /// The symbols, in the order of their codes.
    symbols: Vec<u16>,
}

/// The codes of one length, which follow one another; written as [`LONGEST`] bits, with zeros
/// behind.
#[derive(Clone, Copy, Default)]
struct Length {
    first: usize,
    /// Behind the last one.
    end: usize,
    /// Place of the first one's symbol.
    symbol: usize,
}

impl Code {
    /// The code in which each symbol has this length; 0 where it has no code.
    fn new(lengths: &[u8]) -> Self {
        let mut counts = [0; LONGEST + 1];
        let used = || (0..).zip(lengths).filter(|(_, length)| **length > 0);
        used().for_each(|(_, length)| counts[usize::from(*length)] += 1);
        // Where the symbols of each length begin.
        let mut places = [0; LONGEST + 1];
        let mut ranges = [Length::default(); LONGEST + 1];
        let (mut total, mut end) = (0, 0);
        for (length, ((place, range), count)) in
            places.iter_mut().zip(&mut ranges).zip(counts).enumerate()
        {
            *place = total;
            *range = Length {
                first: end,
                end: end + (count << (LONGEST - length)),
                symbol: total,
            };
            end = range.end;
            total += count;
        }
        let mut symbols = vec![0; total];
        for (symbol, length) in used() {
            let place = &mut places[usize::from(*length)];
            symbols[*place] = symbol;
            *place += 1;
        }
        Self {
            lengths: ranges,
            symbols,
        }
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<u16> {
        // The first bit of a code is its highest.
        let code = usize::from((bits.peek() as u16).reverse_bits() >> 1);
        let mut lengths = self.lengths.iter().enumerate().skip(1);
        let (length, range) = lengths.find(|(_, range)| code < range.end)?;
        bits.skip(length)?;
        let place = code.checked_sub(range.first)? >> (LONGEST - length);
        self.symbols.get(range.symbol + place).copied()
    }
}

/// Bits from the lowest of each byte on.
struct Bits<'a> {
    stream: &'a [u8],
    position: usize,
}

impl Bits<'_> {
    /// The next 25 bits at least, as if zeros followed the stream.
    fn peek(&self) -> u32 {
        let rest = self.stream.get(self.position / 8..).unwrap_or_default();
        let bytes = match rest.first_chunk() {
            Some(bytes) => *bytes,
            None => {
                let mut bytes = [0; 4];
                bytes
                    .iter_mut()
                    .zip(rest)
                    .for_each(|(to, from)| *to = *from);
                bytes
            }
        };
        u32::from_le_bytes(bytes) >> (self.position % 8)
    }

    fn skip(&mut self, number: usize) -> Option<()> {
        self.position += number;
        (self.position <= self.stream.len() * 8).then_some(())
    }

    /// The next bits, 16 at most.
    fn take(&mut self, number: usize) -> Option<usize> {
        let value = self.peek() & ((1 << number) - 1);
        self.skip(number)?;
        usize::try_from(value).ok()
    }

    fn rest_of_byte_is_zero(&mut self) -> Option<bool> {
        let rest = self.position.next_multiple_of(8) - self.position;
        Some(self.take(rest)? == 0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::DeflateEncoder;
    use proptest::prelude::*;

    use super::super::inflate;
    use super::*;

    fn deflate(bytes: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn bits_behind_the_end_are_seen() {
        // A fixed block of nothing: 1, 01, 0000000, and six unused bits.
        assert!(are_zero(&[0b011, 0]));
        for bit in 2..8 {
            let altered = [0b011, 1 << bit];
            assert!(!are_zero(&altered), "{bit}");
            assert!(inflate(&altered, false).is_err(), "{bit}");
        }
        // A stored block of nothing: 1, 00, and five unused bits; its length.
        assert!(are_zero(&[1, 0, 0, 0xFF, 0xFF]));
        for bit in 3..8 {
            let altered = [1 | 1 << bit, 0, 0, 0xFF, 0xFF];
            assert!(!are_zero(&altered), "{bit}");
            assert!(inflate(&altered, false).is_err(), "{bit}");
        }
        assert!(!are_zero(&[]) && !are_zero(&[0b111]));
    }

    proptest! {
        #[test]
        fn every_stream_is_walked_to_its_end(
            bytes in prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..3000),
                "[a-e]{0,3000}".prop_map(String::into_bytes),
                "[a-z]{2,9}".prop_map(|text| text.repeat(400).into_bytes()),
            ],
            level in 0_u32..10,
        ) {
            let stream = deflate(&bytes, level);
            let mut bits = Bits { stream: &stream, position: 0 };
            prop_assert_eq!(walk(&mut bits), Some(true));
            prop_assert_eq!(bits.position, stream.len() * 8);
        }

        #[test]
        fn any_bytes_are_walked(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            are_zero(&bytes);
        }
    }
}
