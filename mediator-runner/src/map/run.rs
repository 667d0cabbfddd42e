//! `mediator-runner map run`.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use fhir_mapping::{MapError, Trace, TransformOptions};
use serde_json::Value;
use uuid::Uuid;

use super::library::LibraryArguments;
use crate::configuration::command::report;

/// Transform FHIR JSON by a map
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner map run to-patient.map answers.json
  mediator-runner map run to-patient.map - --import maps --model models < answers.json
  mediator-runner map run https://example.org/StructureMap/ToPatient answers.json --import maps
  mediator-runner map run to-patient.map answers.json --trace > /dev/null

The result of each input is printed as JSON, in their order.

Exit codes: 0 all are transformed, 1 an input was not, 2 usage, or a map cannot be read")]
pub(super) struct Arguments {
    /// The map: a file, or the canonical url of an imported one
    #[arg(value_name = "MAP")]
    map: String,

    /// FHIR JSON, or - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,

    #[command(flatten)]
    library: LibraryArguments,

    /// UUID that generated ids follow from, so that they are the same each time (else random)
    #[arg(long, value_name = "UUID")]
    seed: Option<Uuid>,

    /// Print each result on one line
    #[arg(long)]
    compact: bool,

    /// Tell on standard error which rule ran for which element, and why one did not: elements and
    /// counts, no values
    #[arg(long)]
    trace: bool,

    /// As --trace, with the values of primitives: what people answered
    #[arg(long)]
    trace_values: bool,
}

impl Arguments {
    fn new_trace(&self) -> Option<Trace> {
        match (self.trace, self.trace_values) {
            (_, true) => Some(Trace::with_values()),
            (true, false) => Some(Trace::new()),
            (false, false) => None,
        }
    }
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match transform_all(arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(mistakes) => report(&mistakes),
    }
}

/// Whether every input was transformed; an error is one of usage.
fn transform_all(arguments: &Arguments) -> Result<bool, String> {
    let mut library = arguments
        .library
        .read()
        .map_err(|error| error.to_string())?;
    let path = Path::new(&arguments.map);
    let url = if path.is_file() {
        library.add_map(path).map_err(|error| error.to_string())?
    } else {
        arguments.map.clone()
    };
    for warning in library.warnings(library.maps.warnings()) {
        report(&warning);
    }
    // Who runs a map wants its result: a rule with a mistake fails where it is reached.
    let mistakes = library.maps.check().errors;
    if !mistakes.is_empty() {
        report(&library.mistakes(&MapError::Compile(mistakes)));
    }
    let maps = std::mem::take(&mut library.maps)
        .compile()
        .map_err(|error| library.mistakes(&error).to_string())?;
    if !maps.contains(&url) {
        return Err(format!(
            "{url} is neither a file nor the url of a map that is imported by --import"
        ));
    }
    let mut all = true;
    for input in &arguments.inputs {
        let value = read(input)?;
        let seed = arguments.seed.unwrap_or_else(Uuid::new_v4);
        let options = TransformOptions::with_seed(seed);
        let result = match arguments.new_trace() {
            None => maps.transform_with(&url, &value, &options),
            Some(mut trace) => {
                let result = maps.transform_traced(&url, &value, &options, &mut trace);
                write!(io::stderr(), "{trace}").map_err(|error| error.to_string())?;
                result
            }
        };
        match result {
            Ok(result) => {
                let text = if arguments.compact {
                    result.to_string()
                } else {
                    serde_json::to_string_pretty(&result).map_err(|error| error.to_string())?
                };
                writeln!(io::stdout(), "{text}").map_err(|error| error.to_string())?;
            }
            Err(error) => {
                all = false;
                report(&format!("{}: {error}", input.display()));
            }
        }
    }
    Ok(all)
}

fn read(input: &Path) -> Result<Value, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("{}: {error}", input.display());
    let text = if input == Path::new("-") {
        let mut text = Vec::new();
        let read = io::stdin().read_to_end(&mut text);
        read.map_err(|error| wrong(&error))?;
        text
    } else {
        fs::read(input).map_err(|error| wrong(&error))?
    };
    serde_json::from_slice(&text).map_err(|error| wrong(&error))
}
