//! Encoding segments (ISO/IEC 18004 sections 7.4 to 7.7). `qrcodegen` draws the patterns of each
//! version, once; codewords are computed and placed here, which takes a tenth of its time. The
//! tests hold every version and level against it.

use std::sync::OnceLock;

use qrcodegen::{QrCodeEcc, Version};
use rxing::qrcode::common::{ErrorCorrectionLevel, Version as VersionTable};

use super::modules::{Modules, Place};
use super::reed_solomon::Divisor;
use super::segment::{BitString, Segment};
use super::{ErrorCorrection, mask};

/// What is the same in all codes of a version.
pub(super) struct Template {
    pub(super) version: u8,
    /// The patterns and the version information.
    patterns: Modules,
    /// The other modules, in the order in which bits are placed.
    order: Vec<Place>,
    /// For each mask the modules that it inverts.
    pub(super) masks: [Modules; 8],
}

impl Template {
    pub(super) fn of(version: u8) -> Option<&'static Self> {
        static TEMPLATES: [OnceLock<Option<Template>>; 40] = [const { OnceLock::new() }; 40];
        let slot = TEMPLATES.get(usize::from(version).checked_sub(1)?)?;
        slot.get_or_init(|| Self::new(version)).as_ref()
    }

    fn new(version: u8) -> Option<Self> {
        let size = 17 + 4 * usize::from(version);
        let exact = Version::new(version);
        let code = qrcodegen::QrCode::encode_segments_advanced(
            &[],
            QrCodeEcc::Low,
            exact,
            exact,
            Some(qrcodegen::Mask::new(0)),
            false,
        )
        .ok()?;
        let function = mask::function_modules(version);
        let mut patterns = Modules::light(size);
        for (y, x) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x))) {
            let is_dark = function.is_dark(x, y) && code.get_module(x as i32, y as i32);
            patterns.set(x, y, is_dark);
        }
        // Pairs of columns from the right, up and down in turn; the column of the vertical timing
        // pattern is left out.
        let mut order = Vec::with_capacity(size * size);
        let rights = (7..size).rev().step_by(2).chain([5, 3, 1]);
        for (pair, right) in rights.enumerate() {
            for step in 0..size {
                let y = if pair % 2 == 0 { size - 1 - step } else { step };
                let places = [right, right - 1].map(|x| {
                    let place = Place::of(x, y);
                    place.filter(|_| !function.is_dark(x, y))
                });
                match places {
                    [Some(right), Some(left)] => match right.with_left() {
                        Some(both) => order.push(both),
                        None => order.extend([right, left]),
                    },
                    places => order.extend(places.into_iter().flatten()),
                }
            }
        }
        let masks = [0, 1, 2, 3, 4, 5, 6, 7].map(|mask| mask::inverted(mask, &function));
        Some(Self {
            version,
            patterns,
            order,
            masks,
        })
    }

    /// Places codewords; no mask is applied and no format information drawn.
    fn place(&self, codewords: &[u8]) -> Modules {
        let mut modules = self.patterns.clone();
        let mut codewords = codewords.iter();
        let (mut bits, mut count) = (0_u64, 0);
        for place in &self.order {
            if count < place.count() {
                // After the last codeword there may be a few modules, which are light.
                bits = bits << 8 | u64::from(codewords.next().copied().unwrap_or(0));
                count += 8;
            }
            count -= place.count();
            modules.add(*place, bits >> count & ((1 << place.count()) - 1));
        }
        modules
    }
}

/// Encodes the segments in the smallest version that they fit into, `largest` at most. The code
/// has neither mask nor format information yet.
pub(super) fn encode(
    segments: &[Segment<'_>],
    error_correction: ErrorCorrection,
    largest: u8,
) -> Option<(&'static Template, Modules)> {
    let level = match error_correction {
        ErrorCorrection::Low => ErrorCorrectionLevel::L,
        ErrorCorrection::Medium => ErrorCorrectionLevel::M,
        ErrorCorrection::Quartile => ErrorCorrectionLevel::Q,
    };
    let (version, table) = (1..=largest).find_map(|version| {
        let table = VersionTable::getVersionForNumber(u32::from(version)).ok()?;
        let blocks = table.getECBlocksForLevel(level);
        let capacity: u32 = blocks
            .getECBlocks()
            .iter()
            .map(|group| group.getCount() * group.getDataCodewords() * 8)
            .sum();
        let length = length(segments, version)?;
        (length <= capacity as usize).then_some((version, blocks))
    })?;
    let template = Template::of(version)?;
    let correction = table.getECCodewordsPerBlock() as usize;
    let mut lengths = Vec::new();
    for group in table.getECBlocks() {
        lengths.extend((0..group.getCount()).map(|_| group.getDataCodewords() as usize));
    }
    let data = data_codewords(segments, version, lengths.iter().sum());
    let divisor = Divisor::of_degree(correction)?;
    let mut rest = data.as_slice();
    let mut blocks = Vec::with_capacity(lengths.len());
    for length in &lengths {
        let (block, others) = rest.split_at_checked(*length)?;
        let corrections: Vec<u8> = divisor.codewords(block).take(correction).collect();
        blocks.push((block, corrections));
        rest = others;
    }
    // The blocks' first codewords, then their second ones…
    let mut codewords = Vec::with_capacity(data.len() + correction * blocks.len());
    for index in 0..lengths.iter().copied().max()? {
        codewords.extend(blocks.iter().filter_map(|(block, _)| block.get(index)));
    }
    for index in 0..correction {
        codewords.extend(
            blocks
                .iter()
                .filter_map(|(_, corrections)| corrections.get(index)),
        );
    }
    Some((template, template.place(&codewords)))
}

/// Bits of the segments in a version; `None` when a segment has too many characters for it.
fn length(segments: &[Segment<'_>], version: u8) -> Option<usize> {
    segments.iter().map(|segment| segment.length(version)).sum()
}

fn data_codewords(segments: &[Segment<'_>], version: u8, capacity: usize) -> Vec<u8> {
    let mut bits = BitString::with_capacity(capacity);
    for segment in segments {
        segment.write(version, &mut bits);
    }
    // The terminator, which the end of the code may cut, and zeros up to a whole codeword.
    bits.push(0, 4);
    let mut codewords = bits.into_bytes();
    codewords.truncate(capacity);
    let padding = [0xEC, 0x11].into_iter().cycle();
    let missing = capacity - codewords.len();
    codewords.extend(padding.take(missing));
    codewords
}
