//! Reading a code that stands upright and by itself, as cards and screens show it.
//!
//! Libraries that search photographs estimate where its modules are from its corners, which fails
//! for some codes of many modules. Here its edges are seen, so its modules are known.

use std::ops::Range;

use image::GrayImage;
use rxing::qrcode::decoder::qrcode_decoder::decode_bool_array;

use super::guarded;

/// Darker is dark.
const MIDDLE: u8 = 128;
/// Row and column of the timing patterns, which are dark and light in turn (ISO/IEC 18004 section
/// 6.3.5).
const TIMING: u32 = 6;

/// The text of a code whose modules reach from the first dark pixel to the last one.
pub(super) fn read(image: &GrayImage) -> Option<String> {
    let code = Code::of(image)?;
    let mut sizes: Vec<(u32, u32)> = (1..=40)
        .map(|version| 17 + 4 * version)
        .map(|size| (code.timing_errors(size), size))
        // Less than three pixels to a module tell too little.
        .filter(|(errors, size)| errors * 10 <= *size && size * 5 / 2 <= code.pixels())
        .collect();
    sizes.sort_unstable();
    sizes.into_iter().find_map(|(_, size)| {
        let modules: Vec<Vec<bool>> = (0..size)
            .map(|y| (0..size).map(|x| code.is_dark(size, x, y)).collect())
            .collect();
        let decoded = guarded(|| decode_bool_array(&modules))?.ok()?;
        Some(decoded.getText().to_owned())
    })
}

/// What is dark of an image: where it begins, and pixels along its sides.
struct Code<'a> {
    image: &'a GrayImage,
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl<'a> Code<'a> {
    /// `None` unless it is about square.
    fn of(image: &'a GrayImage) -> Option<Self> {
        let is_dark = |x: u32, y: u32| image.get_pixel(x, y).0[0] < MIDDLE;
        let (columns, rows) = image.dimensions();
        let mut rows_with = (0..rows).filter(|y| (0..columns).any(|x| is_dark(x, *y)));
        let top = rows_with.next()?;
        let bottom = rows_with.next_back()?;
        let mut columns_with = (0..columns).filter(|x| (top..=bottom).any(|y| is_dark(*x, y)));
        let left = columns_with.next()?;
        let right = columns_with.next_back()?;
        let (width, height) = (right - left + 1, bottom - top + 1);
        (width.abs_diff(height) * 50 <= width).then_some(Self {
            image,
            left,
            top,
            width,
            height,
        })
    }

    fn pixels(&self) -> u32 {
        self.width.min(self.height)
    }

    /// Modules of the timing patterns that are not as they should be, if the code has so many
    /// modules along its side.
    fn timing_errors(&self, size: u32) -> u32 {
        let between = 8..size - 8;
        let errors = between.flat_map(|at| {
            [(at, TIMING), (TIMING, at)].map(|(x, y)| self.is_dark(size, x, y) != (at % 2 == 0))
        });
        errors.map(u32::from).sum()
    }

    /// Whether a module is dark: the middle of it, half as wide as it is.
    fn is_dark(&self, size: u32, x: u32, y: u32) -> bool {
        let middle = |begin: u32, pixels: u32, module: u32| -> Range<u32> {
            let quarters = |quarters: u32| begin + pixels * (module * 4 + quarters) / (size * 4);
            let first = quarters(1);
            first..quarters(3).max(first + 1)
        };
        let rows = middle(self.top, self.height, y);
        let columns = middle(self.left, self.width, x);
        let count = (rows.end - rows.start) * (columns.end - columns.start);
        let levels = rows.flat_map(|y| columns.clone().map(move |x| (x, y)));
        let sum: u32 = levels
            .map(|(x, y)| u32::from(self.image.get_pixel(x, y).0[0]))
            .sum();
        sum < count * u32::from(MIDDLE)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use image::imageops::{self, FilterType};
    use image::{GrayImage, Luma};
    use proptest::prelude::*;
    use qrcodegen::{Mask, QrCode, QrCodeEcc, QrSegment, Version};

    use super::*;

    const TEXT: &str = "HC1:TEXT";

    /// The code with four light modules around it, a pixel for each module.
    fn code(version: u8, mask: u8) -> GrayImage {
        let segments = [QrSegment::make_alphanumeric(TEXT)];
        let version = Version::new(version);
        let mask = Some(Mask::new(mask));
        let code = QrCode::encode_segments_advanced(
            &segments,
            QrCodeEcc::Low,
            version,
            version,
            mask,
            false,
        )
        .unwrap();
        let side = code.size() as u32 + 8;
        GrayImage::from_fn(side, side, |x, y| {
            let is_dark = code.get_module(x as i32 - 4, y as i32 - 4);
            Luma([if is_dark { 0 } else { 255 }])
        })
    }

    fn scaled(image: &GrayImage, scale: f32) -> GrayImage {
        let side = |pixels: u32| (pixels as f32 * scale) as u32;
        // Large pixels first, so that their edges stay sharp.
        let (width, height) = image.dimensions();
        let large = imageops::resize(image, width * 8, height * 8, FilterType::Nearest);
        imageops::resize(&large, side(width), side(height), FilterType::Triangle)
    }

    #[test]
    fn every_version_is_read_whatever_the_pixels_of_a_module() {
        for version in 1..=40 {
            for scale in [2.7, 3.2, 3.72, 4.57, 6.1] {
                let image = scaled(&code(version, version % 8), scale);
                assert_eq!(
                    read(&image).as_deref(),
                    Some(TEXT),
                    "version {version}, {scale} pixels"
                );
            }
        }
    }

    #[test]
    fn what_is_no_upright_code_is_not_read() {
        let image = scaled(&code(12, 2), 4.0);
        assert_eq!(read(&GrayImage::from_pixel(300, 300, Luma([255]))), None);
        assert_eq!(read(&GrayImage::from_pixel(300, 300, Luma([0]))), None);
        assert_eq!(read(&GrayImage::new(0, 0)), None);
        // A mark beside it
        let mut marked = image.clone();
        marked.put_pixel(0, 0, Luma([0]));
        assert_eq!(read(&marked), None);
        assert_eq!(read(&imageops::rotate90(&image)), None);
    }

    #[test]
    fn damage_is_mended_by_error_correction() {
        let mut image = scaled(&code(12, 5), 4.0);
        for y in 150..165 {
            for x in 150..165 {
                image.put_pixel(x, y, Luma([0]));
            }
        }
        assert_eq!(read(&image).as_deref(), Some(TEXT));
    }

    proptest! {
        /// Square ones more often than not.
        #[test]
        fn any_image_is_read_or_not(
            width in 0_u32..70,
            more in 0_u32..2,
            levels in prop::collection::vec(any::<u8>(), 71 * 70),
        ) {
            let height = width + more;
            let pixels = levels[..(width * height) as usize].to_vec();
            let image = GrayImage::from_raw(width, height, pixels).unwrap();
            prop_assert_eq!(read(&image), None);
        }
    }
}
