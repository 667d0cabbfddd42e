//! Files of one map, and what is wrong with them.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use fhir_mapping::MapError;

/// The text of a file, or of standard input for `-`; an error is a line.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let text = if path == Path::new("-") {
        let mut text = String::new();
        io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(path)
    };
    text.map_err(|error| format!("{}: {error}", path.display()))
}

/// A line for each mistake, with its place.
pub(super) fn mistakes(path: &Path, error: &MapError) -> String {
    let path = path.display();
    match error {
        MapError::Syntax(errors) => {
            let lines = errors.iter().map(|error| {
                format!(
                    "{path}:{}:{}: expected {}, found {} in: {}",
                    error.line, error.column, error.expected, error.found, error.text
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        }
        other => format!("{path}: {other}"),
    }
}
