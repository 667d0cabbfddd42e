//! Texts in boxes: broken into lines, and set smaller where they would not fit.

use std::ops::Range;

use unicode_script::{Script, UnicodeScript as _};

use super::shaping::{Paragraph, Run, Shaper};

/// Steps by which a text is set smaller, and the smallest size, as shares of the size asked for.
const STEP: f32 = 0.04;
const SMALLEST: f32 = 0.35;
/// Share of the size below which words are broken rather than the text set still smaller.
const BREAKS_WORDS: f32 = 0.7;
/// Height of capital letters in em; lines begin at their upper edge.
pub(super) const CAPITAL: f32 = 0.714;

/// Room for a text, in em of the size asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Width of a line; unlimited where there is none.
    pub(super) width: Option<f32>,
    /// Lines at the size asked for.
    pub(super) lines: u16,
    /// From baseline to baseline.
    pub(super) leading: f32,
}

/// A text broken into lines.
pub(super) struct Lines {
    /// Share of the size asked for.
    pub(super) scale: f32,
    /// Whether the text runs from right to left.
    pub(super) right_to_left: bool,
    /// The lines, from top to bottom.
    pub(super) lines: Vec<Vec<Run>>,
}

/// Breaks a text into lines that fit the room, at the largest size at which they do. What does
/// not fit at the smallest size ends with an ellipsis.
pub(super) fn lay_out(shaper: &Shaper<'_>, text: &str, bold: bool, room: Room) -> Lines {
    let text = shaper.substitute(text);
    let paragraph = Paragraph::new(&text, bold);
    let whole = shaper.line(&paragraph, 0..text.len());
    let done = |paragraph: &Paragraph<'_>, scale, lines| Lines {
        scale,
        right_to_left: paragraph.is_right_to_left(),
        lines,
    };
    let Some(width) = room.width else {
        return done(&paragraph, 1.0, vec![whole]);
    };
    if whole.iter().map(|run| run.width).sum::<f32>() <= width {
        return done(&paragraph, 1.0, vec![whole]);
    }
    let measured = Measured::new(&text, &whole);
    let shape = |paragraph: &Paragraph<'_>, ranges: Vec<Range<usize>>| {
        ranges
            .into_iter()
            .map(|range| shaper.line(paragraph, range))
            .collect()
    };
    for scale in scales() {
        if let Some(ranges) = measured.fit(room, width, scale) {
            return done(&paragraph, scale, shape(&paragraph, ranges));
        }
    }
    // Looking for the longest beginning that fits with its ellipsis.
    let (mut fits, mut too_long) = (0, measured.clusters.len());
    let beginning = |clusters: usize| {
        let end = measured
            .clusters
            .get(clusters)
            .map_or(text.len(), |cluster| cluster.0);
        format!("{}…", text.get(..end).unwrap_or_default().trim_end())
    };
    let ranges_of = |text: &str| {
        let paragraph = Paragraph::new(text, bold);
        let whole = shaper.line(&paragraph, 0..text.len());
        Measured::new(text, &whole).fit(room, width, SMALLEST)
    };
    while fits + 1 < too_long {
        let middle = fits.midpoint(too_long);
        if ranges_of(&beginning(middle)).is_some() {
            fits = middle;
        } else {
            too_long = middle;
        }
    }
    let text = beginning(fits);
    let paragraph = Paragraph::new(&text, bold);
    let ranges = ranges_of(&text).unwrap_or_default();
    done(&paragraph, SMALLEST, shape(&paragraph, ranges))
}

fn scales() -> impl Iterator<Item = f32> {
    (0_u8..)
        .map(|step| f32::from(step).mul_add(-STEP, 1.0))
        .take_while(|scale| *scale >= SMALLEST)
        .chain([SMALLEST])
}

/// A text with the width of each of its clusters and the places where it may be broken.
struct Measured<'t> {
    text: &'t str,
    /// First byte and the advance of everything before, in em.
    clusters: Vec<(usize, f32)>,
    total: f32,
}

impl<'t> Measured<'t> {
    fn new(text: &'t str, runs: &[Run]) -> Self {
        let mut clusters: Vec<(usize, f32)> = Vec::new();
        for run in runs {
            for glyph in &run.glyphs {
                clusters.push((run.start + glyph.text_range.start, glyph.x_advance));
            }
        }
        clusters.sort_by_key(|cluster| cluster.0);
        clusters.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let mut total = 0.0;
        for cluster in &mut clusters {
            total += std::mem::replace(&mut cluster.1, total);
        }
        Self {
            text,
            clusters,
            total,
        }
    }

