//! Searching an image for QR codes.

use image::imageops::{self, FilterType};
use image::{GrayImage, Luma};
use rxing::common::HybridBinarizer;
use rxing::multi::MultipleBarcodeReader as _;
use rxing::multi::qrcode::QRCodeMultiReader;
use rxing::multi::qrcode::detector::MultiFinderPatternFinder;
use rxing::qrcode::detector::FinderPattern;
use rxing::{BinaryBitmap, DecodeHints, Luma8LuminanceSource, Point};

use super::{FoundCodes, guarded, regions, upright};

/// Images up to this size are searched enlarged too: a module may be less than two pixels wide.
const ENLARGED_SIDE: u32 = 1_000;
/// Images are not searched reduced to less than this.
const REDUCED_SIDE: u32 = 200;
/// Codes, or groups of them, that are searched for in one image.
const MAXIMUM_CODES: usize = 8;

/// Searches each part of the image that looks like a code by itself, since codes beside each other
/// are mistaken for one another; then the rest.
pub(super) fn search(image: &GrayImage, found: &mut FoundCodes) {
    let mut rest = image.clone();
    let mut unread = 0;
    let mut is_any_read = false;
    for region in regions::find(image) {
        let part = region.cut(image);
        let texts = read_sizes(&part);
        if texts.is_empty() {
            unread += usize::from(has_code(&part));
        } else {
            region.erase(&mut rest);
            is_any_read = true;
        }
        add(found, texts);
    }
    let texts = if is_any_read {
        read(&mut rest)
    } else {
        read_sizes(&rest)
    };
    if texts.is_empty() && unread == 0 && !is_any_read {
        unread = usize::from(has_code(&rest));
    }
    // What is read in the rest may be a code that could not be read by itself.
    found.unreadable += unread.saturating_sub(texts.len());
    add(found, texts);
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

/// The texts in an image or, when there is none, in larger and smaller ones made of it: modules may
/// be too small to tell apart, or fall between the pixels that are looked at, and a wide blur or
/// noise becomes less when it is reduced.
fn read_sizes(image: &GrayImage) -> Vec<String> {
    if let Some(text) = upright::read(image) {
        return vec![text];
    }
    let texts = read(&mut image.clone());
    if !texts.is_empty() {
        return texts;
    }
    let resized = SIZES.into_iter().filter_map(|size| resized(image, size));
    let mut texts = resized.map(|mut image| read(&mut image));
    texts.find(|texts| !texts.is_empty()).unwrap_or_default()
}

/// The image in another size; `None` where nothing more is to be seen in it.
fn resized(image: &GrayImage, (numerator, denominator): (u32, u32)) -> Option<GrayImage> {
    let (width, height) = image.dimensions();
    let longer = width.max(height);
    let side = |side: u32| (side * numerator / denominator).max(1);
    let is_enlarged = numerator > denominator;
    let is_useful = if is_enlarged {
        longer <= ENLARGED_SIDE
    } else {
        side(longer) >= REDUCED_SIDE
    };
    let filter = if is_enlarged {
        FilterType::CatmullRom
    } else {
        FilterType::Triangle
    };
    is_useful.then(|| imageops::resize(image, side(width), side(height), filter))
}

/// Whether there are the three corners of a code, which are larger than its modules and so are seen
/// where these cannot be read.
fn has_code(image: &GrayImage) -> bool {
    let has_corners = |image: &GrayImage| guarded(|| has_corners(image)).unwrap_or(false);
    let mut reduced = [(1, 2), (1, 4)].into_iter();
    has_corners(image)
        || reduced.any(|size| resized(image, size).is_some_and(|image| has_corners(&image)))
}

fn has_corners(image: &GrayImage) -> bool {
    let Some(bitmap) = bitmap(image) else {
        return false;
    };
    let matrix = bitmap.get_black_matrix();
    let found = MultiFinderPatternFinder::new(matrix, None).findMulti(&hints());
    found.unwrap_or_default().iter().any(|corners| {
        let (top_left, top_right) = (corners.getTopLeft(), corners.getTopRight());
        let bottom_left = corners.getBottomLeft();
        let distance = |from: &FinderPattern, to: &FinderPattern| {
            Point::distance((*from).into(), (*to).into())
        };
        let (across, down) = (
            distance(top_left, top_right),
            distance(top_left, bottom_left),
        );
        let diagonal = distance(top_right, bottom_left);
        // The corners of a square, as it is seen from not too far aside.
        let is_about = |length: f32, other: f32| (length / other - 1.0).abs() < 0.3;
        is_about(across, down) && is_about(diagonal, across.hypot(down))
    })
}

/// Two libraries search, since each finds codes that the other does not. The first mistakes the
/// corners of neighbouring codes for those of one, so what was read is erased and it searches
/// again.
fn read(image: &mut GrayImage) -> Vec<String> {
    let mut texts = Vec::new();
    for _ in 0..MAXIMUM_CODES {
        let read = guarded(|| read_grids(image)).unwrap_or_default();
        if read.is_empty() {
            break;
        }
        for (text, corners) in read {
            erase(image, &corners);
            texts.push(text);
        }
    }
    texts.extend(guarded(|| read_multiple(image)).unwrap_or_default());
    texts
}

/// The codes' texts.
fn read_multiple(image: &GrayImage) -> Vec<String> {
    let Some(mut bitmap) = bitmap(image) else {
        return Vec::new();
    };
    QRCodeMultiReader::default()
        .decode_multiple_with_hints(&mut bitmap, &hints())
        .unwrap_or_default()
        .into_iter()
        .map(|result| result.getText().to_owned())
        .collect()
}

type Bitmap = BinaryBitmap<HybridBinarizer<Luma8LuminanceSource>>;

fn bitmap(image: &GrayImage) -> Option<Bitmap> {
    let (width, height) = image.dimensions();
    let source = Luma8LuminanceSource::new(image.as_raw().clone(), width, height).ok()?;
    Some(BinaryBitmap::new(HybridBinarizer::new(source)))
}

fn hints() -> DecodeHints {
    DecodeHints {
        TryHarder: Some(true),
        ..DecodeHints::default()
    }
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
                image.put_pixel(x, y, Luma([255]));
            }
        }
    }
}

fn add(found: &mut FoundCodes, texts: Vec<String>) {
    for text in texts {
        if !found.texts.contains(&text) {
            found.texts.push(text);
        }
    }
}
