//! Compression of a code's image (zlib and deflate, RFC 1950 and 1951).
//!
//! Each byte of a line is one of four, and a line comes as often as a module is high. So one table
//! of Huffman codes serves every image, and there is nothing to search for: a quarter of the bytes
//! that a fast general compressor makes, in less time than it takes. Four bytes are written at once.

use std::sync::LazyLock;

use simd_adler32::Adler32;

use super::modules::Row;

/// A byte is two modules four pixels wide, the left one higher; dark is 0. The two as bits, the
/// left one lower, tell which.
const PIXELS: [u8; 4] = [0xFF, 0x0F, 0xF0, 0x00];
/// Filter type of a line that is as it is (PNG section 9.2).
const NO_FILTER: u8 = 0;
/// Symbols of the literals, which are bytes, and of the lengths of repetitions.
const LITERALS_AND_LENGTHS: usize = 286;
const END_OF_BLOCK: usize = 256;
/// Symbols of lengths from [`FIRST_LENGTH`] on: the shortest, and how many bits tell the others.
const LENGTHS: [(usize, u32); 12] = [
    (43, 3),
    (51, 3),
    (59, 3),
    (67, 4),
    (83, 4),
    (99, 4),
    (115, 4),
    (131, 5),
    (163, 5),
    (195, 5),
    (227, 5),
    (LONGEST, 0),
];
const FIRST_LENGTH: usize = 274;
const LONGEST: usize = 258;
/// Symbols of distances from [`FIRST_DISTANCE`] on, likewise.
const DISTANCES: [(usize, u32); 6] = [(13, 2), (17, 3), (25, 3), (33, 4), (49, 4), (65, 5)];
const FIRST_DISTANCE: usize = 7;
/// Symbols of which a table is written: lengths of codes, and runs of zeros.
const TABLE_SYMBOLS: usize = 19;
const SHORT_RUN: usize = 17;
const LONG_RUN: usize = 18;
/// In which order the lengths of the codes of these are told.
const TABLE_ORDER: [usize; 16] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2];

static CODES: LazyLock<Codes> = LazyLock::new(Codes::new);

/// The lines of an image, compressed as they come.
pub(super) struct ImageData {
    bits: Bits,
    checksum: Adler32,
    /// Bytes of a line, without the filter type in front of it.
    stride: usize,
    previous: Option<Row>,
    line: Vec<u8>,
}

impl ImageData {
    /// `stride` is 15 to 95.
    pub(super) fn new(stride: usize) -> Self {
        let mut bits = Bits::default();
        bits.push(0x0178, 16);
        CODES.write_table(&mut bits);
        Self {
            bits,
            checksum: Adler32::new(),
            stride,
            previous: None,
            line: Vec::with_capacity(1 + stride),
        }
    }

    /// Adds the line of a row several times.
    pub(super) fn add(&mut self, row: &Row, times: usize) {
        let mut repetitions = times;
        if self.previous.as_ref() != Some(row) {
            self.write(row);
            self.previous = Some(*row);
            repetitions -= 1;
        }
        let length = self.line.len();
        self.repeat(length, repetitions * length);
        for _ in 0..times {
            self.checksum.write(&self.line);
        }
    }

    fn write(&mut self, row: &Row) {
        let Codes {
            literals_and_lengths: literals,
            fours,
            ..
        } = &*CODES;
        self.line.clear();
        self.line.push(NO_FILTER);
        self.bits.put(literals[usize::from(NO_FILTER)]);
        let bytes = row.bytes();
        let (whole, rest) = bytes.split_at(self.stride / 4);
        for eight in whole {
            let (code, pixels) = fours[usize::from(*eight)];
            self.bits.put(code);
            self.line.extend_from_slice(&pixels);
        }
        let pixels = rest.first().copied().map_or([PIXELS[0]; 4], pixels);
        for byte in pixels.into_iter().take(self.stride % 4) {
            self.bits.put(literals[usize::from(byte)]);
            self.line.push(byte);
        }
    }

