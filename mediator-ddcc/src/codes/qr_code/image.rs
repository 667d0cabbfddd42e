//! Images of a code.

use std::fmt::Write as _;

use super::QUIET_ZONE;
use super::modules::{MARGIN, Modules};

/// Pixels of a PNG image along one side of a module.
const SCALE: usize = 4;

const _: () = assert!(MARGIN == QUIET_ZONE);

pub(super) fn png(modules: &Modules) -> Vec<u8> {
    let side = (modules.size() + 2 * QUIET_ZONE) * SCALE;
    let stride = side.div_ceil(8);
    let mut pixels = Vec::with_capacity(stride * side);
    let light = vec![0xFF_u8; stride];
    let quiet = |pixels: &mut Vec<u8>| {
        for _ in 0..QUIET_ZONE * SCALE {
            pixels.extend_from_slice(&light);
        }
    };
    quiet(&mut pixels);
    let mut line: Vec<u8> = Vec::with_capacity(stride);
    for row in modules.rows() {
        // Four pixels are half a byte, and the margin of a row is as wide as the quiet zone.
        let bytes = row.pairs().map(|pair| match pair {
            0b00 => 0xFF,
            0b01 => 0x0F,
            0b10 => 0xF0,
            _ => 0x00,
        });
        line.clear();
        line.extend(bytes.take(stride));
        for _ in 0..SCALE {
            pixels.extend_from_slice(&line);
        }
    }
    quiet(&mut pixels);
    encode_png(side as u32, &pixels)
}

/// Encodes 1-bit grey pixels. Nearly every line is the one above it, so the filter `Up` leaves
/// zeros and the fastest compression is as good as the best.
#[expect(
    clippy::expect_used,
    reason = "writing to a Vec cannot fail, and the pixels are as many as the header says"
)]
fn encode_png(side: u32, pixels: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(4096);
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Up);
    let mut writer = encoder.write_header().expect("the header is valid");
    writer
        .write_image_data(pixels)
        .expect("the pixels fit the header");
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
