//! Reading a QR code of which every module is known, as the issuer's check needs it: nothing is
//! searched for and nothing corrected. Whatever is not exactly as ISO/IEC 18004 says is an error:
//! patterns, format and version information, error correction codewords and padding.
//!
//! It shares only the arithmetic of error correction with what draws the codes. The tests hold both
//! against libraries that others wrote.

use std::io::Cursor;
use std::ops::Range;
use std::sync::OnceLock;

use rxing::qrcode::common::{ErrorCorrectionLevel, Version};

use crate::codes::qr_code::reed_solomon::Divisor;
use crate::codes::qr_code::{ErrorCorrection, QUIET_ZONE, ROW_WORDS};

/// Pixels of an image along one side of a module.
const SCALE: usize = 4;

/// Why there is no text.
type Reason = &'static str;

const PATTERNS: Reason = "its patterns are not those of a QR code";

/// The modules of a code.
pub(super) struct Square {
    /// Modules along one side.
    size: usize,
    rows: Vec<Row>,
}

/// Words of a row: bit `x % 64` of word `x / 64` is set when the module in column `x` is dark.
type Row = [u64; ROW_WORDS];

/// The modules that a line of pixels shows, eight pixels in a byte, the left one highest and dark
/// ones 0; `None` when there is something else than modules, or anything left of the columns
/// `inside` or in those of the `quiet` zone right of them.
fn row_of(line: &[u8], inside: &Row, quiet: &Row) -> Option<Row> {
    let mut mixed = 0;
    // Each module by one bit, with the quiet zone.
    let mut modules = [0_u64; ROW_WORDS + 1];
    for (sixteen, eight_bytes) in line.chunks(8).enumerate() {
        let mut bytes = [0xFF; 8];
        bytes
            .get_mut(..eight_bytes.len())?
            .copy_from_slice(eight_bytes);
        let pixels = u64::from_le_bytes(bytes);
        // A module is four pixels, half a byte: all light (1) or all dark.
        mixed |= (pixels ^ pixels >> 1) & 0x7777_7777_7777_7777;
        // The left module of two is in the upper half of its byte. What is far apart is moved
        // together in steps.
        let dark = !pixels & 0x1111_1111_1111_1111;
        let bits = (dark >> 4 | dark << 1) & 0x0303_0303_0303_0303;
        let bits = (bits | bits >> 6) & 0x000F_000F_000F_000F;
        let bits = (bits | bits >> 12) & 0x0000_00FF_0000_00FF;
        let bits = (bits | bits >> 24) & 0xFFFF;
        *modules.get_mut(sixteen / 4)? |= bits << (sixteen % 4 * 16);
    }
    let mut row = Row::default();
    for (word, [low, high]) in row.iter_mut().zip(modules.array_windows()) {
        *word = low >> QUIET_ZONE | high << (64 - QUIET_ZONE);
    }
    let mut outside = modules[0] & ((1 << QUIET_ZONE) - 1);
    for ((word, inside), quiet) in row.iter_mut().zip(inside).zip(quiet) {
        outside |= *word & quiet;
        *word &= inside;
    }
    (mixed == 0 && outside == 0).then_some(row)
}

/// A row with these columns dark.
fn columns(range: Range<usize>) -> Row {
    let mut columns = Row::default();
    for x in range {
        if let Some(word) = columns.get_mut(x / 64) {
            *word |= 1 << (x % 64);
        }
    }
    columns
}

/// What a code says.
pub(super) struct Reading {
    pub(super) error_correction: ErrorCorrection,
    pub(super) text: Vec<u8>,
}

