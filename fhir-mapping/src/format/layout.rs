//! Where lines begin.

use super::pieces::Piece;
use crate::language::map_parser::{Declaration, Mark};

/// Characters of a line, where there is a place to break it.
const WIDTH: usize = 100;
const INDENT: usize = 2;
/// Of a line that goes on with a rule.
const CONTINUATION: usize = 4;

/// What stands before a piece.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// Nothing, or a space.
    Inline,
    Line,
    /// A line, and an empty one before it if there is one in the text.
    LooseLine,
    /// A line and an empty one before it.
    EmptyLine,
}

/// How a rule or the head of a group is broken.
#[derive(Clone, Copy, Default)]
struct Breaks {
    inputs: bool,
    sources: bool,
    targets: bool,
    then: bool,
}

struct Layout {
    text: String,
    depth: usize,
    breaks: Breaks,
}

pub(super) fn layout(pieces: &[Piece<'_>]) -> String {
    let mut layout = Layout {
        text: String::new(),
        depth: 0,
        breaks: Breaks::default(),
    };
    let mut last_declaration = None;
    let mut opened = true;
    for (index, piece) in pieces.iter().enumerate() {
        let is_end = index + 1 == pieces.len();
        if piece.is(Mark::Close) {
            layout.depth = layout.depth.saturating_sub(1);
        }
        let statement = layout.depth * INDENT;
        let continued = statement + CONTINUATION;
        let (gap, indent) = if let Some(declaration) = piece.declaration() {
            layout.breaks = Breaks::default();
            if declaration == Declaration::Group {
                layout.breaks.inputs = is_too_wide(head(&pieces[index..]), 0);
            }
            let gap = between_declarations(last_declaration, declaration);
            last_declaration = Some(declaration);
            (gap, 0)
        } else if piece.is(Mark::Rule) {
            layout.breaks = breaks(head(&pieces[index..]), statement);
            (if opened { Gap::Line } else { Gap::LooseLine }, statement)
        } else if piece.is(Mark::Entry) {
            (if opened { Gap::Line } else { Gap::LooseLine }, statement)
        } else if piece.is(Mark::Close) {
            (Gap::Line, statement)
        } else if is_end {
            (Gap::LooseLine, 0)
        } else if piece.is(Mark::Then) && layout.breaks.then {
            let opens = pieces
                .get(index + 1)
                .is_some_and(|next| next.is(Mark::Open));
            let aligned = opens || layout.breaks.targets;
            (Gap::Line, if aligned { statement } else { continued })
        } else if (piece.is(Mark::Target) && layout.breaks.targets)
            || ((piece.is(Mark::Source) || piece.is(Mark::Clause)) && layout.breaks.sources)
        {
            (Gap::Line, continued)
        } else if piece.is(Mark::Input) && layout.breaks.inputs {
            (Gap::Line, INDENT)
        } else if layout.breaks.inputs && piece.text == ")" {
            (Gap::Line, 0)
        } else {
            (
                Gap::Inline,
                if layout.breaks.inputs {
                    INDENT
                } else {
                    continued
                },
            )
        };
        // Comments before a closing brace belong to what is in the braces.
        let comments = if piece.is(Mark::Close) {
            (Gap::LooseLine, indent + INDENT)
        } else {
            (gap, indent)
        };
        layout.piece(piece, (gap, indent), comments, opened && !is_end);
        opened = piece.is(Mark::Open);
        if opened {
            layout.depth += 1;
            layout.breaks = Breaks::default();
        }
    }
    while layout.text.ends_with(['\n', ' ']) {
        layout.text.pop();
    }
    layout.text.push('\n');
    layout.text
}

fn between_declarations(before: Option<Declaration>, declaration: Declaration) -> Gap {
    let has_block = |one| matches!(one, Declaration::Group | Declaration::ConceptMap);
    let is_header = |one| matches!(one, Declaration::Map | Declaration::Metadata);
    match before {
        None => Gap::LooseLine,
        Some(before) if has_block(before) || has_block(declaration) => Gap::EmptyLine,
        Some(before) if before == declaration => Gap::LooseLine,
        Some(before) if is_header(before) && is_header(declaration) => Gap::LooseLine,
        Some(_) => Gap::EmptyLine,
    }
}

/// The pieces of a rule or of a group up to its block, or to its end.
fn head<'p, 't>(pieces: &'p [Piece<'t>]) -> &'p [Piece<'t>] {
    let end = pieces
        .iter()
        .enumerate()
        .skip(1)
        .find_map(|(index, piece)| {
            if piece.is(Mark::Open) {
                return Some(index + 1);
            }
            let is_next = piece.is(Mark::Rule) || piece.is(Mark::Close);
            (is_next || piece.declaration().is_some()).then_some(index)
        });
    pieces
        .get(..end.unwrap_or(pieces.len()))
        .unwrap_or_default()
}

