//! Segments (ISO/IEC 18004 section 7.4): texts in the modes that codes have.

/// Characters of the alphanumeric mode in the order of their values (table 5).
const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";
const NONE: u8 = u8::MAX;
/// The value of each character.
const VALUES: [u8; 256] = {
    let mut values = [NONE; 256];
    let mut value = 0;
    while value < ALPHANUMERIC.len() {
        values[ALPHANUMERIC[value] as usize] = value as u8;
        value += 1;
    }
    values
};

/// A part of a code's text.
#[derive(Debug, Clone, Copy)]
pub(super) enum Segment<'a> {
    Numeric(&'a str),
    Alphanumeric(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Segment<'a> {
    /// `None` when the text has something else than digits.
    pub(super) fn numeric(text: &'a str) -> Option<Self> {
        let is_numeric = text.bytes().all(|byte| byte.is_ascii_digit());
        is_numeric.then_some(Self::Numeric(text))
    }

    /// `None` when the text has a character outside the mode's alphabet.
    pub(super) fn alphanumeric(text: &'a str) -> Option<Self> {
        let is_alphanumeric = text.bytes().all(|byte| value(byte) != usize::from(NONE));
        is_alphanumeric.then_some(Self::Alphanumeric(text))
    }

    fn bytes(&self) -> &'a [u8] {
        match self {
            Self::Numeric(text) | Self::Alphanumeric(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// Bits in a version; `None` when there are too many characters for it.
    pub(super) fn length(&self, version: u8) -> Option<usize> {
        let count = self.bytes().len();
        let data = match self {
            Self::Numeric(_) => count / 3 * 10 + [0, 4, 7][count % 3],
            Self::Alphanumeric(_) => count / 2 * 11 + count % 2 * 6,
            Self::Bytes(_) => count * 8,
        };
        let count_bits = self.count_bits(version);
        (count >> count_bits == 0).then_some(4 + count_bits + data)
    }

    /// Bits of the number of characters (table 3).
    fn count_bits(&self, version: u8) -> usize {
        let class = match version {
            ..10 => 0,
            10..27 => 1,
            _ => 2,
        };
        match self {
            Self::Numeric(_) => [10, 12, 14][class],
            Self::Alphanumeric(_) => [9, 11, 13][class],
            Self::Bytes(_) => [8, 16, 16][class],
        }
    }

    pub(super) fn write(&self, version: u8, bits: &mut BitString) {
        let bytes = self.bytes();
        let mode = match self {
            Self::Numeric(_) => 1,
            Self::Alphanumeric(_) => 2,
            Self::Bytes(_) => 4,
        };
        bits.push(mode, 4);
        bits.push(bytes.len(), self.count_bits(version));
        match self {
            Self::Numeric(_) => {
                for digits in bytes.chunks(3) {
                    let number = digits.iter().fold(0, |all, digit| all * 10 + value(*digit));
                    bits.push(number, [0, 4, 7, 10][digits.len()]);
                }
            }
            Self::Alphanumeric(_) => {
                for pair in bytes.chunks(2) {
                    let number = pair.iter().fold(0, |all, byte| all * 45 + value(*byte));
                    bits.push(number, [0, 6, 11][pair.len()]);
                }
            }
            Self::Bytes(_) => bytes.iter().for_each(|byte| bits.push((*byte).into(), 8)),
        }
    }
}

fn value(byte: u8) -> usize {
    VALUES[usize::from(byte)].into()
}

/// Bits, the highest of a byte first.
pub(super) struct BitString {
    bytes: Vec<u8>,
    last: usize,
    count: usize,
}

impl BitString {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes + 1),
            last: 0,
            count: 0,
        }
    }

    /// 16 bits at a time at most.
    pub(super) fn push(&mut self, value: usize, count: usize) {
        self.last = self.last << count | value;
        self.count += count;
        while self.count >= 8 {
            self.count -= 8;
            // The eight bits above those that are left.
            self.bytes.push((self.last >> self.count) as u8);
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.push(0, 8 - self.count);
        }
        self.bytes
    }
}