impl Square {
    /// The modules that a 1-bit grey PNG image shows, four pixels each.
    pub(super) fn of_png(png: &[u8]) -> Result<Self, Reason> {
        const UNREADABLE: Reason = "its image cannot be read";
        const NOT_MODULES: Reason = "its image shows something else than modules";
        let mut reader = png::Decoder::new(Cursor::new(png))
            .read_info()
            .map_err(|_| UNREADABLE)?;
        let info = reader.info();
        if (info.color_type, info.bit_depth) != (png::ColorType::Grayscale, png::BitDepth::One)
            || info.interlaced
            || info.width != info.height
            || info.width > 1000
        {
            return Err(NOT_MODULES);
        }
        let side = info.width as usize;
        let size = (side / SCALE)
            .checked_sub(2 * QUIET_ZONE)
            .filter(|size| (size + 2 * QUIET_ZONE) * SCALE == side)
            .ok_or(NOT_MODULES)?;
        let stride = side.div_ceil(8);
        let mut lines = vec![0; SCALE * stride];
        let inside = columns(0..size);
        let quiet = columns(size..size + QUIET_ZONE);
        let mut rows = Vec::with_capacity(size);
        for y in 0..size + 2 * QUIET_ZONE {
            for line in lines.chunks_exact_mut(stride) {
                reader.read_row(line).map_err(|_| UNREADABLE)?;
            }
            let (line, others) = lines.split_at(stride);
            if others.chunks_exact(stride).any(|other| other != line) {
                return Err(NOT_MODULES);
            }
            let row = row_of(line, &inside, &quiet).ok_or(NOT_MODULES)?;
            if (QUIET_ZONE..QUIET_ZONE + size).contains(&y) {
                rows.push(row);
            } else if row != Row::default() {
                return Err(NOT_MODULES);
            }
        }
        // What follows the pixels, too: checksum of the chunk and end of the file.
        reader.finish().map_err(|_| UNREADABLE)?;
        Ok(Self { size, rows })
    }

    /// Whether these are the modules of a code with these rows, 64 modules in a word, the left one
    /// lowest.
    pub(super) fn is(&self, size: usize, rows: impl Iterator<Item = Row>) -> bool {
        size == self.size && rows.eq(self.rows.iter().copied())
    }

    /// Reads the code.
    pub(super) fn read(&self) -> Result<Reading, Reason> {
        let layout = Layout::of_size(self.size).ok_or(PATTERNS)?;
        let words: Vec<u64> = self.rows.iter().flatten().copied().collect();
        let is_as_fixed = |(word, (mask, dark)): (&u64, &(u64, u64))| word & mask == *dark;
        if words.len() != layout.fixed.len() || !words.iter().zip(&layout.fixed).all(is_as_fixed) {
            return Err(PATTERNS);
        }
        let module = |place: &Place| place.read(&words) as u32;
        let [first, second] = layout.format.each_ref().map(|copy| {
            copy.iter()
                .rev()
                .fold(0, |bits, place| bits << 1 | module(place))
        });
        let data = (first ^ FORMAT_MASK) >> 10;
        if first != second || format_information(data) != first {
            return Err("its format information is broken");
        }
        // The two bits as they stand in the code (ISO/IEC 18004 table 12).
        let (error_correction, level) = match data >> 3 {
            0 => (ErrorCorrection::Medium, ErrorCorrectionLevel::M),
            1 => (ErrorCorrection::Low, ErrorCorrectionLevel::L),
            3 => (ErrorCorrection::Quartile, ErrorCorrectionLevel::Q),
            _ => return Err("its error correction is not one of ours"),
        };
        let mask = layout.masks.get((data & 7) as usize).ok_or(PATTERNS)?;
        let unmasked: Vec<u64> = words
            .iter()
            .zip(mask)
            .map(|(word, mask)| word ^ mask)
            .collect();
        let codewords = layout.codewords(&unmasked);
        let data = data_codewords(layout.version, level, &codewords)?;
        let text = text(layout.version, &data)?;
        Ok(Reading {
            error_correction,
            text,
        })
    }
}

const FORMAT_MASK: u32 = 0b101_0100_0001_0010;

/// Data and BCH (15,5) code of the format information (annex C).
fn format_information(data: u32) -> u32 {
    (data << 10 | remainder(data << 10, 0b101_0011_0111, 10)) ^ FORMAT_MASK
}

/// Data and BCH (18,6) code of the version information (annex D).
fn version_information(version: u32) -> u32 {
    version << 12 | remainder(version << 12, 0b1_1111_0010_0101, 12)
}

/// Remainder of polynomials over GF(2); the generator's degree is given.
fn remainder(mut value: u32, generator: u32, degree: u32) -> u32 {
    while let Some(shift) = value
        .checked_ilog2()
        .and_then(|top| top.checked_sub(degree))
    {
        value ^= generator << shift;
    }
    value
}

/// Where everything is in the codes of a version.
struct Layout {
    version: u8,
    /// For each word of the rows the modules that are the same in every code, patterns and version
    /// information, and which of them are dark.
    fixed: Vec<(u64, u64)>,
    /// Both copies of the format information, the lowest bit first.
    format: [[Place; 15]; 2],
    /// The other modules, in the order in which codewords are placed.
    order: Vec<Place>,
    /// For each mask the modules that it inverts.
    masks: [Vec<u64>; 8],
}

