//! The tokens of a map as they are written, with what the layout must know of each.

use crate::language::lexer::{Lexed, Span, Token};
use crate::language::map_parser::{Declaration, Mark, Marked};
use crate::language::spacing::{Place, Spacing};

/// A comment before a token.
pub(super) struct Comment<'t> {
    pub(super) text: &'t str,
    /// Line ends between it and what stands before it.
    pub(super) lines_before: usize,
    /// Whether the line ends with it whatever follows.
    pub(super) ends_line: bool,
}

/// A token as it is written.
pub(super) struct Piece<'t> {
    pub(super) text: &'t str,
    /// Whether a space stands before it, on the same line.
    pub(super) space: bool,
    pub(super) marks: Vec<Mark>,
    pub(super) comments: Vec<Comment<'t>>,
    /// Line ends between it and what stands before it.
    pub(super) lines_before: usize,
}

impl Piece<'_> {
    pub(super) fn is(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }

    pub(super) fn declaration(&self) -> Option<Declaration> {
        self.marks.iter().find_map(|mark| match mark {
            Mark::Declaration(declaration) => Some(*declaration),
            _ => None,
        })
    }

    /// Characters on one line.
    pub(super) fn width(&self) -> usize {
        usize::from(self.space) + self.text.chars().count()
    }
}

/// The pieces of a map; the last is its end, which is empty.
pub(super) fn pieces<'t>(text: &'t str, marked: &Marked) -> Vec<Piece<'t>> {
    let mut pieces = Vec::with_capacity(marked.tokens.len());
    let mut spacing = Spacing::new();
    let mut place = Place::Rule;
    let mut marks = marked.marks.iter().peekable();
    let mut comments = marked.comments.iter().peekable();
    let mut waiting = Vec::new();
    let mut end = 0;
    for (index, lexed) in marked.tokens.iter().enumerate() {
        let mut own = Vec::new();
        while let Some((_, mark)) = marks.next_if(|(token, _)| *token == index) {
            own.push(*mark);
        }
        for mark in &own {
            if let Mark::Missing(symbol) = mark {
                let missing = Token::Symbol(symbol);
                spacing.precedes(&missing, false, place);
                pieces.push(Piece {
                    text: symbol,
                    space: false,
                    marks: Vec::new(),
                    comments: Vec::new(),
                    lines_before: 0,
                });
            }
        }
        while let Some(comment) = comments.next_if(|comment| comment.before == index) {
            let written = comment.span.of(text);
            waiting.push(Comment {
                text: written,
                lines_before: lines(text, end, comment.span.begin),
                ends_line: written.starts_with("//"),
            });
            end = comment.span.end;
        }
        if own.contains(&Mark::Superfluous) {
            // The token goes, and comments before it stay.
            end = lexed.span.end;
            continue;
        }
        place = next_place(place, lexed, &own);
        let keyword = own.contains(&Mark::Keyword);
        pieces.push(Piece {
            text: lexed.span.of(text),
            space: spacing.precedes(&lexed.token, keyword, place),
            marks: own,
            comments: std::mem::take(&mut waiting),
            lines_before: lines(text, end, lexed.span.begin),
        });
        end = lexed.span.end;
    }
    pieces
}

fn next_place(place: Place, lexed: &Lexed, marks: &[Mark]) -> Place {
    let declared = marks.iter().find_map(|mark| match mark {
        Mark::Declaration(declaration) => Some(*declaration),
        _ => None,
    });
    match declared {
        Some(Declaration::Metadata) => Place::MetadataPath,
        Some(Declaration::ConceptMap) => Place::ConceptMap,
        Some(_) => Place::Rule,
        None if place == Place::MetadataPath && lexed.token == Token::Symbol("=") => Place::Rule,
        None => place,
    }
}

fn lines(text: &str, begin: usize, end: usize) -> usize {
    Span { begin, end }.of(text).matches('\n').count()
}
