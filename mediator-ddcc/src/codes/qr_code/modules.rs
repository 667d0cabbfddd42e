//! The square of modules, a row of bits each, so that whole rows are compared at once.

/// Largest number of modules along one side: version 40.
pub(super) const MAXIMUM_SIZE: usize = 177;
/// Columns left free on each side of a row: outside a code everything is light, and the patterns
/// that are searched for reach four modules over the edge.
pub(super) const MARGIN: usize = 4;

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

    /// Each module is that of the column `columns` (-63 to 63) further right.
    pub(super) fn shifted(self, columns: isize) -> Self {
        let [a, b, c] = self.0;
        let near = columns.unsigned_abs() % 64;
        let far = 64 - near;
        match columns {
            0 => self,
            1.. => Self([a >> near | b << far, b >> near | c << far, c >> near]),
            _ => Self([a << near, b << near | a >> far, c << near | b >> far]),
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        self.zip(other, |a, b| a & b)
    }

    pub(super) fn or(self, other: Self) -> Self {
        self.zip(other, |a, b| a | b)
    }

    pub(super) fn xor(self, other: Self) -> Self {
        self.zip(other, |a, b| a ^ b)
    }

    /// `self` where `other` is light.
    pub(super) fn and_not(self, other: Self) -> Self {
        self.zip(other, |a, b| a & !b)
    }

    pub(super) fn not(self) -> Self {
        self.xor(Self([u64::MAX; 3]))
    }

    pub(super) fn count(self) -> u32 {
        let [a, b, c] = self.0;
        a.count_ones() + b.count_ones() + c.count_ones()
    }

    fn zip(self, other: Self, combine: impl Fn(u64, u64) -> u64) -> Self {
        let ([a, b, c], [d, e, f]) = (self.0, other.0);
        Self([combine(a, d), combine(b, e), combine(c, f)])
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

    pub(super) fn set(&mut self, x: usize, y: usize, dark: bool) {
        if let Some(row) = self.0.get_mut(y) {
            row.set(x, dark);
        }
    }
}
