//! A QR code as a JPEG image whose every block of 8 × 8 pixels is one module.
//!
//! Drawn as a path, or as an image that the PDF library compresses, four codes take longer than
//! all else on a card together: deflate is slow on them. A JPEG goes into the PDF as it is, and a
//! block of one colour is its mean alone, which is exact and takes 2 to 7 bits.

#![expect(
    clippy::unusual_byte_groupings,
    reason = "grouped as code word, change of the mean, end of block"
)]

use crate::codes::qr_code::QrCode;

/// Pixels along one side of a module, which ITU-T T.81 sets.
const BLOCK: u16 = 8;
/// Quantized means of light and dark blocks: ± 4 × 255 / 8 around the middle, 128.
const STEP: u8 = 255;

/// Light, dark, and the change between: code word and length, with the end of the block after it.
const FIRST_LIGHT: (u32, u32) = (0b110_100_0, 7);
const FIRST_DARK: (u32, u32) = (0b110_011_0, 7);
const SAME: (u32, u32) = (0b0_0, 2);
const LIGHTER: (u32, u32) = (0b10_1000_0, 7);
const DARKER: (u32, u32) = (0b10_0111_0, 7);

/// A grey JPEG image, 8 pixels a module, without quiet zone.
pub(super) fn jpeg(code: &QrCode) -> Vec<u8> {
    let modules = code.size();
    let mut bytes = header(modules as u16 * BLOCK);
    let mut bits = Bits::default();
    let mut before: Option<bool> = None;
    for y in 0..modules {
        for x in 0..modules {
            let dark = code.is_dark(x, y);
            bits.push(
                &mut bytes,
                match (before, dark) {
                    (None, false) => FIRST_LIGHT,
                    (None, true) => FIRST_DARK,
                    (Some(true), false) => LIGHTER,
                    (Some(false), true) => DARKER,
                    (Some(_), _) => SAME,
                },
            );
            before = Some(dark);
        }
    }
    bits.finish(&mut bytes);
    bytes.extend([0xFF, 0xD9]);
    bytes
}

/// Everything before the blocks (ITU-T T.81 annex B).
fn header(side: u16) -> Vec<u8> {
    let [high, low] = side.to_be_bytes();
    let mut bytes = Vec::with_capacity(16 * 1024);
    bytes.extend([0xFF, 0xD8]);
    bytes.extend(*b"\xFF\xE0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0");
    // Quantization: the mean by STEP; nothing else is stated.
    bytes.extend([0xFF, 0xDB, 0, 67, 0, STEP]);
    bytes.extend([1; 63]);
    // Baseline, 8 bits, one component
    bytes.extend([0xFF, 0xC0, 0, 11, 8, high, low, high, low, 1, 1, 0x11, 0]);
    // Code words for means: `0` no change, `10` a change of 4 bits, `110` of 3 bits
    bytes.extend([0xFF, 0xC4, 0, 22, 0x00, 1, 1, 1]);
    bytes.extend([0; 13]);
    bytes.extend([0, 4, 3]);
    // and for the rest: `0` end of block
    bytes.extend([0xFF, 0xC4, 0, 20, 0x10, 1]);
    bytes.extend([0; 15]);
    bytes.push(0);
    bytes.extend([0xFF, 0xDA, 0, 8, 1, 1, 0x00, 0, 63, 0]);
    bytes
}

#[derive(Default)]
struct Bits {
    waiting: u32,
    count: u32,
}

impl Bits {
    fn push(&mut self, bytes: &mut Vec<u8>, (word, length): (u32, u32)) {
        self.waiting = self.waiting << length | word;
        self.count += length;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.waiting >> self.count) as u8;
            bytes.push(byte);
            if byte == 0xFF {
                bytes.push(0);
            }
        }
    }

    fn finish(mut self, bytes: &mut Vec<u8>) {
        let missing = (8 - self.count) % 8;
        self.push(bytes, ((1 << missing) - 1, missing));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::codes::CodeForm;

    #[test]
    fn every_pixel_is_that_of_its_module() {
        for length in [1, 40, 300, 900] {
            let text = "HC1:6BF+70790T9".repeat(length).split_off(length % 7);
            let text = text.get(..text.len().min(2000)).unwrap();
            let code = QrCode::encode(CodeForm::Who, text).unwrap();
            let image = image::load_from_memory_with_format(&jpeg(&code), image::ImageFormat::Jpeg)
                .unwrap()
                .into_luma8();
            assert_eq!(image.width() as usize, code.size() * 8);
            assert_eq!(image.height() as usize, code.size() * 8);
            for (x, y, pixel) in image.enumerate_pixels() {
                let dark = code.is_dark(x as usize / 8, y as usize / 8);
                let [value] = pixel.0;
                assert!(
                    if dark { value <= 1 } else { value == 255 },
                    "{x} {y} {value}"
                );
            }
        }
    }
}