    /// Repeats what is `distance` bytes before.
    fn repeat(&mut self, distance: usize, length: usize) {
        let pieces = length.div_ceil(LONGEST);
        for piece in 0..pieces {
            let length = (length + piece) / pieces;
            self.put(&CODES.literals_and_lengths, FIRST_LENGTH, &LENGTHS, length);
            self.put(&CODES.distances, FIRST_DISTANCE, &DISTANCES, distance);
        }
    }

    fn put(&mut self, codes: &[Code], first: usize, symbols: &[(usize, u32)], value: usize) {
        let symbol = symbols.partition_point(|(shortest, _)| *shortest <= value) - 1;
        let (shortest, more) = symbols[symbol];
        self.bits.put(codes[first + symbol]);
        self.bits.push((value - shortest) as u64, more);
    }

    /// The zlib stream.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bits.put(CODES.literals_and_lengths[END_OF_BLOCK]);
        let mut bytes = self.bits.into_bytes();
        bytes.extend_from_slice(&self.checksum.finish().to_be_bytes());
        bytes
    }
}

/// The Huffman codes of every image.
struct Codes {
    literals_and_lengths: [Code; LITERALS_AND_LENGTHS],
    /// Of the four bytes that show eight modules, and these.
    fours: [(Code, [u8; 4]); 256],
    distances: [Code; FIRST_DISTANCE + DISTANCES.len()],
    table: [Code; TABLE_SYMBOLS],
}

impl Codes {
    fn new() -> Self {
        let mut literals_and_lengths = [0; LITERALS_AND_LENGTHS];
        for (byte, length) in [(0x00, 2), (0x0F, 2), (0xF0, 3), (0xFF, 2)] {
            literals_and_lengths[byte] = length;
        }
        // With three that are not used the code is complete, as decoders ask for.
        literals_and_lengths[END_OF_BLOCK..END_OF_BLOCK + 4].fill(7);
        literals_and_lengths[FIRST_LENGTH..].fill(7);
        let mut distances = [0; FIRST_DISTANCE + DISTANCES.len()];
        distances[FIRST_DISTANCE..].copy_from_slice(&[3, 3, 3, 3, 2, 2]);
        let mut table = [0; TABLE_SYMBOLS];
        for (symbol, length) in [(2, 3), (3, 3), (7, 1), (SHORT_RUN, 3), (LONG_RUN, 3)] {
            table[symbol] = length;
        }
        let literals_and_lengths = canonical(literals_and_lengths);
        let mut fours = [(Code::default(), [0; 4]); 256];
        for (eight, (code, bytes)) in (0..=u8::MAX).zip(&mut fours) {
            *bytes = pixels(eight);
            for byte in bytes {
                *code = code.then(literals_and_lengths[usize::from(*byte)]);
            }
        }
        Self {
            literals_and_lengths,
            fours,
            distances: canonical(distances),
            table: canonical(table),
        }
    }

    /// Begins the one block (RFC 1951 3.2.7).
    fn write_table(&self, bits: &mut Bits) {
        const LAST_WITH_TABLE: u64 = 0b101;
        bits.push(LAST_WITH_TABLE, 3);
        bits.push(self.literals_and_lengths.len() as u64 - 257, 5);
        bits.push(self.distances.len() as u64 - 1, 5);
        bits.push(TABLE_ORDER.len() as u64 - 4, 4);
        for symbol in TABLE_ORDER {
            bits.push(self.table[symbol].length.into(), 3);
        }
        self.write_lengths(&self.literals_and_lengths, bits);
        self.write_lengths(&self.distances, bits);
    }

