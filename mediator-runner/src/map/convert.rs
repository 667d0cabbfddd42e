//! `mediator-runner map convert`.

use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use fhir_mapping::structure_map::{self, FhirVersion};
use serde_json::Value;

use super::text;
use crate::configuration::command::report;

/// Write a map as a StructureMap resource, or a resource in the mapping language
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mediator-runner map convert to-patient.map > to-patient.json
  mediator-runner map convert to-patient.json --out to-patient.map
  mediator-runner map convert to-patient.json --to json --fhir-version R5

What the mapping language has no place for is told on standard error, an element a line.

Exit codes: 0 converted, 1 the map has mistakes, 2 usage")]
pub(super) struct Arguments {
    /// A map in FHIR Mapping Language or a StructureMap in JSON, or - for standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// What to write (else the other form than FILE has)
    #[arg(long, value_name = "FORM")]
    to: Option<Form>,

    /// FHIR version of the resource that is written; R4 is R4B's too. Both are read
    #[arg(long, value_name = "VERSION", default_value = "R4", ignore_case = true)]
    fhir_version: Version,

    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// A form of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// FHIR Mapping Language
    Fml,
    /// StructureMap resource
    Json,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Version {
    #[value(name = "R4")]
    R4,
    #[value(name = "R5")]
    R5,
}

/// Runs the command.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let read = match text::read(&arguments.file) {
        Ok(read) => read,
        Err(error) => return report(&error),
    };
    let converted = match convert(arguments, &read) {
        Ok(converted) => converted,
        Err(mistakes) => {
            report(&mistakes);
            return ExitCode::FAILURE;
        }
    };
    let written = match &arguments.out {
        Some(path) => {
            fs::write(path, converted).map_err(|error| format!("{}: {error}", path.display()))
        }
        None => io::stdout()
            .write_all(converted.as_bytes())
            .map_err(|error| error.to_string()),
    };
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn convert(arguments: &Arguments, read: &str) -> Result<String, String> {
    let file = arguments.file.display();
    let version = match arguments.fhir_version {
        Version::R4 => FhirVersion::R4,
        Version::R5 => FhirVersion::R5,
    };
    let mistakes = |error| text::mistakes(&arguments.file, &error);
    let begin = read.trim_start_matches('\u{feff}').trim_start();
    let (map, to) = if begin.starts_with('{') {
        let resource: Value =
            serde_json::from_str(begin).map_err(|error| format!("{file}: {error}"))?;
        let written = structure_map::from_json(&resource).map_err(mistakes)?;
        for element in &written.left_out {
            report(&format!("{file}: left out: {element}"));
        }
        (written.text, arguments.to.unwrap_or(Form::Fml))
    } else {
        (read.to_owned(), arguments.to.unwrap_or(Form::Json))
    };
    if to == Form::Fml {
        return fhir_mapping::format(&map).map_err(mistakes);
    }
    let resource = structure_map::to_json(&map, version).map_err(mistakes)?;
    let json = serde_json::to_string_pretty(&resource);
    json.map(|json| json + "\n")
        .map_err(|error| error.to_string())
}
