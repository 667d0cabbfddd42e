//! The questionnaires whose responses are certified.

use std::io;
use std::path::Path;

use mediator_ddcc::questionnaire::Questionnaires;
use mediator_ddcc::strict_json;

use super::StartError;
use crate::configuration::Configuration;

/// The built-in ones and those of the configured folder.
pub(super) fn read(configuration: &Configuration) -> Result<Questionnaires, StartError> {
    let mut questionnaires = Questionnaires::builtin()?;
    let Some(folder) = &configuration.questionnaires.folder else {
        return Ok(questionnaires);
    };
    let unreadable = |path: &Path, reason: String| StartError::QuestionnaireFile {
        path: path.to_owned(),
        reason,
    };
    let io = |error: io::Error| unreadable(folder, error.to_string());
    let mut paths = std::fs::read_dir(folder)
        .map_err(io)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(io)?;
    // The same order everywhere: of two with the same url the last counts.
    paths.sort();
    for path in paths {
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|error| unreadable(&path, error.to_string()))?;
        let resource =
            strict_json::parse(&bytes).map_err(|error| unreadable(&path, error.to_string()))?;
        questionnaires
            .add(&resource)
            .map_err(|error| unreadable(&path, error.to_string()))?;
    }
    Ok(questionnaires)
}
