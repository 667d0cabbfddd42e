//! The parts of an image that look like a code: a square of light and dark, with light around it.

use image::{GrayImage, Luma, imageops};

/// An image is divided into this many cells along its longer side, so that a cell of a page is
/// some modules wide and narrower than the light around a code.
const CELLS: u32 = 250;
/// Pixels of a cell along its side, at least.
const MINIMUM_CELL: u32 = 6;
/// Cells along the side of the smallest region.
const MINIMUM_SIDE: u32 = 8;
/// Regions that are looked at, the largest first.
const MAXIMUM_REGIONS: usize = 16;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Region {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
}

impl Region {
    /// This part of the image.
    pub(super) fn cut(self, image: &GrayImage) -> GrayImage {
        let (width, height) = (self.right - self.left, self.bottom - self.top);
        imageops::crop_imm(image, self.left, self.top, width, height).to_image()
    }

    /// Paints this part white.
    pub(super) fn erase(self, image: &mut GrayImage) {
        for y in self.top..self.bottom {
            for x in self.left..self.right {
                image.put_pixel(x, y, Luma([255]));
            }
        }
    }

    fn area(self) -> u64 {
        u64::from(self.right - self.left) * u64::from(self.bottom - self.top)
    }
}

/// Finds the regions, the largest first. None is found where there are no two such parts to be
/// told apart.
pub(super) fn find(image: &GrayImage) -> Vec<Region> {
    let (width, height) = image.dimensions();
    let cell = (width.max(height) / CELLS).max(MINIMUM_CELL);
    let (columns, rows) = (width / cell, height / cell);
    let mut mixed = mixed_cells(image, cell, columns, rows);
    let mut regions = Vec::new();
    for start in 0..mixed.len() {
        if !mixed[start] {
            continue;
        }
        let part = take_part(&mut mixed, start, columns as usize);
        let (part_width, part_height) = (part.right - part.left + 1, part.bottom - part.top + 1);
        let is_square = part_width * 2 <= part_height * 3 && part_height * 2 <= part_width * 3;
        // Half of it where a code is turned by 45 degrees.
        let is_full = part.cells * 5 >= part_width * part_height * 2;
        if is_square && is_full && part_width.min(part_height) >= MINIMUM_SIDE {
            regions.push(Region {
                left: (part.left * cell).saturating_sub(2 * cell),
                top: (part.top * cell).saturating_sub(2 * cell),
                right: ((part.right + 3) * cell).min(width),
                bottom: ((part.bottom + 3) * cell).min(height),
            });
        }
    }
    regions.sort_by_key(|region| std::cmp::Reverse(region.area()));
    regions.truncate(MAXIMUM_REGIONS);
    regions
}

/// Which cells are neither light nor dark throughout, row by row.
fn mixed_cells(image: &GrayImage, cell: u32, columns: u32, rows: u32) -> Vec<bool> {
    let mut dark = vec![0_u32; (columns * rows) as usize];
    for (y, row) in (0..rows * cell).zip(image.rows()) {
        let line = (y / cell * columns) as usize;
        for (x, pixel) in (0..columns * cell).zip(row) {
            if pixel.0[0] < 128 {
                dark[line + (x / cell) as usize] += 1;
            }
        }
    }
    let pixels = cell * cell;
    dark.into_iter()
        .map(|dark| (pixels / 10..=pixels - pixels / 10).contains(&dark))
        .collect()
}

/// Connected cells: how many, and within which.
struct Part {
    left: u32,
    top: u32,
    right: u32,
    bottom: u32,
    cells: u32,
}

/// Takes the cells away that are connected with one.
fn take_part(mixed: &mut [bool], start: usize, columns: usize) -> Part {
    let mut part = Part {
        left: u32::MAX,
        top: u32::MAX,
        right: 0,
        bottom: 0,
        cells: 0,
    };
    let mut waiting = vec![start];
    mixed[start] = false;
    while let Some(index) = waiting.pop() {
        // Cells are counted in u32.
        let (x, y) = ((index % columns) as u32, (index / columns) as u32);
        part.left = part.left.min(x);
        part.right = part.right.max(x);
        part.top = part.top.min(y);
        part.bottom = part.bottom.max(y);
        part.cells += 1;
        let neighbours = [
            (x > 0).then(|| index - 1),
            ((x as usize) + 1 < columns).then_some(index + 1),
            index.checked_sub(columns),
            Some(index + columns),
        ];
        for next in neighbours.into_iter().flatten() {
            if mixed.get(next) == Some(&true) {
                mixed[next] = false;
                waiting.push(next);
            }
        }
    }
    part
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Squares of a pattern, 100 pixels wide, on a page.
    fn page(squares: &[(u32, u32)]) -> GrayImage {
        GrayImage::from_fn(800, 600, |x, y| {
            let is_in = |(left, top): &(u32, u32)| {
                (*left..left + 100).contains(&x) && (*top..top + 100).contains(&y)
            };
            let is_dark = squares.iter().any(is_in) && (x / 3 + y / 3).is_multiple_of(2);
            Luma([if is_dark { 0 } else { 255 }])
        })
    }

    #[test]
    fn neighbours_are_told_apart() {
        let squares = [(50, 60), (180, 60), (50, 190)];
        let regions = find(&page(&squares));
        assert_eq!(regions.len(), 3);
        for (left, top) in squares {
            let holds = |region: &&Region| {
                region.left <= left
                    && region.top <= top
                    && region.right >= left + 100
                    && region.bottom >= top + 100
                    && region.area() < 130 * 130
            };
            assert_eq!(regions.iter().filter(holds).count(), 1);
        }
    }

    #[test]
    fn a_region_is_cut_and_erased() {
        let mut image = page(&[(0, 0), (700, 500)]);
        let regions = find(&image);
        assert_eq!(regions.len(), 2);
        for region in regions {
            assert!(region.cut(&image).pixels().any(|pixel| pixel.0[0] == 0));
            region.erase(&mut image);
        }
        assert!(image.pixels().all(|pixel| pixel.0[0] == 255));
    }

    #[test]
    fn there_may_be_nothing() {
        assert_eq!(find(&page(&[])), []);
        assert_eq!(find(&GrayImage::new(0, 0)), []);
        assert_eq!(find(&GrayImage::new(3, 5000)), []);
        // A line of text
        let line = page(&[(0, 300), (100, 300), (200, 300), (300, 300)]);
        assert_eq!(find(&line), []);
    }
}
