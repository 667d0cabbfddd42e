//! The engines that run the configured maps.

use std::sync::Arc;

use mediator_core::back_end::BackEnd;
use mediator_ddcc::questionnaire::Questionnaires;
use mediator_ddcc::recorded::{self, Told};
use mediator_ddcc::transformer::matchbox::{MAXIMUM_RESULT_BYTES, MatchboxTransformer};
use mediator_ddcc::transformer::{
    Definitions, EmbeddedTransformer, MapByMap, MapSelection, Transformer,
};

use super::StartError;
use crate::configuration::Configuration;

/// What Matchbox is called in messages, metrics and OpenHIM's console.
const MATCHBOX: &str = "Matchbox";

/// The engine of this program, and Matchbox beside it if it is configured.
pub(super) struct Engines {
    embedded: EmbeddedTransformer,
    matchbox: Option<(MapSelection, MatchboxTransformer)>,
}

/// The maps built in and those of the configured folder, each where it is to be run. Nothing is
/// sent yet.
pub(super) fn read(configuration: &Configuration) -> Result<Engines, StartError> {
    let definitions = definitions(configuration)?;
    let section = &configuration.transformer;
    let Some(mut settings) = section.matchbox.settings(MATCHBOX)? else {
        return Ok(Engines {
            embedded: EmbeddedTransformer::of(&definitions)?,
            matchbox: None,
        });
    };
    settings.maximum_response_bytes = MAXIMUM_RESULT_BYTES;
    let selection = section.selection();
    let embedded = EmbeddedTransformer::of_some(&definitions, |url| !selection.contains(url))?;
    let back_end = BackEnd::new(&settings).map_err(StartError::Matchbox)?;
    let matchbox = MatchboxTransformer::new(back_end, definitions, section.upload)?;
    Ok(Engines {
        embedded,
        matchbox: Some((selection, matchbox)),
    })
}

/// The maps built in, and those of the configured folder.
pub(super) fn definitions(configuration: &Configuration) -> Result<Definitions, StartError> {
    Ok(match &configuration.maps.folder {
        Some(folder) => Definitions::with_folder(folder)?,
        None => Definitions::builtin()?,
    })
}

impl Engines {
    /// The questionnaires whose maps are nowhere. What Matchbox has is known to it alone.
    pub(super) fn without_map(&self, questionnaires: &Questionnaires) -> Vec<StartError> {
        let is_matchboxs = |url: &str| {
            let matchbox = self.matchbox.as_ref();
            matchbox.is_some_and(|(selection, _)| selection.contains(url))
        };
        questionnaires
            .iter()
            .filter(|questionnaire| {
                let url = questionnaire.map_url();
                !is_matchboxs(url) && !self.embedded.map_urls().any(|known| known == url)
            })
            .map(|questionnaire| StartError::NoMap {
                questionnaire: questionnaire.url().to_owned(),
                map: questionnaire.map_url().to_owned(),
            })
            .collect()
    }

    /// One engine, as far as anybody sees.
    pub(super) fn into_transformer(self) -> Arc<dyn Transformer> {
        let embedded = recorded::transformer(self.embedded, Told::as_embedded());
        match self.matchbox {
            None => embedded,
            Some((selection, matchbox)) => Arc::new(MapByMap {
                selection,
                selected: recorded::transformer(matchbox, Told::ByThePart),
                others: embedded,
            }),
        }
    }
}
