//! Images of a code.

use std::fmt::Write as _;

use super::QUIET_ZONE;
use super::image_data::ImageData;
use super::modules::{MARGIN, Modules};

/// Pixels of a PNG image along one side of a module.
const SCALE: usize = 4;
/// Filter type of a line that is as it is (PNG section 9.2).
const NO_FILTER: u8 = 0;

const _: () = assert!(MARGIN == QUIET_ZONE);

pub(super) fn png(modules: &Modules) -> Vec<u8> {
    let side = (modules.size() + 2 * QUIET_ZONE) * SCALE;
    let stride = side.div_ceil(8);
    let mut data = ImageData::new();
    let mut quiet = vec![0xFF; 1 + stride];
    quiet[0] = NO_FILTER;
    let add_quiet = |data: &mut ImageData| (0..QUIET_ZONE).for_each(|_| data.add(&quiet, SCALE));
    add_quiet(&mut data);
    let mut line: Vec<u8> = Vec::with_capacity(1 + stride);
    for row in modules.rows() {
        // Four pixels are half a byte, and the margin of a row is as wide as the quiet zone.
        let pairs = row.pairs();
        let bytes = pairs.iter().take(stride);
        line.clear();
        line.push(NO_FILTER);
        line.extend(bytes.map(|pair| [0xFF, 0x0F, 0xF0, 0x00][usize::from(*pair)]));
        data.add(&line, SCALE);
    }
    add_quiet(&mut data);
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
