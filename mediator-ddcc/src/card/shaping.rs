//! From characters to glyphs: which face has them, in which direction they run, how they join.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;
use std::ops::Range;

use krilla::text::{Font, GlyphId, KrillaGlyph};
use rustybuzz::{Direction, UnicodeBuffer};
use unicode_bidi::ParagraphBidiInfo;
use unicode_script::{Script, UnicodeScript as _};

use super::fonts::Fonts;

/// Shapes the texts of one card.
pub(super) struct Shaper<'r> {
    fonts: &'r Fonts,
    faces: Vec<OnceCell<Option<rustybuzz::Face<'r>>>>,
    without_glyph: RefCell<BTreeSet<&'static str>>,
}

/// Neighbouring glyphs of one face, from left to right.
pub(super) struct Run {
    /// Their face.
    pub(super) font: Font,
    /// Whether bold is asked for and the face is not.
    pub(super) embolden: bool,
    /// The glyphs; ranges are those of `text`.
    pub(super) glyphs: Vec<KrillaGlyph>,
    /// The characters, in logical order.
    pub(super) text: String,
    /// First byte of `text` in the paragraph.
    pub(super) start: usize,
    /// Advance in em.
    pub(super) width: f32,
}

/// A text that is ready to be set.
pub(super) struct Paragraph<'t> {
    /// The text, every character of which has a glyph.
    pub(super) text: &'t str,
    /// Whether it is set in a bold face.
    pub(super) bold: bool,
    bidi: ParagraphBidiInfo<'t>,
}

impl<'t> Paragraph<'t> {
    /// `text` comes from [`Shaper::substitute`].
    pub(super) fn new(text: &'t str, bold: bool) -> Self {
        Self {
            text,
            bold,
            bidi: ParagraphBidiInfo::new(text, None),
        }
    }

    /// Whether the text runs from right to left, told by its first letter.
    pub(super) fn is_right_to_left(&self) -> bool {
        self.bidi.paragraph_level.is_rtl()
    }
}

/// Neighbouring characters of one face and script.
struct Item {
    range: Range<usize>,
    face: usize,
    script: Script,
}

impl<'r> Shaper<'r> {
    pub(super) fn new(fonts: &'r Fonts) -> Self {
        Self {
            fonts,
            faces: fonts.faces().iter().map(|_| OnceCell::new()).collect(),
            without_glyph: RefCell::default(),
        }
    }

    /// The text with U+FFFD for each character that no face has, since PDF/A forbids glyphs that
    /// stand for nothing.
    pub(super) fn substitute(&self, text: &str) -> String {
        text.chars()
            .map(|character| {
                if is_invisible(character) || self.face_of(character, false).is_some() {
                    return character;
                }
                self.without_glyph
                    .borrow_mut()
                    .insert(character.script().full_name());
                char::REPLACEMENT_CHARACTER
            })
            .collect()
    }

    /// Scripts of the characters that were substituted.
    pub(super) fn scripts_without_glyph(self) -> BTreeSet<&'static str> {
        self.without_glyph.into_inner()
    }

    /// Glyphs of a line of a paragraph, from left to right.
    pub(super) fn line(&self, paragraph: &Paragraph<'_>, line: Range<usize>) -> Vec<Run> {
        if line.is_empty() {
            return Vec::new();
        }
        let (levels, visual) = paragraph.bidi.visual_runs(line);
        let mut runs = Vec::new();
        for range in visual {
            let right_to_left = levels.get(range.start).is_some_and(|level| level.is_rtl());
            let mut items = self.items(paragraph, range);
            if right_to_left {
                items.reverse();
            }
            runs.extend(
                items
                    .into_iter()
                    .filter_map(|item| self.shape(paragraph, item, right_to_left)),
            );
        }
        runs
    }

    fn face(&self, index: usize) -> Option<&rustybuzz::Face<'r>> {
        self.faces
            .get(index)?
            .get_or_init(|| self.fonts.faces().get(index)?.loaded()?.shaper_face())
            .as_ref()
    }

    fn has(&self, index: usize, character: char) -> bool {
        self.face(index)
            .is_some_and(|face| face.glyph_index(character).is_some())
    }

    fn face_of(&self, character: char, bold: bool) -> Option<usize> {
        self.fonts
            .order(bold)
            .iter()
            .copied()
            .find(|index| self.has(*index, character))
    }

    fn items(&self, paragraph: &Paragraph<'_>, range: Range<usize>) -> Vec<Item> {
        let mut items: Vec<Item> = Vec::new();
        let text = paragraph.text.get(range.clone()).unwrap_or_default();
        for (offset, character) in text.char_indices() {
            let start = range.start + offset;
            let end = start + character.len_utf8();
            let script = character.script();
            // Spaces, digits and marks are set with the letters before them.
            let neutral = matches!(script, Script::Common | Script::Inherited);
            if let Some(item) = items.last_mut()
                && (is_invisible(character) || neutral && self.has(item.face, character))
            {
                item.range.end = end;
                continue;
            }
            let face = self.face_of(character, paragraph.bold).unwrap_or_default();
            match items.last_mut() {
                Some(item)
                    if item.face == face
                        && (item.script == script || item.script == Script::Common) =>
                {
                    item.range.end = end;
                    item.script = script;
                }
                _ => items.push(Item {
                    range: start..end,
                    face,
                    script: if neutral { Script::Common } else { script },
                }),
            }
        }
        items
    }

    fn shape(&self, paragraph: &Paragraph<'_>, item: Item, right_to_left: bool) -> Option<Run> {
        let face = self.face(item.face)?;
        let start = item.range.start;
        let text = paragraph.text.get(item.range)?;
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        buffer.set_direction(if right_to_left {
            Direction::RightToLeft
        } else {
            Direction::LeftToRight
        });
        let source = self.fonts.faces().get(item.face)?;
        let loaded = source.loaded()?;
        let shaped = loaded.plans.shape(face, buffer);
        let infos = shaped.glyph_infos();
        let starts = cluster_starts(infos.iter().map(|info| info.cluster as usize));
        let em = 1.0 / face.units_per_em() as f32;
        let mut width = 0.0;
        let glyphs = infos
            .iter()
            .zip(shaped.glyph_positions())
            // PDF/A forbids the glyph of what has none; substitution leaves no such character.
            .filter(|(info, _)| info.glyph_id != 0)
            .map(|(info, position)| {
                let start = info.cluster as usize;
                let after = starts.partition_point(|other| *other <= start);
                let end = starts.get(after).copied().unwrap_or(text.len());
                let advance = position.x_advance as f32 * em;
                width += advance;
                KrillaGlyph::new(
                    GlyphId::new(info.glyph_id),
                    advance,
                    position.x_offset as f32 * em,
                    position.y_offset as f32 * em,
                    0.0,
                    start..end,
                    None,
                )
            })
            .collect();
        Some(Run {
            font: loaded.font.clone(),
            embolden: paragraph.bold && !source.bold,
            glyphs,
            text: text.to_owned(),
            start,
            width,
        })
    }
}

fn cluster_starts(clusters: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut starts: Vec<usize> = clusters.collect();
    starts.sort_unstable();
    starts.dedup();
    starts
}

/// Whether a character only tells how others are drawn: joiners, direction marks, selectors.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{fe00}'..='\u{fe0f}'
    )
}
