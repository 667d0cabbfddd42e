//! The penalties of ISO/IEC 18004 section 7.8.3.1, of the eight masks together: a word of modules
//! stands beside the same words under the other masks, and one vector instruction, as wide as the
//! processor has them, does for several masks what it would do for one.

#![expect(
    clippy::inline_always,
    reason = "only what is inlined into the dispatched function is compiled for the vector instructions"
)]

use fearless_simd::prelude::*;
use fearless_simd::{Level, dispatch, u64x8};

use super::modules::{MARGIN, Modules, Row};

/// Rows beyond the edges that patterns reach, above and below.
const ABOVE: usize = 4;
const BELOW: usize = 10;

/// The four penalties of each code, added up.
pub(super) fn penalties(codes: &[Modules; 8]) -> [u64; 8] {
    with_instructions(Level::new(), codes)
}

fn with_instructions(level: Level, codes: &[Modules; 8]) -> [u64; 8] {
    // What is shifted in from beyond the last word is light, as it should be.
    match (codes[0].size() + MARGIN).div_ceil(64) {
        1 => dispatch!(level, simd => judge::<_, 1>(simd, codes)),
        2 => dispatch!(level, simd => judge::<_, 2>(simd, codes)),
        _ => dispatch!(level, simd => judge::<_, 3>(simd, codes)),
    }
}

#[inline(always)]
fn judge<S: Simd, const WORDS: usize>(simd: S, codes: &[Modules; 8]) -> [u64; 8] {
    let size = codes[0].size();
    let light = Rows([u64x8::splat(simd, 0); WORDS]);
    let mut rows: Vec<Rows<S, WORDS>> = vec![light; ABOVE + size + BELOW];
    for (y, row) in rows.iter_mut().skip(ABOVE).take(size).enumerate() {
        *row = Rows::of(simd, |mask| codes[mask].rows()[y]);
    }
    let inside = Rows::of(simd, |_| Row::dark(size));
    let mut dark = u64x8::splat(simd, 0);
    // What counts once, twice, thrice, and forty times.
    let [mut ones, mut twos, mut threes, mut forties] = [dark; 4];
    // Windows of five alike modules ending in this row, and in the one before.
    let mut alike_before = [light; 3];
    let mut window_before = light;
    for (y, around) in rows.array_windows::<{ ABOVE + 1 + BELOW }>().enumerate() {
        let (above, here) = (around[ABOVE - 1], around[ABOVE]);
        dark += here.count();

        // Runs of five or more alike modules in a row: 3, and 1 for each module more. A run of
        // n has n - 4 windows of five.
        let next = here.right(1);
        let alike = inside.right(1).and(inside).and_not(here.xor(next));
        let pairs = alike.and(alike.right(1));
        let window = pairs.and(pairs.right(2));
        ones += window.count();
        twos += window.and_not(window.right(1)).count();

        // And in a column.
        let alike_above = if y == 0 {
            light
        } else {
            inside.and_not(here.xor(above))
        };
        let [one, two, three] = alike_before;
        let window = alike_above.and(one).and(two.and(three));
        ones += window.count();
        twos += window.and_not(window_before).count();
        window_before = window;
        alike_before = [alike_above, one, two];

        // Blocks of two by two alike modules.
        threes += alike.and(alike_above).and(alike_above.right(1)).count();

        // 1:1:3:1:1 like a finder pattern, with four light modules on one side.
        let three_dark = here.and(next).and(here.right(2));
        let core = here
            .and_not(next)
            .and(three_dark.right(2))
            .and_not(here.right(5))
            .and(here.right(6));
        let two_dark = here.or(next);
        let four_dark = two_dark.or(two_dark.right(2));
        let before = four_dark.left(4).or(here.right(7));
        let after = four_dark.right(7).or(here.left(1));
        forties += core.and_not(before).count() + core.and_not(after).count();

        let core = here
            .and_not(around[5])
            .and(around[6].and(around[7]).and(around[8]))
            .and_not(around[9])
            .and(around[10]);
        let [just_before, just_after] = [above, around[11]];
        let before = around[0].or(around[1]).or(around[2].or(just_before));
        let after = around[12].or(around[13]).or(around[14].or(just_after));
        forties += core.and_not(before.or(just_after)).count()
            + core.and_not(after.or(just_before)).count();
    }
    let [dark, ones, twos, threes, forties] =
        [dark, ones, twos, threes, forties].map(<[u64; 8]>::from);
    let total = (size * size) as u64;
    std::array::from_fn(|mask| {
        // 10 for each 5 % that the share of dark modules is off 50 %.
        let steps = (dark[mask] * 20).abs_diff(total * 10).div_ceil(total);
        ones[mask]
            + 2 * twos[mask]
            + 3 * threes[mask]
            + 40 * forties[mask]
            + 10 * steps.saturating_sub(1)
    })
}

