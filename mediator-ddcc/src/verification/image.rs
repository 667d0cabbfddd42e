//! Reading QR codes from images: photographs, scans and screenshots (PNG, JPEG) and cards (PDF).

mod decode;
mod pages;
mod regions;
mod search;
mod upright;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::codes::smart_health_card;

/// Bytes of the largest file that is read.
pub const MAXIMUM_FILE: usize = 32 * 1024 * 1024;
/// Larger images are made smaller before they are searched.
const SEARCHED_SIDE: u32 = 3_600;
/// How long the pages of a PDF may take to be drawn. A card takes some tens of milliseconds.
const DRAWING_TIME: Duration = Duration::from_secs(20);

/// Why there is no text from an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// A file that is too large, or an image with too many pixels.
    #[error("the image is too large: files have 32 MiB and images 40 megapixels at most")]
    TooLarge,
    /// Neither PNG nor JPEG nor PDF.
    #[error("this is neither a PNG nor a JPEG image nor a PDF document")]
    UnknownKind,
    /// Broken.
    #[error("the image is broken or uses something that is not supported")]
    Unreadable,
    /// A PDF whose pages are more work than those of a card.
    #[error(
        "the PDF document takes longer than {} seconds to draw; verify an image of its code",
        DRAWING_TIME.as_secs()
    )]
    TooSlow,
    /// Nothing that looks like a QR code.
    #[error("no QR code was found; try a sharper or larger image, or one of the code alone")]
    NoCode,
    /// A QR code, but too blurred, too small or too damaged.
    #[error("there is a QR code, but it cannot be read; try a sharper or larger image")]
    UnreadableCode,
}

/// The QR codes in an image.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct FoundCodes {
    /// What they say, in no particular order and each text once.
    pub texts: Vec<String>,
    /// How many more there seem to be that cannot be read.
    pub unreadable: usize,
}

// The texts are about a person.
impl std::fmt::Debug for FoundCodes {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("FoundCodes")
            .field("texts", &self.texts.len())
            .field("unreadable", &self.unreadable)
            .finish()
    }
}

/// Whether the bytes are an image or a PDF document, by what they begin with.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    pages::is_pdf(bytes) || decode::format(bytes).is_some()
}

/// Reads every QR code in a PNG or JPEG image or PDF document. A card that is split over several
/// codes (SMART Health Card) is put together.
///
/// It may take a second and some 200 MiB. A PDF is drawn on a thread of its own; when it takes too
/// long, that thread ends with the page that it draws, and nobody waits for it.
///
/// # Errors
/// [`ImageError`]; not, when one code can be read and another cannot.
pub fn read_codes(bytes: &[u8]) -> Result<FoundCodes, ImageError> {
    read_within(DRAWING_TIME, bytes)
}

fn read_within(drawing_time: Duration, bytes: &[u8]) -> Result<FoundCodes, ImageError> {
    if bytes.len() > MAXIMUM_FILE {
        return Err(ImageError::TooLarge);
    }
    let mut found = FoundCodes::default();
    if pages::is_pdf(bytes) {
        for page in pages::draw(bytes, drawing_time)? {
            search::search(&page?, &mut found);
        }
    } else {
        let image = guarded(|| decode::decode(bytes)).unwrap_or(Err(ImageError::Unreadable))?;
        search::search(&image, &mut found);
    }
    if let Some(card) = smart_health_card::decode::join(found.texts.iter().map(String::as_str)) {
        found
            .texts
            .retain(|text| !text.starts_with(smart_health_card::PREFIX));
        found.texts.push(card);
    }
    match found {
        FoundCodes { texts, unreadable } if texts.is_empty() => Err(if unreadable == 0 {
            ImageError::NoCode
        } else {
            ImageError::UnreadableCode
        }),
        found => Ok(found),
    }
}

