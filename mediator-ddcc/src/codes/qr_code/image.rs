//! Images of a code.

use std::fmt::Write as _;

use super::QUIET_ZONE;
use super::image_data::ImageData;
use super::modules::{MARGIN, Modules, Row};

/// Pixels of a PNG image along one side of a module.
const SCALE: usize = 4;

const _: () = assert!(MARGIN == QUIET_ZONE);

pub(super) fn png(modules: &Modules) -> Vec<u8> {
    let side = (modules.size() + 2 * QUIET_ZONE) * SCALE;
    // The margin of a row is as wide as the quiet zone.
    let mut data = ImageData::new(side.div_ceil(8));
    let quiet = [Row::default(); QUIET_ZONE];
    for row in quiet.iter().chain(modules.rows()).chain(&quiet) {
        data.add(row, SCALE);
    }
    with_header(side as u32, &data.finish())
}

/// A file of 1-bit grey pixels.
#[expect(
    clippy::expect_used,
    reason = "the header is valid, and writing to a Vec cannot fail"
)]
fn with_header(side: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(data.len() + 128);
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    let mut writer = encoder.write_header().expect("the header is valid");
    writer
        .write_chunk(png::chunk::IDAT, data)
        .expect("a Vec takes all bytes");
    writer.finish().expect("a Vec takes all bytes");
    bytes
}

pub(super) fn svg(modules: &Modules) -> String {
    let side = modules.size() + 2 * QUIET_ZONE;
    let path = svg_path(modules, QUIET_ZONE);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" \
         shape-rendering=\"crispEdges\">\
         <rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>\n"
    )
}

/// A rectangle for each run of dark modules in a row.
pub(super) fn svg_path(modules: &Modules, offset: usize) -> String {
    let mut path = String::with_capacity(modules.size() * modules.size() * 3);
    for (y, row) in modules.rows().iter().enumerate() {
        let mut x = 0;
        while x < modules.size() {
            let run = (x..modules.size()).take_while(|x| row.get(*x)).count();
            if run > 0 {
                let (left, top) = (x + offset, y + offset);
                // Writing to a String cannot fail.
                let _ = write!(path, "M{left} {top}h{run}v1h-{run}z");
            }
            x += run.max(1);
        }
    }
    path
}