fn width(pieces: &[Piece<'_>]) -> usize {
    pieces.iter().map(Piece::width).sum()
}

/// Whether the pieces do not stand on one line.
fn is_too_wide(pieces: &[Piece<'_>], indent: usize) -> bool {
    // Comments of the first piece stand before it.
    let commented = pieces
        .iter()
        .skip(1)
        .any(|piece| !piece.comments.is_empty());
    let of_several_lines = pieces.iter().any(|piece| piece.text.contains('\n'));
    commented || of_several_lines || indent + width(pieces) > WIDTH
}

fn breaks(head: &[Piece<'_>], indent: usize) -> Breaks {
    if !is_too_wide(head, indent) {
        return Breaks::default();
    }
    let until = |is_end: fn(&Piece<'_>) -> bool| {
        let end = head.iter().position(is_end).unwrap_or(head.len());
        head.get(..end).unwrap_or_default()
    };
    let sources = until(|piece| piece.is(Mark::Target) || piece.is(Mark::Then));
    let before_then = until(|piece| piece.is(Mark::Then));
    let targets = head.iter().filter(|piece| piece.is(Mark::Target)).count();
    Breaks {
        inputs: false,
        sources: is_too_wide(sources, indent),
        targets: targets > 1 || is_too_wide(before_then, indent),
        then: true,
    }
}

impl Layout {
    /// Adds a piece with what stands before it, and its comments with what stands before each.
    fn piece(
        &mut self,
        piece: &Piece<'_>,
        (mut gap, indent): (Gap, usize),
        (mut comment_gap, comment_indent): (Gap, usize),
        opened: bool,
    ) {
        // A comment that begins a line, and the token goes on after it.
        let mut goes_on = false;
        for (index, comment) in piece.comments.iter().enumerate() {
            let next = piece.comments.get(index + 1);
            let lines_after = next.map_or(piece.lines_before, |next| next.lines_before);
            if comment.lines_before == 0 && !self.text.is_empty() {
                if !self.text.ends_with('\n') {
                    self.text.push(' ');
                }
                self.text.push_str(comment.text);
                goes_on = gap == Gap::Inline || goes_on;
            } else {
                let opened = opened && index == 0;
                self.new_line(comment_gap, comment.lines_before, comment_indent, opened);
                self.text.push_str(comment.text);
                goes_on = true;
                // The empty line stands before the comments, not after them.
                if comment_gap == Gap::EmptyLine {
                    (gap, comment_gap) = (Gap::LooseLine, Gap::LooseLine);
                }
            }
            if comment.ends_line || lines_after > 0 {
                goes_on = false;
                if gap == Gap::Inline && (comment.ends_line || comment.lines_before > 0) {
                    gap = Gap::Line;
                }
            }
        }
        if piece.text.is_empty() {
            return;
        }
        if (goes_on && !piece.is(Mark::Close)) || gap == Gap::Inline {
            if piece.space || !piece.comments.is_empty() {
                self.text.push(' ');
            }
        } else {
            let opened = opened && piece.comments.is_empty();
            self.new_line(gap, piece.lines_before, indent, opened);
        }
        self.text.push_str(piece.text);
    }

    /// Begins a line, after an empty one where the gap asks for it.
    fn new_line(&mut self, gap: Gap, lines: usize, indent: usize, opened: bool) {
        if self.text.is_empty() {
            return;
        }
        self.text.push('\n');
        let is_loose = gap == Gap::LooseLine && lines > 1 && !opened;
        if gap == Gap::EmptyLine || is_loose {
            self.text.push('\n');
        }
        self.text.extend(std::iter::repeat_n(' ', indent));
    }
}
