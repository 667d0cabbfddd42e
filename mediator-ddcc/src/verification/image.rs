//! Reading QR codes from images: photographs, scans and screenshots (PNG, JPEG) and cards (PDF).

use std::io::Cursor;
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
        read_pdf(bytes, &mut texts)?;
    } else {
        search(&decode(bytes)?, &mut texts);
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

fn read_pdf(bytes: &[u8], texts: &mut Vec<String>) -> Result<(), ImageError> {
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
        search(&imageops::grayscale(&image), texts);
    }
    Ok(())
}

/// Two libraries search, since each finds codes that the other does not; then enlarged or reduced
/// images if neither finds one.
fn search(image: &GrayImage, texts: &mut Vec<String>) {
    let found = texts.len();
    search_once(image, texts);
    if texts.len() > found {
        return;
    }
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    if longer <= ENLARGED_SIDE {
        for factor in [2, 3] {
            let enlarged = imageops::resize(
                image,
                width * factor,
                height * factor,
                FilterType::CatmullRom,
            );
            search_once(&enlarged, texts);
            if texts.len() > found {
                return;
            }
        }
    }
    // Less noise, and a wide blur becomes a narrow one.
    for divisor in [2, 4] {
        if longer / divisor >= 200 {
            let reduced = imageops::resize(
                image,
                (width / divisor).max(1),
                (height / divisor).max(1),
                FilterType::Triangle,
            );
            search_once(&reduced, texts);
            if texts.len() > found {
                return;
            }
        }
    }
}

fn search_once(image: &GrayImage, texts: &mut Vec<String>) {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut prepared = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| {
        // Within the image, whose sides are u32.
        image.get_pixel(x as u32, y as u32).0[0]
    });
    for grid in prepared.detect_grids() {
        if let Ok((_, text)) = grid.decode() {
            add(texts, text);
        }
    }
    let Ok(source) =
        Luma8LuminanceSource::new(image.as_raw().clone(), image.width(), image.height())
    else {
        return;
    };
    let hints = DecodeHints {
        TryHarder: Some(true),
        ..DecodeHints::default()
    };
    let mut bitmap = BinaryBitmap::new(HybridBinarizer::new(source));
    let results = QRCodeMultiReader::default().decode_multiple_with_hints(&mut bitmap, &hints);
    for result in results.unwrap_or_default() {
        add(texts, result.getText().to_owned());
    }
}

fn add(texts: &mut Vec<String>, text: String) {
    if !texts.contains(&text) {
        texts.push(text);
    }
}