/// What a library makes of data of strangers; `None` when it panics, which is then no more than one
/// image that cannot be read. What it works on is not used again.
fn guarded<T>(library: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(library)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::io::Cursor;

    use image::imageops::{self, FilterType};
    use image::{DynamicImage, GrayImage, ImageFormat, Luma, Rgba, RgbaImage};

    use super::decode::MAXIMUM_SIDE;
    use super::*;
    use crate::card::{Card, CardRenderer, CardSize};
    use crate::codes::testing::{EXAMPLES, Issue, example, vaccination};
    use crate::codes::{CodeForm, IssuedCode};

    fn code(form: CodeForm) -> IssuedCode {
        IssuedCode::new(form, Issue::new(vaccination()).text(form)).unwrap()
    }

    /// This code and no other.
    fn only(code: &IssuedCode) -> FoundCodes {
        FoundCodes {
            texts: vec![code.text.clone()],
            unreadable: 0,
        }
    }

    fn drawn(code: &IssuedCode) -> GrayImage {
        image::load_from_memory(&code.png).unwrap().to_luma8()
    }

    fn encoded(image: &GrayImage, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    /// The image turned by an angle around its centre, on a grey table.
    fn turned(image: &GrayImage, degrees: f32) -> GrayImage {
        let (width, height) = (image.width() as f32, image.height() as f32);
        let side = (width.hypot(height)) as u32;
        let (sine, cosine) = degrees.to_radians().sin_cos();
        GrayImage::from_fn(side, side, |x, y| {
            let (x, y) = (x as f32 - side as f32 / 2.0, y as f32 - side as f32 / 2.0);
            let from_x = cosine * x + sine * y + width / 2.0;
            let from_y = cosine * y - sine * x + height / 2.0;
            let inside = from_x >= 0.0 && from_y >= 0.0;
            inside
                .then(|| image.get_pixel_checked(from_x as u32, from_y as u32))
                .flatten()
                .copied()
                .unwrap_or(Luma([150]))
        })
    }

    #[test]
    fn every_form_is_read_as_it_is_drawn() {
        for form in CodeForm::ALL {
            let code = code(form);
            assert!(is_image(&code.png));
            assert_eq!(read_codes(&code.png), Ok(only(&code)));
        }
    }

    #[test]
    fn photographs_are_turned_scaled_blurred_and_badly_lit() {
        let code = code(CodeForm::Who);
        let image = drawn(&code);
        let (width, height) = image.dimensions();
        let lit = GrayImage::from_fn(width, height, |x, y| {
            let level = u32::from(image.get_pixel(x, y).0[0]);
            Luma([(30 + level * (90 + 130 * x / width) / 255) as u8])
        });
        let larger = imageops::resize(&image, width * 3, height * 3, FilterType::Triangle);
        let smaller = imageops::resize(&image, width / 2, height / 2, FilterType::Triangle);
        for (name, image) in [
            ("turned", turned(&image, 11.0)),
            ("upside down", imageops::rotate180(&image)),
            ("on its side", imageops::rotate90(&image)),
            ("blurred", imageops::blur(&image, 1.2)),
            ("large and blurred", imageops::blur(&larger, 4.0)),
            ("large and turned", turned(&larger, -33.0)),
            ("small", smaller),
            ("badly lit", lit),
        ] {
            for format in [ImageFormat::Png, ImageFormat::Jpeg] {
                let found = read_codes(&encoded(&image, format));
                assert_eq!(found, Ok(only(&code)), "{name} {format:?}");
            }
        }
    }

    #[test]
    fn transparent_images_lie_on_white() {
        let code = code(CodeForm::Dcc);
        let image = drawn(&code);
        let transparent = RgbaImage::from_fn(image.width(), image.height(), |x, y| {
            let is_dark = image.get_pixel(x, y).0[0] == 0;
            Rgba([0, 0, 0, if is_dark { 255 } else { 0 }])
        });
        let mut bytes = Cursor::new(Vec::new());
        DynamicImage::from(transparent)
            .write_to(&mut bytes, ImageFormat::Png)
            .unwrap();
        assert_eq!(read_codes(&bytes.into_inner()), Ok(only(&code)));
    }

    fn card(size: CardSize, codes: &[IssuedCode]) -> Vec<u8> {
        let issue = Issue::new(example(EXAMPLES[2]));
        let card = Card {
            core_data_set: &issue.set,
            issuer: &issue.issuer,
            issued_at: issue.issued_at,
            valid_from: None,
            valid_until: None,
            codes,
        };
        let renderer = CardRenderer::builtin().unwrap();
        renderer.render(size, &card).unwrap()
    }

    #[test]
    fn every_code_on_a_card_is_read() {
        let issue = Issue::new(example(EXAMPLES[2]));
        let codes = CodeForm::ALL.map(|form| IssuedCode::new(form, issue.text(form)).unwrap());
        for size in CardSize::ALL {
            for codes in [&codes[..2], &codes[..]] {
                let pdf = card(size, codes);
                assert!(is_image(&pdf));
                let mut found = read_codes(&pdf).unwrap();
                let mut expected: Vec<String> =
                    codes.iter().map(|code| code.text.clone()).collect();
                found.texts.sort_unstable();
                expected.sort_unstable();
                assert!(found.texts == expected, "{size:?}, {} codes", codes.len());
                assert_eq!(found.unreadable, 0);
            }
        }
    }

    /// One of more than a thousand: at its place on the page both fail in every size.
    #[test]
    fn a_code_on_a_card_is_read_that_libraries_do_not_read() {
        let mut codes = CodeForm::ALL.map(code);
        let [.., icao] = &mut codes;
        *icao =
            IssuedCode::new(CodeForm::Icao, include_str!("image/dense.txt").to_owned()).unwrap();
        let found = read_codes(&card(CardSize::A4, &codes)).unwrap();
        assert!(found.texts.contains(&codes[3].text));
        assert_eq!(found.unreadable, 0);
    }

    /// The code without more of a corner than error correction can mend.
    fn damaged(code: &IssuedCode) -> GrayImage {
        let mut image = drawn(code);
        let (width, height) = image.dimensions();
        for y in height * 2 / 5..height {
            for x in width * 2 / 5..width {
                image.put_pixel(x, y, Luma([255]));
            }
        }
        image
    }

    #[test]
    fn a_code_that_cannot_be_read_is_told_from_none() {
        let code = code(CodeForm::Who);
        let found = read_codes(&encoded(&damaged(&code), ImageFormat::Png));
        assert_eq!(found, Err(ImageError::UnreadableCode));
    }

    #[test]
    fn a_code_that_cannot_be_read_beside_others_is_counted() {
        let (readable, unreadable) = (code(CodeForm::Who), damaged(&code(CodeForm::Dcc)));
        let image = drawn(&readable);
        let (width, height) = image.dimensions();
        let mut page = GrayImage::from_pixel(width * 2 + 400, height + 200, Luma([255]));
        imageops::replace(&mut page, &image, 100, 100);
        imageops::replace(&mut page, &unreadable, i64::from(width) + 300, 100);
        let found = read_codes(&encoded(&page, ImageFormat::Png)).unwrap();
        assert_eq!(
            found,
            FoundCodes {
                unreadable: 1,
                ..only(&readable)
            }
        );
        // Twice the same is one text, and nothing that cannot be read.
        imageops::replace(
            &mut page,
            &GrayImage::from_pixel(width + 200, height + 200, Luma([255])),
            i64::from(width) + 200,
            0,
        );
        imageops::replace(&mut page, &image, i64::from(width) + 300, 100);
        let found = read_codes(&encoded(&page, ImageFormat::Png)).unwrap();
        assert_eq!(found, only(&readable));
    }

    #[test]
    fn drawing_a_pdf_ends_in_time() {
        let pdf = card(CardSize::A4, &[]);
        assert_eq!(read_within(DRAWING_TIME, &pdf), Err(ImageError::NoCode));
        assert_eq!(read_within(Duration::ZERO, &pdf), Err(ImageError::TooSlow));
    }

    #[test]
    fn a_panic_of_a_library_ends_here() {
        assert_eq!(guarded(|| 1), Some(1));
        assert_eq!(guarded(|| -> u8 { panic!("broken image") }), None);
    }

    #[test]
    fn what_cannot_be_read_gets_a_clear_answer() {
        let blank = GrayImage::from_pixel(300, 300, Luma([255]));
        let png = encoded(&blank, ImageFormat::Png);
        assert_eq!(read_codes(&png), Err(ImageError::NoCode));
        let cut = &code(CodeForm::Who).png[..400];
        assert_eq!(read_codes(cut), Err(ImageError::Unreadable));
        assert_eq!(read_codes(b"%PDF-1.7"), Err(ImageError::Unreadable));
        assert_eq!(read_codes(b"GIF89a"), Err(ImageError::UnknownKind));
        assert_eq!(read_codes(b""), Err(ImageError::UnknownKind));
        let large = vec![0; MAXIMUM_FILE + 1];
        assert_eq!(read_codes(&large), Err(ImageError::TooLarge));
    }

    #[test]
    fn small_files_of_enormous_images_are_refused() {
        for (width, height) in [(MAXIMUM_SIDE, MAXIMUM_SIDE), (MAXIMUM_SIDE + 1, 1)] {
            let mut png = Vec::new();
            let mut encoder = png::Encoder::new(&mut png, width, height);
            encoder.set_color(png::ColorType::Rgb);
            encoder.set_compression(png::Compression::Fast);
            let mut writer = encoder.write_header().unwrap();
            let mut stream = writer.stream_writer().unwrap();
            let row = vec![0; width as usize * 3];
            for _ in 0..height.min(100) {
                std::io::Write::write_all(&mut stream, &row).unwrap();
            }
            drop(stream);
            drop(writer);
            assert!(png.len() < 100_000);
            assert_eq!(read_codes(&png), Err(ImageError::TooLarge));
        }
    }
}