    /// Advance of everything before a byte, in em.
    fn before(&self, byte: usize) -> f32 {
        let index = self.clusters.partition_point(|cluster| cluster.0 < byte);
        self.clusters
            .get(index)
            .map_or(self.total, |cluster| cluster.1)
    }

    fn width(&self, range: &Range<usize>) -> f32 {
        let trimmed = self.text.get(range.clone()).unwrap_or_default().trim_end();
        self.before(range.start + trimmed.len()) - self.before(range.start)
    }

    /// The lines at a size, when they are few enough for the room.
    fn fit(&self, room: Room, width: f32, scale: f32) -> Option<Vec<Range<usize>>> {
        let height = f32::from(room.lines.saturating_sub(1)).mul_add(room.leading, CAPITAL);
        let lines = (height - CAPITAL * scale) / (room.leading * scale) + 1.0;
        let ranges = self.fill(width / scale, scale < BREAKS_WORDS)?;
        (ranges.len() as f32 <= lines + 0.001).then_some(ranges)
    }

    /// Lines of a width, in em; none when a word is wider and must not be broken.
    fn fill(&self, width: f32, break_words: bool) -> Option<Vec<Range<usize>>> {
        let mut lines: Vec<Range<usize>> = Vec::new();
        let mut line = 0..0;
        for piece in pieces(self.text) {
            if self.width(&(line.start..piece.end)) <= width {
                line.end = piece.end;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::replace(&mut line, piece.start..piece.start));
            }
            if self.width(&piece) <= width {
                line.end = piece.end;
                continue;
            }
            if !break_words {
                return None;
            }
            let from = self
                .clusters
                .partition_point(|cluster| cluster.0 < piece.start);
            for cluster in self.clusters.iter().skip(from) {
                if cluster.0 >= piece.end {
                    break;
                }
                let end = cluster.0;
                let after = self.clusters.partition_point(|other| other.0 <= cluster.0);
                let next = self
                    .clusters
                    .get(after)
                    .map_or(self.text.len(), |other| other.0);
                if end > line.start && self.width(&(line.start..next)) > width {
                    lines.push(line.start..end);
                    line = end..end;
                }
            }
            line.end = piece.end;
        }
        if !line.is_empty() {
            lines.push(line);
        }
        for line in &mut lines {
            let trimmed = self.text.get(line.clone()).unwrap_or_default().trim_end();
            line.end = line.start + trimmed.len();
        }
        Some(lines)
    }
}

/// The parts between which a line may be broken: words with the spaces after them, and single
/// ideographs.
fn pieces(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut starts = vec![0];
    let mut previous: Option<char> = None;
    for (start, character) in text.char_indices() {
        if let Some(previous) = previous
            && may_break(previous, character)
        {
            starts.push(start);
        }
        previous = Some(character);
    }
    let mut ends = starts.clone().into_iter().skip(1).collect::<Vec<_>>();
    ends.push(text.len());
    starts.into_iter().zip(ends).map(|(start, end)| start..end)
}

fn may_break(before: char, after: char) -> bool {
    if after.is_whitespace() || is_closing(after) || before == '\u{a0}' {
        return false;
    }
    before.is_whitespace()
        || matches!(before, '-' | '/' | '\u{200b}')
        || (is_ideograph(before) || is_ideograph(after)) && !is_opening(before)
}

fn is_ideograph(character: char) -> bool {
    matches!(
        character.script(),
        Script::Han | Script::Hiragana | Script::Katakana | Script::Bopomofo
    )
}

fn is_closing(character: char) -> bool {
    matches!(
        character,
        '、' | '。'
            | '，'
            | '．'
            | '：'
            | '；'
            | '！'
            | '？'
            | '）'
            | '」'
            | '』'
            | '】'
            | '》'
            | '〉'
            | '·'
            | '・'
            | '-'
            | ','
            | '.'
            | ';'
            | ':'
            | '!'
            | '?'
            | ')'
            | ']'
            | '”'
            | '’'
            | '»'
    )
}

fn is_opening(character: char) -> bool {
    matches!(
        character,
        '（' | '「' | '『' | '【' | '《' | '〈' | '(' | '[' | '“' | '‘' | '«'
    )
}