    fn write_lengths(&self, codes: &[Code], bits: &mut Bits) {
        for run in codes.chunk_by(|one, next| one.length == next.length) {
            let length = run[0].length as usize;
            if length > 0 {
                run.iter().for_each(|_| bits.put(self.table[length]));
                continue;
            }
            for zeros in run.chunks(138) {
                let (symbol, shortest, more) = match zeros.len() {
                    ..11 => (SHORT_RUN, 3, 3),
                    _ => (LONG_RUN, 11, 7),
                };
                bits.put(self.table[symbol]);
                bits.push((zeros.len() - shortest) as u64, more);
            }
        }
    }
}

/// The bytes that show eight modules.
fn pixels(eight: u8) -> [u8; 4] {
    [0, 2, 4, 6].map(|shift| PIXELS[usize::from(eight >> shift & 0b11)])
}

/// A code as it is written, its first bit lowest.
#[derive(Clone, Copy, Default)]
struct Code {
    bits: u32,
    length: u32,
}

impl Code {
    /// This one and another behind it.
    fn then(self, next: Self) -> Self {
        Self {
            bits: self.bits | next.bits << self.length,
            length: self.length + next.length,
        }
    }
}

/// The codes of symbols by their lengths, 0 for those that are not used (RFC 1951 3.2.2).
fn canonical<const N: usize>(lengths: [u32; N]) -> [Code; N] {
    let mut codes = [Code::default(); N];
    let mut next: u32 = 0;
    for length in 1..=7 {
        next <<= 1;
        for (code, _) in codes
            .iter_mut()
            .zip(lengths)
            .filter(|(_, it)| *it == length)
        {
            *code = Code {
                bits: next.reverse_bits() >> (32 - length),
                length,
            };
            next += 1;
        }
    }
    codes
}

/// Bits in bytes, the first one lowest.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    last: u64,
    count: u32,
}

impl Bits {
    fn put(&mut self, code: Code) {
        self.push(code.bits.into(), code.length);
    }

    /// 16 at a time at most.
    fn push(&mut self, bits: u64, count: u32) {
        self.last |= bits << self.count;
        self.count += count;
        if self.count >= 32 {
            self.bytes
                .extend_from_slice(&(self.last as u32).to_le_bytes());
            self.last >>= 32;
            self.count -= 32;
        }
    }

    fn into_bytes(mut self) -> Vec<u8> {
        let rest = self.last.to_le_bytes();
        let used = self.count.div_ceil(8) as usize;
        self.bytes.extend(rest.into_iter().take(used));
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Read as _;

    use flate2::read::ZlibDecoder;
    use proptest::prelude::*;

    use super::super::modules::MARGIN;
    use super::*;

    proptest! {
        /// Lines of every length that codes have.
        #[test]
        fn another_implementation_reads_the_lines(
            length in 15_usize..=93,
            lines in prop::collection::vec((any::<u128>(), any::<u128>()), 1..40),
        ) {
            let mut data = ImageData::new(length);
            let mut expected = Vec::new();
            for (low, high) in lines {
                let mut row = Row::default();
                let is_dark = |bit: usize| match bit {
                    ..128 => low >> bit & 1 == 1,
                    _ => high >> (bit - 128) & 1 == 1,
                };
                for bit in MARGIN..192 {
                    row.set(bit - MARGIN, is_dark(bit));
                }
                data.add(&row, 4);
                let dark = |bit: usize| bit >= MARGIN && is_dark(bit);
                let half = |bit: usize| if dark(bit) { 0x0 } else { 0xF };
                let line = (0..length).map(|n| half(2 * n) << 4 | half(2 * n + 1));
                let line: Vec<u8> = std::iter::once(0).chain(line).collect();
                (0..4).for_each(|_| expected.extend_from_slice(&line));
            }
            let mut found = Vec::new();
            let stream = data.finish();
            let mut decoder = ZlibDecoder::new(stream.as_slice());
            decoder.read_to_end(&mut found).unwrap();
            prop_assert_eq!(found, expected);
            prop_assert_eq!(decoder.total_in() as usize, stream.len());
        }
    }
}
