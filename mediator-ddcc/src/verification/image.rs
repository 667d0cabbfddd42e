//! Reading QR codes from images: photographs, scans and screenshots (PNG, JPEG) and cards (PDF).

mod regions;

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use image::imageops::{self, FilterType};
use image::{GrayImage, ImageReader, Limits};
use rxing::common::HybridBinarizer;
use rxing::multi::MultipleBarcodeReader as _;
use rxing::multi::qrcode::QRCodeMultiReader;
use rxing::{BinaryBitmap, DecodeHints, Luma8LuminanceSource};

/// Bytes of the largest file that is read.
pub const MAXIMUM_FILE: usize = 32 * 1024 * 1024;
/// Pixels along the longer side of the largest image that is read.
const MAXIMUM_SIDE: u32 = 12_000;
/// Memory that decoding an image may take, in bytes: 40 megapixels in colour.
const MAXIMUM_MEMORY: u64 = 128 * 1024 * 1024;
/// Larger images are made smaller before they are searched.
const SEARCHED_SIDE: u32 = 3_600;
/// Images up to this size are searched enlarged too: a module may be less than two pixels wide.
const ENLARGED_SIDE: u32 = 1_000;
/// Images are not searched reduced to less than this.
const REDUCED_SIDE: u32 = 200;
/// Codes, or groups of them, that are searched for in one image.
const MAXIMUM_CODES: usize = 8;
/// Pages of a PDF that are searched.
const MAXIMUM_PAGES: usize = 8;
/// Pixels per PDF point: 300 dots per inch, so that the modules of a code on a wallet-size card
/// are several pixels wide.
const PDF_SCALE: f32 = 300.0 / 72.0;

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
    /// No code, or none that can be read.
    #[error("no QR code was found, or none that can be read; try a sharper or larger image")]
    NoCode,
}

/// Whether the bytes are an image or a PDF document, by what they begin with.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    is_pdf(bytes) || image_format(bytes).is_some()
}

/// Reads every QR code in a PNG or JPEG image or PDF document, in no particular order and each
/// text once. A card that is split over several codes (SMART Health Card) is put together.
///
/// It may take a second and some 200 MiB.
///
/// # Errors
/// [`ImageError`].
pub fn read_codes(bytes: &[u8]) -> Result<Vec<String>, ImageError> {
    if bytes.len() > MAXIMUM_FILE {
        return Err(ImageError::TooLarge);
    }
    let mut texts = Vec::new();
    if is_pdf(bytes) {
        for page in guarded(|| read_pages(bytes)).unwrap_or(Err(ImageError::Unreadable))? {
            search(&page, &mut texts);
        }
    } else {
        let image = guarded(|| decode(bytes)).unwrap_or(Err(ImageError::Unreadable))?;
        search(&image, &mut texts);
    }
    if let Some(card) =
        crate::codes::smart_health_card::decode::join(texts.iter().map(String::as_str))
    {
        texts.retain(|text| !text.starts_with(crate::codes::smart_health_card::PREFIX));
        texts.push(card);
    }
    if texts.is_empty() {
        Err(ImageError::NoCode)
    } else {
        Ok(texts)
    }
}

/// What a library makes of data of strangers; `None` when it panics, which is then no more than one
/// image that cannot be read. What it works on is not used again.
fn guarded<T>(library: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(library)).ok()
}

fn is_pdf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-")
}

fn image_format(bytes: &[u8]) -> Option<image::ImageFormat> {
    image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, image::ImageFormat::Png | image::ImageFormat::Jpeg))
}

fn decode(bytes: &[u8]) -> Result<GrayImage, ImageError> {
    let format = image_format(bytes).ok_or(ImageError::UnknownKind)?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAXIMUM_SIDE);
    limits.max_image_height = Some(MAXIMUM_SIDE);
    limits.max_alloc = Some(MAXIMUM_MEMORY);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| match error {
        image::ImageError::Limits(_) => ImageError::TooLarge,
        _ => ImageError::Unreadable,
    })?;
    let longer = image.width().max(image.height());
    let image = if longer > SEARCHED_SIDE {
        image.thumbnail(SEARCHED_SIDE, SEARCHED_SIDE)
    } else {
        image
    };
    Ok(on_white(&image))
}

