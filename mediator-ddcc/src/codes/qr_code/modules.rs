//! The square of modules, a row of bits each, so that whole rows are compared at once.

/// Largest number of modules along one side: version 40.
pub(super) const MAXIMUM_SIZE: usize = 177;
/// Columns left free on each side of a row: outside a code everything is light, and the patterns
/// that are searched for reach four modules over the edge.
pub(super) const MARGIN: usize = 4;

/// Words of the bits of a row.
pub(crate) const ROW_WORDS: usize = 3;

/// Bytes of them.
const ROW_BYTES: usize = ROW_WORDS * 8;

/// One row: bit `x + MARGIN` of 192 is set when the module in column `x` is dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Row([u64; ROW_WORDS]);

impl Row {
    /// A row with the modules of columns `0..size` dark, and no others.
    pub(super) fn dark(size: usize) -> Self {
        let mut row = Self::default();
        for x in 0..size.min(MAXIMUM_SIZE) {
            row.set(x, true);
        }
        row
    }

    pub(super) fn get(&self, x: usize) -> bool {
        let bit = x + MARGIN;
        self.0
            .get(bit / 64)
            .is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    pub(super) fn set(&mut self, x: usize, dark: bool) {
        let bit = x + MARGIN;
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word = *word & !(1 << (bit % 64)) | u64::from(dark) << (bit % 64);
        }
    }

    /// The modules from the left margin on, eight in a byte, the left ones lower.
    pub(super) fn bytes(&self) -> [u8; ROW_BYTES] {
        let mut bytes = [0; ROW_BYTES];
        for (eight, word) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *eight = word.to_le_bytes();
        }
        bytes
    }

    pub(super) fn words_without_margin(&self) -> [u64; ROW_WORDS] {
        let [a, b, c] = self.0;
        [
            a >> MARGIN | b << (64 - MARGIN),
            b >> MARGIN | c << (64 - MARGIN),
            c >> MARGIN,
        ]
    }

    /// The modules from the left margin on, 64 in a word, the left ones lower.
    pub(super) fn words(&self) -> [u64; ROW_WORDS] {
        self.0
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([combine(a, d), combine(b, e), combine(c, f)])
    }

    pub(super) fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    /// `self` where `other` is light.
    pub(super) fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }
}

/// Where a module is in [`Modules`], or two of a row side by side.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    row: u8,
    word: u8,
    bit: u8,
    count: u8,
}

impl Place {
    /// Of one module.
    pub(super) fn of(x: usize, y: usize) -> Option<Self> {
        let bit = x + MARGIN;
        Some(Self {
            row: u8::try_from(y).ok()?,
            word: u8::try_from(bit / 64).ok()?,
            bit: u8::try_from(bit % 64).ok()?,
            count: 1,
        })
    }

    /// Of this module and the one left of it; `None` when no word has both.
    pub(super) fn with_left(self) -> Option<Self> {
        Some(Self {
            bit: self.bit.checked_sub(1)?,
            count: 2,
            ..self
        })
    }

    /// How many modules.
    pub(super) fn count(self) -> u32 {
        self.count.into()
    }
}

/// A square of modules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Modules(Vec<Row>);

impl Modules {
    pub(super) fn light(size: usize) -> Self {
        Self(vec![Row::default(); size.min(MAXIMUM_SIZE)])
    }

    pub(super) fn size(&self) -> usize {
        self.0.len()
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.0
    }

    pub(super) fn rows_mut(&mut self) -> &mut [Row] {
        &mut self.0
    }

    pub(super) fn is_dark(&self, x: usize, y: usize) -> bool {
        self.0.get(y).is_some_and(|row| row.get(x))
    }

    /// Darkens the modules of a place whose bits are 1, the left one lowest. Which ones are is as
    /// good as random, so that a branch would be guessed wrong half of the time.
    pub(super) fn add(&mut self, place: Place, dark: u64) {
        let word = self
            .0
            .get_mut(usize::from(place.row))
            .and_then(|row| row.0.get_mut(usize::from(place.word)));
        if let Some(word) = word {
            *word |= dark << place.bit;
        }
    }

    pub(super) fn set(&mut self, x: usize, y: usize, dark: bool) {
        if let Some(row) = self.0.get_mut(y) {
            row.set(x, dark);
        }
    }
}

#[cfg(test)]
pub(super) mod testing {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

    use super::Modules;

    /// As another library draws the text, of this version at least.
    pub(crate) fn drawn(text: &str, level: QrCodeEcc, version: u8, mask: u8) -> Modules {
        let code = QrCode::encode_segments_advanced(
            &[QrSegment::make_alphanumeric(text)],
            level,
            Version::new(version),
            Version::MAX,
            Some(Mask::new(mask)),
            false,
        );
        let code = code.unwrap();
        let size = code.size() as usize;
        let mut modules = Modules::light(size);
        for (y, x) in (0..size).flat_map(|y| (0..size).map(move |x| (y, x))) {
            modules.set(x, y, code.get_module(x as i32, y as i32));
        }
        modules
    }
}
