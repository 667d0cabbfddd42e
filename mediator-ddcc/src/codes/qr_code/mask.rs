//! Choosing the mask: the best of the eight by the penalties of ISO/IEC 18004 section 7.8.3.
//!
//! A code is encoded once; the masks are applied to it a row of bits at a time.

use super::ErrorCorrection;
use super::encode::Template;
use super::modules::{Modules, Row};
use super::penalty::penalties;

/// The code under the mask with the lowest penalty, with its format information.
pub(super) fn best(
    template: &Template,
    unmasked: &Modules,
    error_correction: ErrorCorrection,
) -> Modules {
    // The two bits as they stand in the code (table 12).
    let level = match error_correction {
        ErrorCorrection::Low => 1,
        ErrorCorrection::Medium => 0,
        ErrorCorrection::Quartile => 3,
    };
    let candidates =
        std::array::from_fn(|mask| masked(unmasked, &template.masks[mask], level, mask as u8));
    let penalties = penalties(&candidates);
    let best = candidates.into_iter().zip(penalties);
    let best = best.min_by_key(|(_, penalty)| *penalty);
    best.map_or_else(|| unmasked.clone(), |(code, _)| code)
}

/// The code under a mask.
fn masked(unmasked: &Modules, inverted: &Modules, level: u8, mask: u8) -> Modules {
    let mut modules = unmasked.clone();
    for (row, inverted) in modules.rows_mut().iter_mut().zip(inverted.rows()) {
        *row = row.xor(*inverted);
    }
    draw_format(&mut modules, level, mask);
    modules
}

/// The modules that a mask inverts: those of its pattern that are no function modules.
pub(super) fn inverted(mask: u8, function: &Modules) -> Modules {
    let mut inverted = Modules::light(function.size());
    let pattern = mask_rows(mask, function.size());
    let rows = inverted.rows_mut().iter_mut().zip(function.rows());
    for ((row, function), pattern) in rows.zip(pattern.iter().cycle()) {
        *row = pattern.and_not(*function);
    }
    inverted
}

/// The rows of a mask pattern, which repeats every twelve rows (table 10).
fn mask_rows(mask: u8, size: usize) -> [Row; 12] {
    let mut rows = [Row::default(); 12];
    for (y, row) in rows.iter_mut().enumerate() {
        for x in 0..size {
            let dark = match mask {
                0 => (x + y).is_multiple_of(2),
                1 => y.is_multiple_of(2),
                2 => x.is_multiple_of(3),
                3 => (x + y).is_multiple_of(3),
                4 => (x / 3 + y / 2).is_multiple_of(2),
                5 => (x * y) % 2 + (x * y) % 3 == 0,
                6 => ((x * y) % 2 + (x * y) % 3).is_multiple_of(2),
                _ => ((x + y) % 2 + (x * y) % 3).is_multiple_of(2),
            };
            row.set(x, dark);
        }
    }
    rows
}

/// Which modules are finder, timing and alignment patterns, format and version information.
pub(super) fn function_modules(version: u8) -> Modules {
    let size = 17 + 4 * usize::from(version);
    let mut modules = Modules::light(size);
    let mut fill = |left: usize, top: usize, width: usize, height: usize| {
        for y in top..top + height {
            for x in left..left + width {
                modules.set(x, y, true);
            }
        }
    };
    fill(0, 0, 9, 9);
    fill(size - 8, 0, 8, 9);
    fill(0, size - 8, 9, 8);
    fill(6, 0, 1, size);
    fill(0, 6, size, 1);
    if version >= 7 {
        fill(size - 11, 0, 3, 6);
        fill(0, size - 11, 6, 3);
    }
    let centres = alignment_centres(version, size);
    let last = size - 7;
    for &x in &centres {
        for &y in &centres {
            // Not where the finder patterns are.
            if !matches!((x, y), (6, 6)) && (x, y) != (6, last) && (x, y) != (last, 6) {
                fill(x - 2, y - 2, 5, 5);
            }
        }
    }
    modules
}

/// Row and column coordinates of the alignment patterns' centres (annex E).
fn alignment_centres(version: u8, size: usize) -> Vec<usize> {
    if version == 1 {
        return Vec::new();
    }
    let count = usize::from(version) / 7 + 2;
    let step = (usize::from(version) * 8 + count * 3 + 5) / (count * 4 - 4) * 2;
    let mut centres: Vec<usize> = (0..count - 1).map(|n| size - 7 - n * step).collect();
    centres.push(6);
    centres
}

/// Draws both copies of the format information (section 7.9).
fn draw_format(modules: &mut Modules, level: u8, mask: u8) {
    let data = u32::from(level) << 3 | u32::from(mask);
    // BCH (15,5) with generator 10100110111, then the fixed mask.
    let remainder = (0..10).fold(data, |remainder, _| {
        (remainder << 1) ^ ((remainder >> 9) * 0b101_0011_0111)
    });
    let bits = (data << 10 | remainder) ^ 0b101_0100_0001_0010;
    let bit = |n: usize| bits >> n & 1 == 1;
    let size = modules.size();
    for n in 0..6 {
        modules.set(8, n, bit(n));
        modules.set(5 - n, 8, bit(9 + n));
    }
    modules.set(8, 7, bit(6));
    modules.set(8, 8, bit(7));
    modules.set(7, 8, bit(8));
    for n in 0..8 {
        modules.set(size - 1 - n, 8, bit(n));
    }
    for n in 8..15 {
        modules.set(8, size - 15 + n, bit(n));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use qrcodegen::QrCodeEcc;

    use super::super::modules::testing::drawn;
    use super::super::penalty::tests::penalty_by_the_book;
    use super::super::segment::Segment;
    use super::*;

    #[test]
    fn every_version_is_masked_as_the_library_would() {
        for version in 1..=40 {
            let template = Template::of(version).unwrap();
            for mask in 0..8 {
                let code = drawn("MASK", QrCodeEcc::Quartile, version, mask);
                let inverted = &template.masks[usize::from(mask)];
                let unmasked = masked(&code, inverted, 3, 0);
                assert_eq!(
                    masked(&unmasked, inverted, 3, mask),
                    code,
                    "version {version}, mask {mask}"
                );
            }
        }
    }

    #[test]
    fn format_information_is_right_at_every_level() {
        const ENCODED_WITH: u8 = 5;
        for (level, bits) in [
            (QrCodeEcc::Low, 1),
            (QrCodeEcc::Medium, 0),
            (QrCodeEcc::Quartile, 3),
            (QrCodeEcc::High, 2),
        ] {
            let encoded = drawn("LEVEL", level, 3, ENCODED_WITH);
            let mut drawn = encoded.clone();
            draw_format(&mut drawn, bits, ENCODED_WITH);
            assert_eq!(drawn, encoded);
        }
    }
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_best_mask_is_chosen(text in "[0-9A-Z]{1,400}") {
            let segments = [Segment::alphanumeric(&text).unwrap()];
            let code = super::super::encode::encode(&segments, ErrorCorrection::Medium, 40);
            let (template, unmasked) = code.unwrap();
            let lowest = (0..8)
                .map(|mask| penalty_by_the_book(&drawn(&text, QrCodeEcc::Medium, 1, mask)))
                .min();
            let chosen = best(template, &unmasked, ErrorCorrection::Medium);
            prop_assert_eq!(Some(penalty_by_the_book(&chosen)), lowest);
        }
    }
}