/// Grey levels, on white where the image is transparent.
fn on_white(image: &image::DynamicImage) -> GrayImage {
    if !image.color().has_alpha() {
        return image.to_luma8();
    }
    let levels = image.to_luma_alpha8();
    GrayImage::from_fn(levels.width(), levels.height(), |x, y| {
        let [grey, alpha] = levels.get_pixel(x, y).0.map(u32::from);
        // At most 255.
        let level = (grey * alpha + 255 * (255 - alpha)) / 255;
        image::Luma([u8::try_from(level).unwrap_or(u8::MAX)])
    })
}

fn read_pages(bytes: &[u8]) -> Result<Vec<GrayImage>, ImageError> {
    let mut pages = Vec::new();
    let pdf = Pdf::new(Arc::new(bytes.to_vec())).map_err(|_| ImageError::Unreadable)?;
    let cache = RenderCache::new();
    for page in pdf.pages().iter().take(MAXIMUM_PAGES) {
        let (width, height) = page.render_dimensions();
        let longer = width.max(height);
        if !(longer.is_finite() && width >= 1.0 && height >= 1.0) {
            return Err(ImageError::Unreadable);
        }
        // A4 fits; what is larger is drawn smaller.
        let scale = PDF_SCALE.min(SEARCHED_SIDE as f32 / longer);
        let pixmap = render(
            page,
            &cache,
            &InterpreterSettings::default(),
            &RenderSettings::default(),
            &PixmapSettings {
                x_scale: scale,
                y_scale: scale,
                bg_color: WHITE,
            },
        );
        let (width, height) = (u32::from(pixmap.width()), u32::from(pixmap.height()));
        let rgba = pixmap.data_as_u8_slice().to_vec();
        let image =
            image::RgbaImage::from_raw(width, height, rgba).ok_or(ImageError::Unreadable)?;
        pages.push(imageops::grayscale(&image));
    }
    Ok(pages)
}

/// Searches each part of the image that looks like a code by itself, since codes beside each other
/// are mistaken for one another; then the rest.
fn search(image: &GrayImage, texts: &mut Vec<String>) {
    let found = texts.len();
    let mut rest = image.clone();
    for region in regions::find(image) {
        let before = texts.len();
        search_sizes(&region.cut(image), texts);
        if texts.len() > before {
            region.erase(&mut rest);
        }
    }
    if texts.len() == found {
        search_sizes(&rest, texts);
    } else {
        search_once(&mut rest, texts);
    }
}

/// Sizes that an image is searched in until there is something, as fractions of its own.
const SIZES: [(u32, u32); 10] = [
    (2, 1),
    (3, 1),
    (3, 2),
    (5, 4),
    (7, 4),
    (5, 2),
    (5, 6),
    (2, 3),
    (1, 2),
    (1, 4),
];

/// Searches an image and, until there is something, larger and smaller ones made of it: modules may
/// be too small to tell apart, or fall between the pixels that are looked at, and a wide blur or
/// noise becomes less when it is reduced.
fn search_sizes(image: &GrayImage, texts: &mut Vec<String>) {
    let found = texts.len();
    search_once(&mut image.clone(), texts);
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    for (numerator, denominator) in SIZES {
        let side = |side: u32| (side * numerator / denominator).max(1);
        let is_useful = if numerator > denominator {
            longer <= ENLARGED_SIDE
        } else {
            side(longer) >= REDUCED_SIDE
        };
        if texts.len() == found && is_useful {
            let filter = if numerator > denominator {
                FilterType::CatmullRom
            } else {
                FilterType::Triangle
            };
            let mut resized = imageops::resize(image, side(width), side(height), filter);
            search_once(&mut resized, texts);
        }
    }
}

/// Two libraries search, since each finds codes that the other does not. The first mistakes the
/// corners of neighbouring codes for those of one, so what was read is erased and it searches
/// again.
fn search_once(image: &mut GrayImage, texts: &mut Vec<String>) {
    for _ in 0..MAXIMUM_CODES {
        let read = guarded(|| read_grids(image)).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        for (text, corners) in read {
            erase(image, &corners);
            add(texts, text);
        }
    }
    for text in guarded(|| read_multiple(image)).unwrap_or_default() {
        add(texts, text);
    }
}

