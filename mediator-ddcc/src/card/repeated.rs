//! What cards of one template have in common: their shapes, and the texts that the template itself
//! has. Both are prepared once. Nothing about a person is kept: a name is no text of the template.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::paragraph::{Lines, Room};

/// Variants of the shapes, and labels, that are kept at most: some more than templates have.
const SHAPES: usize = 32;
const LABELS: usize = 512;

pub(super) struct Repeated {
    template: String,
    shapes: RwLock<HashMap<String, Arc<usvg::Tree>>>,
    labels: RwLock<HashMap<String, Vec<Label>>>,
}

struct Label {
    bold: bool,
    room: Room,
    lines: Arc<Lines>,
}

impl Repeated {
    pub(super) fn new(template: String) -> Self {
        Self {
            template,
            shapes: RwLock::default(),
            labels: RwLock::default(),
        }
    }

    /// The tree of an SVG, made by `parse` where it is not known.
    pub(super) fn shapes<E>(
        &self,
        svg: String,
        parse: impl FnOnce(&str) -> Result<usvg::Tree, E>,
    ) -> Result<Arc<usvg::Tree>, E> {
        let known = self.shapes.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(tree) = known.get(&svg) {
            return Ok(Arc::clone(tree));
        }
        drop(known);
        let tree = Arc::new(parse(&svg)?);
        let mut known = self.shapes.write().unwrap_or_else(PoisonError::into_inner);
        // Where values are in the shapes, each card has others.
        if known.len() >= SHAPES {
            known.clear();
        }
        known.insert(svg, Arc::clone(&tree));
        Ok(tree)
    }

    /// The lines of a text, made by `lay_out` where it is no known label.
    pub(super) fn lines(
        &self,
        text: &str,
        bold: bool,
        room: Room,
        lay_out: impl FnOnce() -> Lines,
    ) -> Arc<Lines> {
        let labels = self.labels.read().unwrap_or_else(PoisonError::into_inner);
        let known = labels.get(text).into_iter().flatten();
        if let Some(label) = known
            .into_iter()
            .find(|label| label.bold == bold && label.room == room)
        {
            return Arc::clone(&label.lines);
        }
        let is_full = labels.len() >= LABELS;
        drop(labels);
        let lines = Arc::new(lay_out());
        if self.template.contains(text) && !is_full {
            let mut labels = self.labels.write().unwrap_or_else(PoisonError::into_inner);
            let rooms = labels.entry(text.to_owned()).or_default();
            if rooms.len() < LABELS {
                rooms.push(Label {
                    bold,
                    room,
                    lines: Arc::clone(&lines),
                });
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    const ROOM: Room = Room {
        width: Some(10.0),
        lines: 1,
        leading: 1.3,
    };

    fn lines() -> Lines {
        Lines {
            scale: 1.0,
            right_to_left: false,
            lines: Vec::new(),
        }
    }

    #[test]
    fn labels_are_kept_and_names_are_not() {
        let repeated = Repeated::new("<text>Name</text><text>{{ name }}</text>".to_owned());
        let mut times = 0;
        let mut get = |text: &str, bold: bool, room: Room| {
            repeated.lines(text, bold, room, || {
                times += 1;
                lines()
            });
            times
        };
        assert_eq!(get("Name", false, ROOM), 1);
        assert_eq!(get("Name", false, ROOM), 1);
        assert_eq!(get("Name", true, ROOM), 2);
        let narrow = Room {
            width: Some(2.0),
            ..ROOM
        };
        assert_eq!(get("Name", false, narrow), 3);
        for times in [4, 5] {
            assert_eq!(get("Aulus Agerius", false, ROOM), times);
        }
        assert_eq!(repeated.labels.read().unwrap().len(), 1);
    }

    #[test]
    fn shapes_are_kept_and_not_without_end() {
        let repeated = Repeated::new(String::new());
        let mut times = 0;
        let mut get = |width: usize| {
            let svg = format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"1\"/>"
            );
            let tree = repeated.shapes(svg, |svg| {
                times += 1;
                usvg::Tree::from_str(svg, &usvg::Options::default())
            });
            assert_eq!(tree.unwrap().size().width(), width as f32);
            times
        };
        assert_eq!(get(1), 1);
        assert_eq!(get(1), 1);
        for width in 2..100 {
            get(width);
        }
        assert_eq!(get(99), 99);
        assert!(repeated.shapes.read().unwrap().len() <= SHAPES);
        let failed = repeated.shapes("<".to_owned(), |_| Err("broken"));
        assert_eq!(failed.err(), Some("broken"));
    }
}
