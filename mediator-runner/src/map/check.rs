//! `mediator-runner map check`.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use super::finding::{Finding, Mistakes, Severity};
use super::library::{Library, LibraryArguments};
use crate::configuration::command::report;

/// List the mistakes of maps, and what in them has no effect or is tolerated only
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner map check to-patient.map
  mediator-runner map check maps/*.map --model models
  mediator-runner map check --json to-patient.map --import maps

Each mistake is file:line:column: what to mend, with the line below it. The maps given may import
one another. With --json each is an object on a line: file, line, column, severity (error or
warning), reason, text.

Exit codes: 0 no mistakes (perhaps warnings), 1 mistakes, 2 usage")]
pub(super) struct Arguments {
    /// Maps in FHIR Mapping Language, or StructureMap resources (*.json)
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,

    #[command(flatten)]
    library: LibraryArguments,

    /// Print JSON, an object on each line
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let library = match arguments.library.read() {
        Ok(library) => library,
        Err(error) => return report(&error),
    };
    let findings = check(arguments, library);
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .count();
    let text = if arguments.json {
        let lines = findings.iter().map(serde_json::to_string);
        match lines.collect::<Result<Vec<_>, _>>() {
            Ok(lines) => lines.iter().map(|line| format!("{line}\n")).collect(),
            Err(error) => return report(&error),
        }
    } else {
        summary(arguments.files.len(), &findings, errors)
    };
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) if errors == 0 => ExitCode::SUCCESS,
        Ok(()) => ExitCode::FAILURE,
        Err(error) => report(&error),
    }
}

fn summary(maps: usize, findings: &[Finding], errors: usize) -> String {
    let with_colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let count = |count: usize, what: &str| match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    };
    let mut text = String::new();
    for finding in findings {
        text.push_str(&finding.shown(with_colours));
        text.push('\n');
    }
    text.push_str(&format!(
        "{}: {}, {}\n",
        count(maps, "map"),
        count(errors, "mistake"),
        count(findings.len() - errors, "warning")
    ));
    text
}

/// What there is to say, in the order of the files and of their texts.
fn check(arguments: &Arguments, mut library: Library) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &arguments.files {
        if let Err(Mistakes(found)) = library.add_map(file) {
            findings.extend(found);
        }
    }
    // A map that cannot be read would be missing for those that import it.
    if findings.is_empty() {
        let found = library.maps.check();
        findings.extend(library.errors(&found.errors));
        findings.extend(library.warnings(&found.warnings));
    } else {
        findings.extend(library.warnings(library.maps.warnings()));
    }
    let file = |finding: &Finding| {
        let is_of = |file: &&PathBuf| file.display().to_string() == finding.file;
        let place = arguments.files.iter().position(|file| is_of(&file));
        place.unwrap_or(arguments.files.len())
    };
    // Of what is not asked for, only mistakes matter.
    findings.retain(|finding| {
        finding.severity == Severity::Error || file(finding) < arguments.files.len()
    });
    findings.sort_by_key(|finding| {
        let place = finding.place.map(|place| (place.line, place.column));
        (file(finding), place)
    });
    findings
}
