//! QR codes (ISO/IEC 18004) of the code texts, with the segment modes and error correction that
//! each form asks for.

mod encode;
mod image;
mod image_data;
mod mask;
mod modules;
mod penalty;
pub(crate) mod reed_solomon;
mod segment;

use super::CodeForm;
use modules::Modules;
pub(crate) use modules::ROW_WORDS;
use segment::Segment;

/// Light modules around a code, in modules (ISO/IEC 18004 section 9.1).
pub const QUIET_ZONE: usize = 4;

/// How much of a damaged code can be restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ErrorCorrection {
    /// L: about 7 %.
    Low,
    /// M: about 15 %.
    Medium,
    /// Q: about 25 %.
    Quartile,
}

/// Why a text has no QR code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QrCodeError {
    /// The text is longer than the largest code of this form holds.
    #[error(
        "a {} code of {length} characters does not fit into a QR code of version {largest}; shorten the certificate's texts",
        .form.as_str()
    )]
    TooLong {
        /// Which form.
        form: CodeForm,
        /// Characters of the text.
        length: usize,
        /// Largest version that the form may have.
        largest: u8,
    },
    /// The text has a character that the form's segment mode cannot hold.
    #[error("the text is not one of a {} code: {expected}", .form.as_str())]
    NotOfTheForm {
        /// Which form.
        form: CodeForm,
        /// What the form's texts look like.
        expected: &'static str,
    },
}

/// A QR code: a square of light and dark modules.
#[derive(Clone, PartialEq, Eq)]
pub struct QrCode {
    version: u8,
    error_correction: ErrorCorrection,
    modules: Modules,
}

// A code shows whose it is, so it is not printed module by module.
impl std::fmt::Debug for QrCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("QrCode")
            .field("version", &self.version)
            .field("error_correction", &self.error_correction)
            .finish_non_exhaustive()
    }
}

impl QrCode {
    /// Encodes a code's text.
    ///
    /// - `who` and `dcc`: one alphanumeric segment (HCERT section 4.2.2).
    /// - `shc`: a byte segment `shc:/` and a numeric segment, version 22 at most (SMART Health
    ///   Cards, "Health Cards as QR codes").
    /// - `icao`: one byte segment.
    ///
    /// Error correction is Q, which HCERT recommends, and M, then L where the text needs a larger
    /// code than the form may have otherwise; [`QrCode::error_correction`] tells. The mask is the
    /// one with the lowest penalty (ISO/IEC 18004 section 7.8.3).
    ///
    /// # Errors
    /// [`QrCodeError`] when the text is too long or not of the form.
    pub fn encode(form: CodeForm, text: &str) -> Result<Self, QrCodeError> {
        let segments = segments(form, text)?;
        let largest = largest_version(form);
        for error_correction in [
            ErrorCorrection::Quartile,
            ErrorCorrection::Medium,
            ErrorCorrection::Low,
        ] {
            if let Some((template, code)) = encode::encode(&segments, error_correction, largest) {
                return Ok(Self {
                    version: template.version,
                    error_correction,
                    modules: mask::best(template, &code, error_correction),
                });
            }
        }
        Err(QrCodeError::TooLong {
            form,
            length: text.len(),
            largest,
        })
    }

    /// Modules along one side, the quiet zone not counted: 21 to 177.
    #[must_use]
    pub fn size(&self) -> usize {
        self.modules.size()
    }

    /// Whether the module in column `x` and row `y`, from the top left, is dark. Modules outside
    /// the code are light.
    #[must_use]
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        self.modules.is_dark(x, y)
    }

    /// The rows, 64 modules in a word, the left one lowest.
    pub(crate) fn rows(&self) -> impl Iterator<Item = [u64; ROW_WORDS]> {
        let rows = self.modules.rows().iter();
        rows.map(modules::Row::words_without_margin)
    }

    /// Version, 1 to 40: 17 + 4 × version modules along one side.
    #[must_use]
    pub fn version(&self) -> u8 {
        self.version
    }

    /// Error correction level of this code.
    #[must_use]
    pub fn error_correction(&self) -> ErrorCorrection {
        self.error_correction
    }

    /// A PNG image, 1 bit grey, with the quiet zone, 4 pixels a module.
    #[must_use]
    pub fn png(&self) -> Vec<u8> {
        image::png(&self.modules)
    }

    /// An SVG document of one path, with the quiet zone, 1 user unit a module.
    #[must_use]
    pub fn svg(&self) -> String {
        image::svg(&self.modules)
    }

    /// SVG path data of the dark modules, 1 unit a module, without the quiet zone.
    #[must_use]
    pub fn svg_path(&self) -> String {
        image::svg_path(&self.modules, 0)
    }
}

