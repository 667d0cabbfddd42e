//! `mediator-runner map check`.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::library::{FileMistakes, Library, LibraryArguments};
use crate::configuration::command::report;

/// List the mistakes of maps, and what in them is tolerated only
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner map check to-patient.map
  mediator-runner map check maps/*.map --model models

Each mistake is a line, file:line:column: what to mend. The maps given may import one another.

Exit codes: 0 no mistakes (perhaps warnings), 1 mistakes, 2 usage")]
pub(super) struct Arguments {
    /// Maps in FHIR Mapping Language
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    library: LibraryArguments,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let library = match arguments.library.read() {
        Ok(library) => library,
        Err(error) => return report(&error),
    };
    let (warnings, mistakes) = check(arguments, library);
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let mut text = String::new();
    for line in warnings.iter().chain(&mistakes) {
        text.push_str(line);
        text.push('\n');
    }
    text.push_str(&format!(
        "{}: {}, {}\n",
        count(arguments.files.len(), "map"),
        count(mistakes.len(), "mistake"),
        count(warnings.len(), "warning")
    ));
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) if mistakes.is_empty() => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => report(&error),
    }
}

/// Warnings and mistakes, a line each.
fn check(arguments: &Arguments, mut library: Library) -> (Vec<String>, Vec<String>) {
    let mut mistakes = Vec::new();
    for file in &arguments.files {
        if let Err(FileMistakes(found)) = library.add_map(file) {
            mistakes.extend(found);
        }
    }
    let warnings = library.maps.warnings().iter();
    let warnings = warnings.map(|warning| library.warning(warning)).collect();
    // A map that cannot be read would be missing for those that import it.
    if mistakes.is_empty()
        && let Err(error) = std::mem::take(&mut library.maps).compile()
    {
        mistakes.extend(library.mistakes(&error).0);
    }
    (warnings, mistakes)
}