/// The same row of each code, word beside word.
#[derive(Clone, Copy)]
struct Rows<S: Simd, const WORDS: usize>([u64x8<S>; WORDS]);

impl<S: Simd, const WORDS: usize> Rows<S, WORDS> {
    #[inline(always)]
    fn of(simd: S, row: impl Fn(usize) -> Row) -> Self {
        let words: [_; 8] = std::array::from_fn(|mask| row(mask).words());
        Self(std::array::from_fn(|word| {
            let beside: [u64; 8] = std::array::from_fn(|mask| words[mask][word]);
            beside.simd_into(simd)
        }))
    }

    #[inline(always)]
    fn zip(self, other: Self, combine: impl Fn(u64x8<S>, u64x8<S>) -> u64x8<S>) -> Self {
        Self(std::array::from_fn(|word| {
            combine(self.0[word], other.0[word])
        }))
    }

    #[inline(always)]
    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    #[inline(always)]
    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    /// `self` where `other` is light.
    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    /// Each module is that of the column so many further right, 1 to 63.
    #[inline(always)]
    fn right(self, columns: u32) -> Self {
        Self(std::array::from_fn(|word| {
            let near = self.0[word] >> columns;
            match self.0.get(word + 1) {
                Some(next) => near | *next << (64 - columns),
                None => near,
            }
        }))
    }

    /// Each module is that of the column so many further left, 1 to 63.
    #[inline(always)]
    fn left(self, columns: u32) -> Self {
        Self(std::array::from_fn(|word| {
            let near = self.0[word] << columns;
            match word.checked_sub(1) {
                Some(previous) => near | self.0[previous] >> (64 - columns),
                None => near,
            }
        }))
    }

    /// Dark modules of the row under each mask.
    #[inline(always)]
    fn count(self) -> u64x8<S> {
        let mut sum = self.0[0].count_ones();
        for word in &self.0[1..] {
            sum += word.count_ones();
        }
        sum
    }
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use proptest::prelude::*;
    use qrcodegen::QrCodeEcc;

    use super::super::modules::testing::drawn;
    use super::*;

    /// The penalties as the standard words them, module by module.
    pub(crate) fn penalty_by_the_book(modules: &Modules) -> u64 {
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
                        penalty += 3 + (run.len() as u64 - 5);
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
        let steps = (0_u64..).find(|steps| off <= 5 * (*steps as usize + 1) * size * size);
        penalty + 10 * steps.unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        /// Rows of one, two and three words.
        #[test]
        fn penalties_are_those_of_the_standard(
            text in "[0-9A-Z]{1,400}",
            version in prop_oneof![3_u8..=10, 11_u8..=26, 27_u8..=40],
        ) {
            let codes = std::array::from_fn(|mask| {
                drawn(&text, QrCodeEcc::Low, version, mask as u8)
            });
            let expected = codes.each_ref().map(penalty_by_the_book);
            for level in [Level::new(), Level::baseline()] {
                prop_assert_eq!(with_instructions(level, &codes), expected);
            }
        }
    }
}
