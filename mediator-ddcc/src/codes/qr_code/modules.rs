//! The square of modules, a row of bits each, so that whole rows are compared at once.

/// Largest number of modules along one side: version 40.
pub(super) const MAXIMUM_SIZE: usize = 177;
/// Columns left free on each side of a row: outside a code everything is light, and the patterns
/// that are searched for reach four modules over the edge.
pub(super) const MARGIN: usize = 4;

/// Modules along one side of the largest code whose rows, with the margin, have 128 bits.
pub(super) const NARROW: usize = 128 - MARGIN;

/// Bytes of the bits of a row.
pub(crate) const ROW_BYTES: usize = 24;

/// One row: bit `x + MARGIN` of 192 is set when the module in column `x` is dark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Row([u64; 3]);

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

    pub(super) fn bytes_without_margin(&self) -> [u8; ROW_BYTES] {
        self.shifted(MARGIN as isize).bytes()
    }

    /// The row of a code that is [`NARROW`] at most.
    pub(super) fn narrow(&self) -> u128 {
        let [low, high, _] = self.0;
        u128::from(high) << 64 | u128::from(low)
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([combine(a, d), combine(b, e), combine(c, f)])
    }
}

/// A row of modules as bits, the left ones lower.
pub(super) trait Bits: Copy + Default + PartialEq {
    /// Each module is that of the column `columns` (-63 to 63) further right.
    fn shifted(self, columns: isize) -> Self;
    fn and(self, other: Self) -> Self;
    fn or(self, other: Self) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `self` where `other` is light.
    fn and_not(self, other: Self) -> Self;
    fn not(self) -> Self;
    fn count(self) -> u32;
}

impl Bits for Row {
    fn shifted(self, columns: isize) -> Self {
        let [a, b, c] = self.0;
        let near = columns.unsigned_abs() % 64;
        let far = 64 - near;
        match columns {
            0 => self,
            1.. => Self([a >> near | b << far, b >> near | c << far, c >> near]),
            _ => Self([a << near, b << near | a >> far, c << near | b >> far]),
        }
    }

    fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    fn not(self) -> Self {
        self.xor(Self([u64::MAX; 3]))
    }

    fn count(self) -> u32 {
        let [a, b, c] = self.0;
        a.count_ones() + b.count_ones() + c.count_ones()
    }
}

impl Bits for u128 {
    fn shifted(self, columns: isize) -> Self {
        match columns {
            0.. => self >> columns,
            _ => self << columns.unsigned_abs(),
        }
    }

    fn and(self, other: Self) -> Self {
        self & other
    }

    fn or(self, other: Self) -> Self {
        self | other
    }

    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    fn and_not(self, other: Self) -> Self {
        self & !other
    }

    fn not(self) -> Self {
        !self
    }

    fn count(self) -> u32 {
        self.count_ones()
    }
}

/// Where a module is in [`Modules`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    row: u8,
    word: u8,
    bit: u8,
}

impl Place {
    pub(super) fn of(x: usize, y: usize) -> Option<Self> {
        let bit = x + MARGIN;
        Some(Self {
            row: u8::try_from(y).ok()?,
            word: u8::try_from(bit / 64).ok()?,
            bit: u8::try_from(bit % 64).ok()?,
        })
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

    /// Darkens a module where `dark` is 1. Which ones are is as good as random, so that a branch
    /// would be guessed wrong half of the time.
    pub(super) fn add(&mut self, place: Place, dark: u8) {
        let word = self
            .0
            .get_mut(usize::from(place.row))
            .and_then(|row| row.0.get_mut(usize::from(place.word)));
        if let Some(word) = word {
            *word |= u64::from(dark) << place.bit;
        }
    }

    pub(super) fn set(&mut self, x: usize, y: usize, dark: bool) {
        if let Some(row) = self.0.get_mut(y) {
            row.set(x, dark);
        }
    }
}