/// Where a module is, or two of a row side by side: bits of one word of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Place {
    word: u16,
    shift: u8,
    /// Also the one to the right, which is placed before.
    are_two: bool,
}

impl Place {
    /// Of one module.
    fn of(x: usize, y: usize) -> Option<Self> {
        Some(Self {
            word: u16::try_from(y * ROW_WORDS + x / 64).ok()?,
            shift: u8::try_from(x % 64).ok()?,
            are_two: false,
        })
    }

    fn modules(self) -> u32 {
        1 + u32::from(self.are_two)
    }

    fn read(self, words: &[u64]) -> u64 {
        let word = words.get(usize::from(self.word)).copied().unwrap_or(0);
        word >> self.shift & ((1 << self.modules()) - 1)
    }
}

impl Layout {
    fn of_size(size: usize) -> Option<&'static Self> {
        static LAYOUTS: [OnceLock<Option<Layout>>; 40] = [const { OnceLock::new() }; 40];
        let version = size.checked_sub(17).filter(|size| size.is_multiple_of(4))? / 4;
        let slot = LAYOUTS.get(version.checked_sub(1)?)?;
        slot.get_or_init(|| Self::new(u8::try_from(version).ok()?))
            .as_ref()
    }

    fn new(version: u8) -> Option<Self> {
        let size = 17 + 4 * usize::from(version);
        let mut fixed: Vec<Option<u8>> = vec![None; size * size];
        let mut set = |x: usize, y: usize, dark: bool| {
            if let Some(module) = fixed.get_mut(y * size + x) {
                *module = Some(u8::from(dark));
            }
        };
        for n in 0..size {
            set(n, 6, n % 2 == 0);
            set(6, n, n % 2 == 0);
        }
        let centres = Version::getVersionForNumber(u32::from(version)).ok()?;
        let centres: Vec<usize> = centres
            .getAlignmentPatternCenters()
            .iter()
            .map(|centre| *centre as usize)
            .collect();
        for &x in &centres {
            for &y in &centres {
                let is_finder = |a: usize, b: usize| a < 8 && (b < 8 || b > size - 9);
                if is_finder(x, y) || is_finder(y, x) {
                    continue;
                }
                for (dx, dy) in square(5) {
                    let ring = dx.abs_diff(2).max(dy.abs_diff(2));
                    set(x + dx - 2, y + dy - 2, ring != 1);
                }
            }
        }
        // With the light modules around them, where they are inside the code.
        for (left, top) in [(0, 0), (size - 7, 0), (0, size - 7)] {
            for (dx, dy) in square(9) {
                let ring = dx.abs_diff(4).max(dy.abs_diff(4));
                if let (Some(x), Some(y)) = ((left + dx).checked_sub(1), (top + dy).checked_sub(1))
                    && x < size
                    && y < size
                {
                    set(x, y, !matches!(ring, 2 | 4));
                }
            }
        }
        set(8, size - 8, true);
        if version >= 7 {
            let bits = version_information(u32::from(version));
            for n in 0..18 {
                let (long, short) = (size - 11 + n % 3, n / 3);
                set(long, short, bits >> n & 1 == 1);
                set(short, long, bits >> n & 1 == 1);
            }
        }
        let mut format = [[Place::default(); 15]; 2];
        let [firsts, seconds] = &mut format;
        for (n, (first, second)) in firsts.iter_mut().zip(seconds).enumerate() {
            *first = match n {
                0..6 => Place::of(8, n),
                6 | 7 => Place::of(8, n + 1),
                8 => Place::of(7, 8),
                _ => Place::of(14 - n, 8),
            }?;
            *second = if n < 8 {
                Place::of(size - 1 - n, 8)
            } else {
                Place::of(8, size - 15 + n)
            }?;
        }
        let is_data = |x: usize, y: usize| {
            let place = Place::of(x, y)?;
            let is_free = fixed.get(y * size + x) == Some(&None);
            (is_free && !format.iter().any(|copy| copy.contains(&place))).then_some(place)
        };
        // Pairs of columns from the right, up and down in turn; the vertical timing pattern is
        // left out (section 7.7.3).
        let mut order = Vec::with_capacity(size * size);
        let rights = (7..size).rev().step_by(2).chain((1..6).rev().step_by(2));
        for (pair, right) in rights.enumerate() {
            for step in 0..size {
                let y = if pair % 2 == 0 { size - 1 - step } else { step };
                match (is_data(right, y), is_data(right - 1, y)) {
                    (Some(right), Some(left)) if right.word == left.word => order.push(Place {
                        are_two: true,
                        ..left
                    }),
                    (right, left) => order.extend(right.into_iter().chain(left)),
                }
            }
        }
        let words = |is_set: &dyn Fn(usize, usize) -> bool| {
            let mut words = vec![0; ROW_WORDS * size];
            for (x, y) in square(size) {
                if let Some(word) = words.get_mut(y * ROW_WORDS + x / 64) {
                    *word |= u64::from(is_set(x, y)) << (x % 64);
                }
            }
            words
        };
        let fixed = |x: usize, y: usize| fixed.get(y * size + x).copied().flatten();
        let masks = words(&|x, y| fixed(x, y).is_some());
        let dark = words(&|x, y| fixed(x, y) == Some(1));
        Some(Self {
            version,
            fixed: masks.into_iter().zip(dark).collect(),
            format,
            order,
            masks: std::array::from_fn(|mask| words(&|x, y| mask_bits(x, y) >> mask & 1 == 1)),
        })
    }

    /// Whole codewords of a code without its mask.
    fn codewords(&self, words: &[u64]) -> Vec<u8> {
        let mut codewords = Vec::with_capacity(self.order.len() / 4);
        let (mut bits, mut count) = (0, 0);
        for place in &self.order {
            bits = bits << place.modules() | place.read(words);
            count += place.modules();
            if count >= 8 {
                count -= 8;
                // The eight that came first.
                codewords.push((bits >> count) as u8);
            }
        }
        codewords
    }
}

