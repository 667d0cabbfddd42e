//! Choosing the mask: the best of the eight by the penalties of ISO/IEC 18004 section 7.8.3.
//!
//! A code is encoded once; the masks are applied to it and judged a row of bits at a time.

use super::ErrorCorrection;
use super::encode::Template;
use super::modules::{Bits, Modules, NARROW, Row};

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
    let candidates = (0..).zip(&template.masks);
    let candidates = candidates.map(|(mask, inverted)| masked(unmasked, inverted, level, mask));
    candidates
        .min_by_key(penalty)
        .unwrap_or_else(|| unmasked.clone())
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

/// The four penalties of section 7.8.3.1, together.
fn penalty(modules: &Modules) -> u32 {
    let rows = modules.rows().iter();
    let inside = Row::dark(modules.size());
    if modules.size() <= NARROW {
        penalty_of(modules.size(), inside.narrow(), rows.map(Row::narrow))
    } else {
        penalty_of(modules.size(), inside, rows.copied())
    }
}

/// Rows beyond the edges that patterns reach, above and below.
const ABOVE: usize = 4;
const BELOW: usize = 10;

fn penalty_of<R: Bits>(size: usize, inside: R, rows: impl Iterator<Item = R>) -> u32 {
    let mut padded = vec![R::default(); ABOVE];
    padded.extend(rows);
    padded.resize(ABOVE + size + BELOW, R::default());
    let mut penalty = 0;
    let mut dark = 0;
    // Windows of five alike modules ending in this row, and in the one before.
    let mut alike_before = [R::default(); 3];
    let mut window_before = R::default();
    for (y, around) in padded.array_windows::<{ ABOVE + 1 + BELOW }>().enumerate() {
        let [_, _, _, above, here, ..] = *around;
        dark += here.count();

        // Runs of five or more alike modules in a row: 3, and 1 for each module more. A run of
        // n has n - 4 windows of five.
        let alike = here
            .xor(here.shifted(1))
            .not()
            .and(inside.shifted(1))
            .and(inside);
        let window = alike
            .and(alike.shifted(1))
            .and(alike.shifted(2).and(alike.shifted(3)));
        penalty += window.count() + 2 * window.and_not(window.shifted(1)).count();

        // And in a column.
        let alike_above = if y == 0 {
            R::default()
        } else {
            here.xor(above).not().and(inside)
        };
        let [one, two, three] = alike_before;
        let window = alike_above.and(one).and(two.and(three));
        penalty += window.count() + 2 * window.and_not(window_before).count();
        window_before = window;
        alike_before = [alike_above, one, two];

        // Blocks of two by two alike modules.
        penalty += 3 * alike.and(alike_above).and(alike_above.shifted(1)).count();

        // 1:1:3:1:1 like a finder pattern, with four light modules on one side.
        penalty += 40 * finder_like(std::array::from_fn(|n| here.shifted(n as isize - 4)));
        penalty += 40 * finder_like(*around);
    }
    let total = (size * size) as u32;
    // 10 for each 5 % that the share of dark modules is off 50 %.
    penalty + 10 * ((dark * 20).abs_diff(total * 10).div_ceil(total)).saturating_sub(1)
}

