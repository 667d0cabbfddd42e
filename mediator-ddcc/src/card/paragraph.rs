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
#[derive(Debug, Clone, Copy, PartialEq)]
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::sync::LazyLock;

    use proptest::prelude::*;
    use rstest::rstest;

    use super::super::fonts::Fonts;
    use super::*;

    static FONTS: LazyLock<Fonts> = LazyLock::new(Fonts::built_in);

    const NAME: Room = Room {
        width: Some(28.0),
        lines: 2,
        leading: 1.25,
    };

    fn set(text: &str, room: Room) -> Lines {
        lay_out(&Shaper::new(&FONTS), text, true, room)
    }

    fn texts(lines: &Lines) -> Vec<String> {
        let text_of = |line: &Vec<Run>| {
            let mut runs: Vec<&Run> = line.iter().collect();
            runs.sort_by_key(|run| run.start);
            runs.iter().map(|run| run.text.as_str()).collect()
        };
        lines.lines.iter().map(text_of).collect()
    }

    fn assert_fits(lines: &Lines, room: Room) {
        for line in &lines.lines {
            let width: f32 = line.iter().map(|run| run.width).sum();
            assert!(width * lines.scale <= room.width.unwrap() + 0.001);
        }
        let height = |count: f32, scale: f32| ((count - 1.0) * room.leading + CAPITAL) * scale;
        let needed = height(lines.lines.len() as f32, lines.scale);
        assert!(needed <= height(f32::from(room.lines), 1.0) + 0.01);
    }

    #[test]
    fn what_fits_is_one_line_of_full_size() {
        let lines = set("Thérèse Lefèbvre", NAME);
        assert_eq!(texts(&lines), ["Thérèse Lefèbvre"]);
        assert!((lines.scale - 1.0).abs() < f32::EPSILON);
        assert!(!lines.right_to_left);
    }

    #[test]
    fn lines_are_broken_between_words_before_the_text_gets_smaller() {
        let lines = set(
            "Maximiliana Konstantinopolitanska Wolfeschlegelsteinhausen",
            NAME,
        );
        assert_eq!(
            texts(&lines),
            [
                "Maximiliana Konstantinopolitanska",
                "Wolfeschlegelsteinhausen"
            ]
        );
        assert!((lines.scale - 1.0).abs() < f32::EPSILON);
    }

    #[rstest]
    #[case::latin("Wolfeschlegelsteinhausen Bergerdorff ".repeat(9).chars().take(300).collect())]
    #[case::chinese("奥卢斯·阿杰里乌斯".chars().cycle().take(100).collect())]
    #[case::arabic("أولوس أجيريوس ".chars().cycle().take(300).collect())]
    #[case::one_word("m".repeat(120))]
    fn long_names_are_shown_whole(#[case] name: String) {
        let lines = set(&name, NAME);
        assert_fits(&lines, NAME);
        let letters = |text: &str| text.chars().filter(|c| *c != ' ').collect::<String>();
        assert_eq!(letters(&texts(&lines).concat()), letters(&name));
    }

    #[test]
    fn what_fits_at_no_size_ends_with_an_ellipsis() {
        let room = Room { lines: 1, ..NAME };
        let lines = set(&"Centre hospitalier ".repeat(50), room);
        assert_fits(&lines, room);
        let text = texts(&lines).concat();
        assert!(text.starts_with("Centre hospitalier") && text.ends_with('…'));
        assert!(text.len() > 60, "{text}");
    }

    #[test]
    fn arabic_runs_from_right_to_left_and_joins() {
        let lines = set("محمد", NAME);
        assert!(lines.right_to_left);
        let run = lines.lines[0].first().unwrap();
        let starts: Vec<usize> = run
            .glyphs
            .iter()
            .map(|glyph| glyph.text_range.start)
            .collect();
        assert!(
            starts.is_sorted_by(|left, right| left > right),
            "{starts:?}"
        );
        // The two letters م have different forms: initial and medial.
        let forms: Vec<_> = run.glyphs.iter().map(|glyph| glyph.glyph_id).collect();
        let joined: std::collections::HashSet<_> = forms.iter().collect();
        assert_eq!(joined.len(), 4, "{forms:?}");
    }

    #[test]
    fn a_number_in_an_arabic_line_keeps_its_order() {
        let lines = set("مركز 12 شمال", NAME);
        let numbers: Vec<&str> = lines.lines[0]
            .iter()
            .map(|run| run.text.trim())
            .filter(|text| text.starts_with('1'))
            .collect();
        assert_eq!(numbers, ["12"]);
        // From left to right: the last word, the number, the first word.
        let starts: Vec<usize> = lines.lines[0].iter().map(|run| run.start).collect();
        assert!(
            starts.is_sorted_by(|left, right| left > right),
            "{starts:?}"
        );
    }

    #[test]
    fn ideographs_are_not_separated_from_their_punctuation() {
        let room = Room {
            width: Some(4.0),
            lines: 9,
            leading: 1.2,
        };
        let lines = set("接种地点，接种（地点）", room);
        assert_eq!(texts(&lines), ["接种地", "点，接种", "（地点）"]);
    }

    #[test]
    fn characters_without_a_glyph_are_substituted_and_reported_by_script() {
        let shaper = Shaper::new(&FONTS);
        let lines = lay_out(&shaper, "Ana 𞤀", false, NAME);
        assert_eq!(texts(&lines), ["Ana \u{fffd}"]);
        assert!(shaper.scripts_without_glyph().contains("Adlam"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_leaves_its_room(text in "[a-zA-Z \u{e9}\u{627}-\u{64a}\u{4e00}-\u{4e80}،,0-9-]{0,400}") {
            let lines = set(&text, NAME);
            assert_fits(&lines, NAME);
            for run in lines.lines.iter().flatten() {
                for glyph in &run.glyphs {
                    prop_assert_ne!(glyph.glyph_id.to_u32(), 0);
                    prop_assert!(run.text.get(glyph.text_range.clone()).is_some());
                }
            }
        }

        #[test]
        fn any_text_can_be_set(text in ".{0,80}") {
            assert_fits(&set(&text, NAME), NAME);
        }
    }
}
