//! PNG and JPEG images as grey levels.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, ImageFormat, ImageReader, Limits, Luma};

use super::{ImageError, SEARCHED_SIDE};

/// Pixels along the longer side of the largest image that is read.
pub(super) const MAXIMUM_SIDE: u32 = 12_000;
/// Memory that decoding an image may take, in bytes: 40 megapixels in colour.
const MAXIMUM_MEMORY: u64 = 128 * 1024 * 1024;

/// PNG or JPEG, by what the bytes begin with.
pub(super) fn format(bytes: &[u8]) -> Option<ImageFormat> {
    image::guess_format(bytes)
        .ok()
        .filter(|format| matches!(format, ImageFormat::Png | ImageFormat::Jpeg))
}

/// The image, made smaller where it is larger than what is searched.
pub(super) fn decode(bytes: &[u8]) -> Result<GrayImage, ImageError> {
    let format = format(bytes).ok_or(ImageError::UnknownKind)?;
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
fn on_white(image: &DynamicImage) -> GrayImage {
    if !image.color().has_alpha() {
        return image.to_luma8();
    }
    let levels = image.to_luma_alpha8();
    GrayImage::from_fn(levels.width(), levels.height(), |x, y| {
        let [grey, alpha] = levels.get_pixel(x, y).0.map(u32::from);
        // At most 255.
        let level = (grey * alpha + 255 * (255 - alpha)) / 255;
        Luma([u8::try_from(level).unwrap_or(u8::MAX)])
    })
}