fn segments(form: CodeForm, text: &str) -> Result<Vec<Segment<'_>>, QrCodeError> {
    let refused = |expected| QrCodeError::NotOfTheForm { form, expected };
    match form {
        CodeForm::Who | CodeForm::Dcc => Segment::alphanumeric(text)
            .map(|segment| vec![segment])
            .ok_or_else(|| refused("it has characters outside base 45")),
        CodeForm::Shc => text
            .strip_prefix("shc:/")
            .and_then(Segment::numeric)
            .map(|digits| vec![Segment::Bytes(b"shc:/"), digits])
            .ok_or_else(|| refused("it is not shc:/ and digits")),
        CodeForm::Icao => Ok(vec![Segment::Bytes(text.as_bytes())]),
    }
}

/// SMART Health Cards are limited to version 22 for ease of scanning; the others have no limit
/// but the standard's.
fn largest_version(form: CodeForm) -> u8 {
    match form {
        CodeForm::Shc => 22,
        CodeForm::Who | CodeForm::Dcc | CodeForm::Icao => 40,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use qrcodegen::{QrCodeEcc, QrSegment, Version};

    use super::*;

    fn read(code: &QrCode) -> String {
        let image = image_of(&code.png());
        let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(
            image.width() as usize,
            image.height() as usize,
            |x, y| image.get_pixel(x as u32, y as u32).0[0],
        );
        let grids = prepared.detect_grids();
        assert_eq!(grids.len(), 1);
        let (_, text) = grids[0].decode().unwrap();
        text
    }

    fn image_of(png: &[u8]) -> ::image::GrayImage {
        ::image::load_from_memory_with_format(png, ::image::ImageFormat::Png)
            .unwrap()
            .into_luma8()
    }

    #[test]
    fn hcert_is_alphanumeric_with_error_correction_q() {
        let text = format!("HC1:{}", "6BF+70790T9WJWG.FKY*4GO0".repeat(20));
        let code = QrCode::encode(CodeForm::Who, &text).unwrap();
        assert_eq!(code.error_correction(), ErrorCorrection::Quartile);
        // 484 alphanumeric characters need version 16 at Q (version 15 holds 470 at most)
        assert_eq!(code.size(), 17 + 4 * usize::from(code.version()));
        let bytes = qrcodegen::QrCode::encode_segments_advanced(
            &[QrSegment::make_bytes(text.as_bytes())],
            QrCodeEcc::Quartile,
            Version::MIN,
            Version::MAX,
            Some(qrcodegen::Mask::new(0)),
            false,
        )
        .unwrap();
        assert!(code.version() < bytes.version().value());
        assert_eq!(read(&code), text);
    }

    #[test]
    fn error_correction_falls_back_when_the_text_is_too_large() {
        for (length, expected) in [
            (2420, Ok(ErrorCorrection::Quartile)),
            (2421, Ok(ErrorCorrection::Medium)),
            (3391, Ok(ErrorCorrection::Medium)),
            (3392, Ok(ErrorCorrection::Low)),
            (4296, Ok(ErrorCorrection::Low)),
            (4297, Err(())),
        ] {
            let text = "A".repeat(length);
            let encoded = QrCode::encode(CodeForm::Dcc, &text);
            assert_eq!(
                encoded.map(|code| code.error_correction()).map_err(drop),
                expected,
                "{length}"
            );
        }
    }

    #[test]
    fn a_health_card_of_the_greatest_length_fits_version_22_exactly() {
        for (jws, expected) in [
            (670, Ok(ErrorCorrection::Quartile)),
            (671, Ok(ErrorCorrection::Medium)),
            (927, Ok(ErrorCorrection::Medium)),
            (928, Ok(ErrorCorrection::Low)),
            (1195, Ok(ErrorCorrection::Low)),
            (1196, Err(())),
        ] {
            let text = format!("shc:/{}", "56".repeat(jws));
            let encoded = QrCode::encode(CodeForm::Shc, &text);
            if let Ok(code) = &encoded {
                assert!(code.version() <= 22);
                assert_eq!(read(code), text);
            }
            assert_eq!(
                encoded.map(|code| code.error_correction()).map_err(drop),
                expected,
                "{jws}"
            );
        }
    }

    #[test]
    fn texts_of_another_form_are_refused() {
        for (form, text) in [
            (CodeForm::Who, "hc1:abc"),
            (CodeForm::Dcc, "HC1:é"),
            (CodeForm::Shc, "shc:/56a"),
            (CodeForm::Shc, "HC1:56"),
        ] {
            let error = QrCode::encode(form, text).unwrap_err();
            assert!(matches!(error, QrCodeError::NotOfTheForm { .. }));
            assert!(!error.to_string().contains(text));
        }
    }

    /// The same modules as those of another library, for every version and level.
    #[test]
    fn every_version_and_level_is_encoded_as_another_library_does() {
        for version in 2..=40_u8 {
            for (error_correction, level) in [
                (ErrorCorrection::Quartile, QrCodeEcc::Quartile),
                (ErrorCorrection::Medium, QrCodeEcc::Medium),
                (ErrorCorrection::Low, QrCodeEcc::Low),
            ] {
                // More than the version before holds, so that this is the smallest.
                let more = (1_usize..).step_by(7).find_map(|length| {
                    let text: String = (0..length)
                        .map(|n| char::from(b'A' + (n % 26) as u8))
                        .collect();
                    let digits = "0123456789012"[..version as usize % 4 + 9].to_owned();
                    let segments = [
                        Segment::Bytes(b"shc:/"),
                        Segment::numeric(&digits)?,
                        Segment::alphanumeric(&text)?,
                    ];
                    let (template, modules) = encode::encode(&segments, error_correction, 40)?;
                    (template.version >= version).then(|| {
                        let segments = [
                            QrSegment::make_bytes(b"shc:/"),
                            QrSegment::make_numeric(&digits),
                            QrSegment::make_alphanumeric(&text),
                        ];
                        (segments, template, modules)
                    })
                });
                let (segments, template, unmasked) = more.unwrap();
                assert_eq!(template.version, version);
                let expected = |mask| {
                    qrcodegen::QrCode::encode_segments_advanced(
                        &segments,
                        level,
                        Version::MIN,
                        Version::MAX,
                        Some(qrcodegen::Mask::new(mask)),
                        false,
                    )
                    .unwrap()
                };
                let modules = mask::best(template, &unmasked, error_correction);
                let is_same = (0..8).any(|mask| {
                    let code = expected(mask);
                    assert_eq!(code.version().value(), version);
                    (0..modules.size()).all(|y| {
                        (0..modules.size())
                            .all(|x| modules.is_dark(x, y) == code.get_module(x as i32, y as i32))
                    })
                });
                assert!(is_same, "version {version}, {error_correction:?}");
            }
        }
    }

    #[test]
    fn a_seal_is_read_back_with_its_letters() {
        let text = r#"{"data":{"msg":{"pid":{"n":"Thérèse"}}}}"#;
        assert_eq!(read(&QrCode::encode(CodeForm::Icao, text).unwrap()), text);
    }

    #[test]
    fn the_png_has_one_bit_a_pixel_and_a_quiet_zone() {
        let code = QrCode::encode(CodeForm::Who, "HC1:TEST").unwrap();
        let png = code.png();
        let mut reader = png::Decoder::new(std::io::Cursor::new(&png))
            .read_info()
            .unwrap();
        assert_eq!(reader.info().bit_depth, png::BitDepth::One);
        assert_eq!(reader.info().color_type, png::ColorType::Grayscale);
        assert_eq!(reader.info().width as usize, (code.size() + 8) * 4);
        reader.next_frame(&mut vec![0; 1 << 20]).unwrap();
        let image = image_of(&png);
        for (x, y, pixel) in image.enumerate_pixels() {
            let module = |at: u32| (at as usize / 4).checked_sub(QUIET_ZONE);
            let dark = match (module(x), module(y)) {
                (Some(x), Some(y)) => code.is_dark(x, y),
                _ => false,
            };
            assert_eq!(pixel.0[0], if dark { 0 } else { 255 });
        }
    }

    #[test]
    fn the_svg_is_one_path_that_covers_the_dark_modules() {
        let code = QrCode::encode(CodeForm::Who, "HC1:TEST").unwrap();
        let svg = code.svg();
        assert_eq!(svg.matches("<path").count(), 1);
        let side = code.size() + 2 * QUIET_ZONE;
        assert!(svg.contains(&format!("viewBox=\"0 0 {side} {side}\"")));
        let tree = usvg::Tree::from_str(&svg, &usvg::Options::default()).unwrap();
        assert_eq!(tree.size().width(), side as f32);
        // Each `Mx yhNv1h-Nz` is N dark modules.
        let mut dark = 0;
        for run in code.svg_path().split('M').skip(1) {
            let (_, rest) = run.split_once('h').unwrap();
            let (length, _) = rest.split_once('v').unwrap();
            dark += length.parse::<usize>().unwrap();
        }
        let expected = (0..code.size())
            .flat_map(|y| (0..code.size()).map(move |x| (x, y)))
            .filter(|(x, y)| code.is_dark(*x, *y))
            .count();
        assert_eq!(dark, expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_encoded_is_read_back(text in "[0-9A-Z $%*+./:-]{1,900}") {
            prop_assert_eq!(read(&QrCode::encode(CodeForm::Dcc, &text).unwrap()), text);
        }
    }
}