fn square(side: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..side * side).map(move |n| (n % side, n / side))
}

/// The masks that invert a module (table 10); there, `i` is the row and `j` the column.
fn mask_bits(j: usize, i: usize) -> u8 {
    let product = i * j;
    [
        (i + j) % 2,
        i % 2,
        j % 3,
        (i + j) % 3,
        (i / 2 + j / 3) % 2,
        product % 2 + product % 3,
        (product % 2 + product % 3) % 2,
        (product % 3 + (i + j) % 2) % 2,
    ]
    .into_iter()
    .rev()
    .fold(0, |bits, condition| bits << 1 | u8::from(condition == 0))
}

/// Takes the blocks apart (section 7.6) and checks the error correction codewords of each.
fn data_codewords(
    version: u8,
    level: ErrorCorrectionLevel,
    codewords: &[u8],
) -> Result<Vec<u8>, Reason> {
    const BROKEN: Reason = "its error correction is broken";
    let version = Version::getVersionForNumber(u32::from(version)).map_err(|_| PATTERNS)?;
    let blocks = version.getECBlocksForLevel(level);
    let correction = blocks.getECCodewordsPerBlock() as usize;
    let mut lengths = Vec::new();
    for group in blocks.getECBlocks() {
        lengths.extend((0..group.getCount()).map(|_| group.getDataCodewords() as usize));
    }
    let total: usize = lengths.iter().map(|length| length + correction).sum();
    if total != codewords.len() {
        return Err(PATTERNS);
    }
    let divisor = Divisor::of_degree(correction).ok_or(PATTERNS)?;
    let shortest = lengths.first().copied().unwrap_or(0);
    let (data, corrections) = codewords.split_at(total - lengths.len() * correction);
    let longer = lengths.len() - lengths.iter().filter(|length| **length > shortest).count();
    let mut all = Vec::with_capacity(data.len());
    for (block, length) in lengths.iter().enumerate() {
        let start = all.len();
        let common = data.iter().skip(block).step_by(lengths.len());
        all.extend(common.take(shortest));
        if *length > shortest {
            all.extend(data.get(shortest * lengths.len() + block - longer));
        }
        let expected = divisor.codewords(all.get(start..).unwrap_or_default());
        let found = corrections.iter().skip(block).step_by(lengths.len());
        if !found.copied().eq(expected.take(correction)) {
            return Err(BROKEN);
        }
    }
    Ok(all)
}

/// Bits of the data codewords, the highest first.
struct Bits<'a> {
    bytes: &'a [u8],
    place: usize,
}