/// Counts patterns that begin at a place, from the modules 4 places before to 10 places after.
fn finder_like<R: Bits>(around: [R; ABOVE + 1 + BELOW]) -> u32 {
    let [a, b, c, before, core @ .., after, d, e, f] = around;
    let [one, two, three, four, five, six, seven] = core;
    let core = one
        .and_not(two)
        .and(three.and(four).and(five))
        .and_not(six)
        .and(seven);
    let light_before = before.or(a).or(b).or(c).or(after);
    let light_after = after.or(d).or(e).or(f).or(before);
    core.and_not(light_before).count() + core.and_not(light_after).count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

    use super::super::segment::Segment;
    use super::*;

    fn encode(text: &str, level: QrCodeEcc, version: u8, mask: u8) -> QrCode {
        QrCode::encode_segments_advanced(
            &[QrSegment::make_alphanumeric(text)],
            level,
            Version::new(version),
            Version::MAX,
            Some(Mask::new(mask)),
            false,
        )
        .unwrap()
    }

    fn modules_of(code: &QrCode) -> Modules {
        let size = code.size() as usize;
        let mut modules = Modules::light(size);
        for y in 0..size {
            for x in 0..size {
                modules.set(x, y, code.get_module(x as i32, y as i32));
            }
        }
        modules
    }

    /// The penalties as the standard words them, module by module.
    fn penalty_by_the_book(modules: &Modules) -> u32 {
        let size = modules.size();
        let mut penalty = 0;
        let line = |n: usize, vertical: bool| -> Vec<bool> {
            (0..size)
                .map(|at| {
                    if vertical {
                        modules.is_dark(n, at)
                    } else {
                        modules.is_dark(at, n)
                    }
                })
                .collect()
        };
        for vertical in [false, true] {
            for n in 0..size {
                let line = line(n, vertical);
                for run in line.chunk_by(|a, b| a == b) {
                    if run.len() >= 5 {
                        penalty += 3 + (run.len() as u32 - 5);
                    }
                }
                let mut padded = vec![false; 4];
                padded.extend(line);
                padded.extend([false; 4]);
                for window in padded.windows(12) {
                    let text: String = window.iter().map(|d| if *d { '1' } else { '0' }).collect();
                    if text == "000010111010" || text == "010111010000" {
                        penalty += 40;
                    }
                }
            }
        }
        for y in 1..size {
            for x in 1..size {
                let here = modules.is_dark(x, y);
                if [(x - 1, y), (x, y - 1), (x - 1, y - 1)]
                    .iter()
                    .all(|(x, y)| modules.is_dark(*x, *y) == here)
                {
                    penalty += 3;
                }
            }
        }
        let dark = (0..size)
            .flat_map(|y| (0..size).map(move |x| (x, y)))
            .filter(|(x, y)| modules.is_dark(*x, *y))
            .count();
        let off = (dark * 100).abs_diff(50 * size * size);
        let steps = (0_u32..).find(|steps| off <= 5 * (*steps as usize + 1) * size * size);
        penalty + 10 * steps.unwrap()
    }

    #[test]
    fn every_version_is_masked_as_the_library_would() {
        for version in 1..=40 {
            let template = Template::of(version).unwrap();
            for mask in 0..8 {
                let code = modules_of(&encode("MASK", QrCodeEcc::Quartile, version, mask));
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
            let encoded = modules_of(&encode("LEVEL", level, 3, ENCODED_WITH));
            let mut drawn = encoded.clone();
            draw_format(&mut drawn, bits, ENCODED_WITH);
            assert_eq!(drawn, encoded);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn penalties_are_those_of_the_standard(
            text in "[0-9A-Z]{1,400}",
            mask in 0_u8..8,
        ) {
            let modules = modules_of(&encode(&text, QrCodeEcc::Low, 1, mask));
            prop_assert_eq!(penalty(&modules), penalty_by_the_book(&modules));
            let inside = Row::dark(modules.size());
            let wide = penalty_of(modules.size(), inside, modules.rows().iter().copied());
            prop_assert_eq!(penalty(&modules), wide);
        }

        #[test]
        fn the_best_mask_is_chosen(text in "[0-9A-Z]{1,400}") {
            let segments = [Segment::alphanumeric(&text).unwrap()];
            let code = super::super::encode::encode(&segments, ErrorCorrection::Medium, 40);
            let (template, unmasked) = code.unwrap();
            let lowest = (0..8)
                .map(|mask| penalty_by_the_book(&modules_of(&encode(&text, QrCodeEcc::Medium, 1, mask))))
                .min();
            prop_assert_eq!(Some(penalty_by_the_book(&best(template, &unmasked, ErrorCorrection::Medium))), lowest);
        }
    }
}