/// The codes' texts.
fn read_multiple(image: &GrayImage) -> Vec<String> {
    let (width, height) = image.dimensions();
    let Ok(source) = Luma8LuminanceSource::new(image.as_raw().clone(), width, height) else {
        return Vec::new();
    };
    let hints = DecodeHints {
        TryHarder: Some(true),
        ..DecodeHints::default()
    };
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    QRCodeMultiReader::default()
        .decode_multiple_with_hints(&mut bitmap, &hints)
        .unwrap_or_default()
        .into_iter()
        .map(|result| result.getText().to_owned())
        .collect()
}

/// The codes' texts and corners, clockwise.
fn read_grids(image: &GrayImage) -> Vec<(String, [rqrr::Point; 4])> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        // Within the image, whose sides are u32.
        image.get_pixel(x as u32, y as u32).0[0]
    });
    prepared
        .detect_grids()
        .into_iter()
        .filter_map(|grid| Some((grid.decode().ok()?.1, grid.bounds)))
        .collect()
}

/// Paints a code white.
fn erase(image: &mut GrayImage, corners: &[rqrr::Point; 4]) {
    let limits = |side: u32, of: fn(&rqrr::Point) -> i32| {
        let least = corners.iter().map(of).min().unwrap_or(0).max(0);
        let most = corners.iter().map(of).max().unwrap_or(0);
        // Not negative after `max`.
        (least as u32).min(side)..(most.max(0) as u32 + 1).min(side)
    };
    let is_inside = |x: u32, y: u32| {
        let point = (f64::from(x), f64::from(y));
        let next = corners.iter().cycle().skip(1);
        corners.iter().zip(next).all(|(from, to)| {
            let (from_x, from_y) = (f64::from(from.x), f64::from(from.y));
            let (x, y) = (f64::from(to.x) - from_x, f64::from(to.y) - from_y);
            // To the right of each side, or a pixel or two outside.
            x * (point.1 - from_y) - y * (point.0 - from_x) >= -2.0 * x.hypot(y)
        })
    };
    for y in limits(image.height(), |point| point.y) {
        for x in limits(image.width(), |point| point.x) {
            if is_inside(x, y) {
                image.put_pixel(x, y, image::Luma([255]));
            }
        }
    }
}

fn add(texts: &mut Vec<String>, text: String) {
    if !texts.contains(&text) {
        texts.push(text);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use image::{DynamicImage, ImageFormat, Luma, Rgba, RgbaImage};

    use super::*;
    use crate::card::{Card, CardRenderer, CardSize};
    use crate::codes::testing::{EXAMPLES, Issue, example, vaccination};
    use crate::codes::{CodeForm, IssuedCode};

    fn code(form: CodeForm) -> IssuedCode {
        IssuedCode::new(form, Issue::new(vaccination()).text(form)).unwrap()
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
            assert_eq!(read_codes(&code.png), Ok(vec![code.text]));
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
                assert_eq!(found, Ok(vec![code.text.clone()]), "{name} {format:?}");
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
        assert_eq!(read_codes(&bytes.into_inner()), Ok(vec![code.text]));
    }

    #[test]
    fn every_code_on_a_card_is_read() {
        let renderer = CardRenderer::builtin().unwrap();
        let issue = Issue::new(example(EXAMPLES[2]));
        let codes = CodeForm::ALL.map(|form| IssuedCode::new(form, issue.text(form)).unwrap());
        for size in CardSize::ALL {
            for codes in [&codes[..2], &codes[..]] {
                let card = Card {
                    core_data_set: &issue.set,
                    issuer: &issue.issuer,
                    issued_at: issue.issued_at,
                    valid_from: None,
                    valid_until: None,
                    codes,
                };
                let pdf = renderer.render(size, &card).unwrap();
                assert!(is_image(&pdf));
                let mut found = read_codes(&pdf).unwrap();
                let mut expected: Vec<String> =
                    codes.iter().map(|code| code.text.clone()).collect();
                found.sort_unstable();
                expected.sort_unstable();
                assert!(found == expected, "{size:?}, {} codes", codes.len());
            }
        }
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
