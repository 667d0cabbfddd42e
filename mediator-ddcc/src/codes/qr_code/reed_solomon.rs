//! Error correction codewords (ISO/IEC 18004 section 7.5.2): Reed-Solomon codes over GF(2^8) modulo
//! x^8 + x^4 + x^3 + x^2 + 1.

use std::sync::OnceLock;

/// A generator polynomial: its multiples by every element, the highest coefficient first and
/// without the leading one, in 32 bytes.
pub(crate) struct Divisor {
    multiples: Vec<[u128; 2]>,
}

impl Divisor {
    /// A degree of 30 at most, which is the largest that QR codes have.
    pub(crate) fn of_degree(degree: usize) -> Option<&'static Self> {
        static DIVISORS: [OnceLock<Divisor>; 31] = [const { OnceLock::new() }; 31];
        Some(DIVISORS.get(degree)?.get_or_init(|| Self::new(degree)))
    }

    fn new(degree: usize) -> Self {
        // (x - 1)(x - 2)(x - 4)…, the lowest coefficient first.
        let mut polynomial = vec![1];
        let mut root = 1;
        for _ in 0..degree {
            let mut product = vec![0; polynomial.len() + 1];
            for (power, coefficient) in polynomial.iter().enumerate() {
                product[power + 1] ^= coefficient;
                product[power] ^= multiply(*coefficient, root);
            }
            polynomial = product;
            root = multiply(root, 2);
        }
        let multiples = (0..=u8::MAX).map(|factor| {
            let mut bytes = [0; 32];
            for (byte, coefficient) in bytes.iter_mut().zip(polynomial.iter().rev().skip(1)) {
                *byte = multiply(*coefficient, factor);
            }
            let (high, low) = bytes.split_at(16);
            [high, low].map(|half| {
                half.iter()
                    .fold(0, |all, byte| all << 8 | u128::from(*byte))
            })
        });
        Self {
            multiples: multiples.collect(),
        }
    }

    /// The error correction codewords of a block: as many as the degree, and zeros.
    pub(crate) fn codewords(&self, data: &[u8]) -> impl Iterator<Item = u8> + use<> {
        let [mut high, mut low] = [0_u128; 2];
        for byte in data {
            // The highest byte.
            let factor = byte ^ (high >> 120) as u8;
            let [multiple_high, multiple_low] = self
                .multiples
                .get(usize::from(factor))
                .copied()
                .unwrap_or_default();
            high = (high << 8 | low >> 120) ^ multiple_high;
            low = low << 8 ^ multiple_low;
        }
        high.to_be_bytes().into_iter().chain(low.to_be_bytes())
    }
}

fn multiply(a: u8, b: u8) -> u8 {
    (0..8).rev().fold(0, |product: u8, bit| {
        let reduced = if product & 0x80 == 0 { 0 } else { 0x1D };
        (product << 1) ^ reduced ^ (if b >> bit & 1 == 1 { a } else { 0 })
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    /// The example of annex I: "01234567" in version 1-M.
    #[test]
    fn the_standard_s_example() {
        let data = [
            0x10, 0x20, 0x0C, 0x56, 0x61, 0x80, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11, 0xEC, 0x11,
            0xEC, 0x11,
        ];
        let expected = [0xA5, 0x24, 0xD4, 0xC1, 0xED, 0x36, 0xC7, 0x87, 0x2C, 0x55];
        let codewords: Vec<u8> = Divisor::of_degree(10).unwrap().codewords(&data).collect();
        assert_eq!(codewords[..10], expected);
        assert_eq!(codewords[10..], [0; 22]);
    }
}