impl Bits<'_> {
    /// The next bits, 16 at most.
    fn take(&mut self, count: usize) -> Result<usize, Reason> {
        let (first, offset) = (self.place / 8, self.place % 8);
        if self.place + count > self.bytes.len() * 8 {
            return Err("its data ends too early");
        }
        self.place += count;
        let window = (first..first + 3).fold(0_usize, |window, index| {
            window << 8 | usize::from(self.bytes.get(index).copied().unwrap_or(0))
        });
        Ok(window >> (24 - offset - count) & ((1 << count) - 1))
    }

    fn left(&self) -> usize {
        self.bytes.len() * 8 - self.place
    }
}

/// Reads the segments (section 7.4) up to the padding, which must be as it should.
fn text(version: u8, data: &[u8]) -> Result<Vec<u8>, Reason> {
    const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
    const OUTSIDE: Reason = "it has a character outside its alphabet";
    let size_class = match version {
        ..10 => 0,
        10..27 => 1,
        _ => 2,
    };
    let mut bits = Bits {
        bytes: data,
        place: 0,
    };
    let mut text = Vec::with_capacity(data.len() * 5 / 2);
    let digits = |bits: &mut Bits<'_>, count: usize, width: usize| {
        let number = bits.take(width)?;
        if number >= 10_usize.pow(count as u32) {
            return Err(OUTSIDE);
        }
        Ok((0..count).rev().map(move |place| {
            // A digit.
            b'0' + (number / 10_usize.pow(place as u32) % 10) as u8
        }))
    };
    while bits.left() >= 4 {
        match bits.take(4)? {
            0 => break,
            1 => {
                let count = bits.take([10, 12, 14][size_class])?;
                for _ in 0..count / 3 {
                    // Three digits.
                    let number = bits.take(10)? as u16;
                    if number > 999 {
                        return Err(OUTSIDE);
                    }
                    let three = [number / 100, number / 10 % 10, number % 10];
                    text.extend(three.map(|digit| b'0' + digit as u8));
                }
                match count % 3 {
                    1 => text.extend(digits(&mut bits, 1, 4)?),
                    2 => text.extend(digits(&mut bits, 2, 7)?),
                    _ => {}
                }
            }
            2 => {
                let count = bits.take([9, 11, 13][size_class])?;
                for _ in 0..count / 2 {
                    let pair = bits.take(11)?;
                    text.push(*ALPHANUMERIC.get(pair / 45).ok_or(OUTSIDE)?);
                    text.push(ALPHANUMERIC[pair % 45]);
                }
                if count % 2 == 1 {
                    text.push(*ALPHANUMERIC.get(bits.take(6)?).ok_or(OUTSIDE)?);
                }
            }
            4 => {
                let count = bits.take([8, 16, 16][size_class])?;
                for _ in 0..count {
                    // Eight bits.
                    text.push(bits.take(8)? as u8);
                }
            }
            _ => return Err("it has a segment of another kind"),
        }
    }
    let rest = bits.left() % 8;
    let is_padded = bits.take(rest)? == 0
        && [0xEC, 0x11]
            .iter()
            .cycle()
            .take(bits.left() / 8)
            .eq(data.iter().skip(bits.place / 8));
    if is_padded {
        Ok(text)
    } else {
        Err("its padding is broken")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

    use super::*;

    fn square(code: &QrCode) -> Square {
        let size = code.size() as usize;
        let mut rows = vec![Row::default(); size];
        for (x, y) in super::square(size) {
            rows[y][x / 64] |= u64::from(code.get_module(x as i32, y as i32)) << (x % 64);
        }
        Square { size, rows }
    }

    fn encode(segments: &[QrSegment], version: u8, level: QrCodeEcc, mask: u8) -> QrCode {
        let smallest = Version::new(version);
        let mask = Some(Mask::new(mask));
        QrCode::encode_segments_advanced(segments, level, smallest, Version::MAX, mask, false)
            .unwrap()
    }

    #[test]
    fn every_version_level_and_mask_is_read() {
        let segments = [
            QrSegment::make_bytes(b"shc:/\xC3\xA9"),
            QrSegment::make_numeric("0123456789012"),
            QrSegment::make_numeric("01234567890"),
            QrSegment::make_alphanumeric("HC1:A"),
        ];
        for version in 4..=40 {
            for (level, expected) in [
                (QrCodeEcc::Low, ErrorCorrection::Low),
                (QrCodeEcc::Medium, ErrorCorrection::Medium),
                (QrCodeEcc::Quartile, ErrorCorrection::Quartile),
            ] {
                let code = encode(&segments, version, level, version % 8);
                let reading = square(&code).read().unwrap();
                assert_eq!(reading.error_correction, expected);
                assert_eq!(reading.text, b"shc:/\xC3\xA9012345678901201234567890HC1:A");
            }
        }
    }

    #[test]
    fn a_single_module_changed_anywhere_is_noticed() {
        let segments = [QrSegment::make_alphanumeric(&"HC1:6BF".repeat(30))];
        for version in [1, 7, 12] {
            let code = encode(&segments, version, QrCodeEcc::Quartile, 3);
            let square = square(&code);
            assert!(square.read().is_ok());
            let places = Layout::of_size(square.size).unwrap().order.iter();
            let capacity: u32 = places.map(|place| place.modules()).sum();
            let mut unnoticed = 0;
            for (x, y) in super::square(square.size) {
                let mut rows = square.rows.clone();
                rows[y][x / 64] ^= 1 << (x % 64);
                let changed = Square {
                    size: square.size,
                    rows,
                };
                unnoticed += u32::from(changed.read().is_ok());
            }
            // They belong to no codeword.
            assert_eq!(unnoticed, capacity % 8);
        }
    }

    #[test]
    fn images_show_modules_and_nothing_else() {
        let image = |side: u32, pixel: &dyn Fn(u32, u32) -> bool| {
            let stride = side.div_ceil(8);
            let mut data = vec![0_u8; (stride * side) as usize];
            for (x, y) in (0..side * side).map(|n| (n % side, n / side)) {
                data[(y * stride + x / 8) as usize] |= u8::from(pixel(x, y)) << (7 - x % 8);
            }
            let mut png = Vec::new();
            let mut encoder = png::Encoder::new(&mut png, side, side);
            encoder.set_color(png::ColorType::Grayscale);
            encoder.set_depth(png::BitDepth::One);
            encoder
                .write_header()
                .unwrap()
                .write_image_data(&data)
                .unwrap();
            png
        };
        let side = (21 + 8) * 4;
        let dark = |x: u32, y: u32| (16..20).contains(&x) && (20..24).contains(&y);
        let read = Square::of_png(&image(side, &|x, y| !dark(x, y))).unwrap();
        let rows = |dark_row: usize, row: Row| {
            (0..21).map(move |y| if y == dark_row { row } else { Row::default() })
        };
        assert!(read.is(21, rows(1, [1, 0, 0])));
        assert!(!read.is(21, rows(0, [1, 0, 0])));
        assert!(!read.is(21, rows(1, [3, 0, 0])));
        assert!(!read.is(21, rows(1, [1, 1, 1])));
        assert!(!read.is(22, rows(1, [1, 0, 0])));
        let edge = |x: u32, y: u32| (96..100).contains(&x) && (20..24).contains(&y);
        let read = Square::of_png(&image(side, &|x, y| !edge(x, y))).unwrap();
        assert!(read.is(21, rows(1, [1 << 20, 0, 0])));
        let whole = image(side, &|x, y| !dark(x, y));
        let mut damaged = whole.clone();
        // The chunk that ends the file has twelve bytes; before it is a checksum.
        let checksum = damaged.len() - 13;
        damaged[checksum] ^= 1;
        for wrong in [
            whole[..whole.len() - 12].to_vec(),
            damaged,
            image(side, &|x, y| !dark(x, y) && (x, y) != (40, 40)),
            image(side, &|x, y| !dark(x, y) && x > 3),
            image(side + 1, &|x, y| !dark(x, y)),
            image(4, &|_, _| true),
            b"\x89PNG\r\n\x1a\n".to_vec(),
        ] {
            assert!(Square::of_png(&wrong).is_err());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_another_library_writes_is_read(
            text in "[0-9A-Z $%*+./:-]{0,600}",
            digits in "[0-9]{0,300}",
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            mask in 0..8_u8,
        ) {
            let segments = [
                QrSegment::make_alphanumeric(&text),
                QrSegment::make_numeric(&digits),
                QrSegment::make_bytes(&bytes),
            ];
            let code = encode(&segments, 1, QrCodeEcc::Medium, mask);
            let expected = [text.as_bytes(), digits.as_bytes(), &bytes].concat();
            prop_assert_eq!(square(&code).read().map(|reading| reading.text), Ok(expected));
        }
    }
}
