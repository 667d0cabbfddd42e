//! `mediator-runner map format`.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::text;
use crate::configuration::command::report;

/// Lay maps out: a line for each rule, its comments kept
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner map format to-patient.map
  mediator-runner map format maps/*.map --check
  mediator-runner map format - < to-patient.map

Files are changed in place. What is tolerated only (a missing ; or ,) is mended.

Exit codes: 0 all are formatted, 1 one is not (--check) or has mistakes, 2 usage")]
pub(super) struct Arguments {
    /// Maps in FHIR Mapping Language, or - for standard input, which goes to standard output
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Change nothing, and name the files that are not formatted
    #[arg(long)]
    check: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for file in &arguments.files {
        match format(file, arguments.check) {
            Ok(true) => {}
            Ok(false) => code = ExitCode::FAILURE,
            Err(error) => return report(&error),
        }
    }
    code
}

/// Whether the file is formatted now; an error is one of reading or writing.
fn format(file: &Path, is_check: bool) -> Result<bool, String> {
    let wrong = |error: io::Error| format!("{}: {error}", file.display());
    let written = text::read(file)?;
    let formatted = match fhir_mapping::format(&written) {
        Ok(formatted) => formatted,
        Err(error) => {
            report(&text::mistakes(file, &error));
            return Ok(false);
        }
    };
    if is_check {
        if formatted != written {
            writeln!(io::stdout(), "{}", file.display()).map_err(wrong)?;
        }
        return Ok(formatted == written);
    }
    if file == Path::new("-") {
        io::stdout()
            .write_all(formatted.as_bytes())
            .map_err(wrong)?;
    } else if formatted != written {
        fs::write(file, formatted).map_err(wrong)?;
    }
    Ok(true)
}
