//! The pages of a PDF document, drawn.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::hayro_syntax::page::Page;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{PixmapSettings, RenderCache, RenderSettings, render};
use image::{GrayImage, RgbaImage, imageops};

use super::{ImageError, SEARCHED_SIDE, guarded};

/// Pages that are drawn.
const MAXIMUM_PAGES: usize = 8;
/// Pixels per PDF point: 300 dots per inch, so that the modules of a code on a wallet-size card
/// are several pixels wide.
const SCALE: f32 = 300.0 / 72.0;
/// Contents of pages are nested.
const STACK: usize = 16 * 1024 * 1024;

type Drawn = Result<GrayImage, ImageError>;

pub(super) fn is_pdf(bytes: &[u8]) -> bool {
    bytes.starts_with(b"%PDF-")
}

/// Draws the pages one by one while the caller looks at the one before. Waiting for all of them
/// takes no longer than the given time.
pub(super) fn draw(bytes: &[u8], time: Duration) -> Result<Pages, ImageError> {
    let (sender, pages) = sync_channel(1);
    let bytes = Arc::new(bytes.to_vec());
    thread::Builder::new()
        .name("pdf".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            let drawn =
                guarded(|| draw_pages(bytes, &sender)).unwrap_or(Err(ImageError::Unreadable));
            if let Err(error) = drawn {
                // Whoever asked may have gone away.
                let _ = sender.send(Err(error));
            }
        })
        .map_err(|_| ImageError::Unreadable)?;
    Ok(Pages {
        pages: Some(pages),
        time,
    })
}

/// Pages, up to the first that cannot be drawn.
pub(super) struct Pages {
    pages: Option<Receiver<Drawn>>,
    /// That is left for drawing.
    time: Duration,
}

impl Iterator for Pages {
    type Item = Drawn;

    fn next(&mut self) -> Option<Drawn> {
        let begun = Instant::now();
        let page = self.pages.as_ref()?.recv_timeout(self.time);
        self.time = self.time.saturating_sub(begun.elapsed());
        let page = match page {
            Ok(page) => page,
            Err(RecvTimeoutError::Timeout) => Err(ImageError::TooSlow),
            Err(RecvTimeoutError::Disconnected) => return None,
        };
        if page.is_err() {
            // The thread ends at the next page it has.
            self.pages = None;
        }
        Some(page)
    }
}

/// Ends early when nobody looks at the pages any more.
fn draw_pages(bytes: Arc<Vec<u8>>, pages: &SyncSender<Drawn>) -> Result<(), ImageError> {
    let pdf = Pdf::new(bytes).map_err(|_| ImageError::Unreadable)?;
    let cache = RenderCache::new();
    for page in pdf.pages().iter().take(MAXIMUM_PAGES) {
        if pages.send(Ok(draw_page(page, &cache)?)).is_err() {
            break;
        }
    }
    Ok(())
}

fn draw_page<'a>(page: &'a Page<'a>, cache: &RenderCache<'a>) -> Drawn {
    let (width, height) = page.render_dimensions();
    let longer = width.max(height);
    if !(longer.is_finite() && width >= 1.0 && height >= 1.0) {
        return Err(ImageError::Unreadable);
    }
    // A4 fits; what is larger is drawn smaller.
    let scale = SCALE.min(SEARCHED_SIDE as f32 / longer);
    let pixmap = render(
        page,
        cache,
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
    let image = RgbaImage::from_raw(width, height, rgba).ok_or(ImageError::Unreadable)?;
    Ok(imageops::grayscale(&image))
}
