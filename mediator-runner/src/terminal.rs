//! What a command prints and how it ends.

use std::io::{self, Write as _};
use std::process::ExitCode;

use serde_json::Value;

/// What a command found, for its exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    AllWell,
    /// Something that an operator must look at.
    Trouble,
}

impl From<Found> for ExitCode {
    fn from(found: Found) -> Self {
        match found {
            Found::AllWell => Self::SUCCESS,
            Found::Trouble => Self::FAILURE,
        }
    }
}

/// Prints a text that ends its lines itself.
pub(crate) fn print(text: &str) -> io::Result<()> {
    io::stdout().write_all(text.as_bytes())
}

/// Prints a line of JSON.
pub(crate) fn print_json(value: &Value) -> io::Result<()> {
    print(&format!("{value}\n"))
}
