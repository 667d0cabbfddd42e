//! Tables for eyes, coloured on a terminal.

use std::fmt;
use std::io::{self, IsTerminal as _};

/// Rows under a headline, each column as wide as its widest cell.
pub(crate) struct Table {
    headline: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
    colours: bool,
}

/// A cell's text and what it means to the reader.
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

#[derive(Clone, Copy)]
enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
    Dim,
}

impl Cell {
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Plain)
    }

    pub(crate) fn good(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Good)
    }

    pub(crate) fn warning(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Warning)
    }

    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Bad)
    }

    pub(crate) fn dim(text: impl Into<String>) -> Self {
        Self::new(text, Tone::Dim)
    }

    fn new(text: impl Into<String>, tone: Tone) -> Self {
        Self {
            text: printable(&text.into()),
            tone,
        }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }
}

impl Table {
    /// An empty table, coloured when standard output is a terminal and nobody objects.
    pub(crate) fn new(headline: &[&'static str]) -> Self {
        Self {
            headline: headline.to_vec(),
            rows: Vec::new(),
            colours: io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headline = self
            .headline
            .iter()
            .map(|&title| Cell::dim(title))
            .collect();
        let rows: Vec<&Vec<Cell>> = std::iter::once(&headline).chain(&self.rows).collect();
        let widths: Vec<usize> = (0..self.headline.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                cells.map(Cell::width).max().unwrap_or(0)
            })
            .collect();
        for row in rows {
            // The last cell is not filled up: no line ends in spaces.
            let last = row.iter().rposition(|cell| cell.width() > 0).unwrap_or(0);
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate().take(last + 1) {
                if column > 0 {
                    write!(formatter, "  ")?;
                }
                let text = if column == last {
                    cell.text.clone()
                } else {
                    format!("{:<width$}", cell.text)
                };
                match cell.tone.code() {
                    Some(code) if self.colours => {
                        write!(formatter, "\u{1b}[{code}m{text}\u{1b}[0m")?;
                    }
                    _ => write!(formatter, "{text}")?,
                }
            }
            writeln!(formatter)?;
        }
        Ok(())
    }
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Bad => Some("31"),
            Self::Dim => Some("2"),
        }
    }
}

/// Whatever is in OpenHIM was typed by somebody, and a terminal obeys control characters.
fn printable(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_no_line_ends_in_spaces() {
        let mut table = Table::new(&["NAME", "STATE"]);
        table.row([Cell::plain("Zürich"), Cell::good("up")]);
        table.row([Cell::plain("a"), Cell::plain("")]);
        table.colours = false;
        assert_eq!(table.to_string(), "NAME    STATE\nZürich  up\na\n");
    }

    #[test]
    fn colours_surround_cells_and_control_characters_are_replaced() {
        let mut table = Table::new(&["A"]);
        table.row([Cell::bad("x\u{1b}[2J")]);
        table.colours = true;
        let text = table.to_string();
        assert!(text.contains("\u{1b}[31mx\u{fffd}[2J\u{1b}[0m"), "{text:?}");
    }
}
