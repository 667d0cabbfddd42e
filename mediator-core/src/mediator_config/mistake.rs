use std::fmt;
use std::path::{Path, PathBuf};

/// Where a mistake is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An element of the document, such as `configDefs[2].values`; empty: the whole document.
    Element(String),
    /// A position in a text that is no JSON, both from 1.
    Position {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Element(path) if path.is_empty() => formatter.write_str("the whole document"),
            Self::Element(path) => formatter.write_str(path),
            Self::Position { line, column } => write!(formatter, "line {line}, column {column}"),
        }
    }
}

/// One thing that is wrong with a mediator's document or configuration.
///
/// Displays as one line: the place, what is wrong and what to do. It names elements and never
/// their values, which may be passwords.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    file: Option<PathBuf>,
    place: Place,
    text: String,
}

impl Mistake {
    pub(super) fn new(place: Place, text: impl Into<String>) -> Self {
        Self {
            file: None,
            place,
            text: text.into(),
        }
    }

    pub(super) fn in_file(self, file: &Path) -> Self {
        Self {
            file: Some(file.to_owned()),
            ..self
        }
    }

    /// The file, when the document was read from one.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Where it is.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// What is wrong, and what to do.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(formatter, "{}: ", file.display())?;
        }
        write!(formatter, "{}: {}", self.place, self.text)
    }
}

/// Why there is no [`MediatorConfig`](super::MediatorConfig).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MediatorConfigError {
    /// The file cannot be read.
    #[error("cannot read the mediator's document {path}: {source}")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Every mistake in it, at least one. Displays one a line.
    #[error("{}", lines(.0))]
    Mistakes(Vec<Mistake>),
}

fn lines(mistakes: &[Mistake]) -> String {
    mistakes
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join("\n")
}
