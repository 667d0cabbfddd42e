//! The wiring: a [`GenerationService`] on the parts that the configuration names.

pub(crate) mod ledger;
mod questionnaires;
mod repository;
pub(crate) mod signer;
mod transformer;

use std::path::PathBuf;
use std::sync::Arc;

use mediator_core::back_end::BackEndSettingsError;
use mediator_ddcc::card::{CardError, CardRenderer, CardSize};
use mediator_ddcc::database::{Database, DatabaseError};
use mediator_ddcc::generation_service::{GenerationService, Ports, ServiceSettings};
use mediator_ddcc::ledger::LedgerError;
use mediator_ddcc::questionnaire::{QuestionnaireError, Questionnaires};
use mediator_ddcc::repository::RepositoryError;
use mediator_ddcc::repository::moving::MovingRepository;
use mediator_ddcc::signing::development_pki::DevelopmentPkiError;
use mediator_ddcc::signing::key_file::KeyFileError;
use mediator_ddcc::signing::vault::VaultSettingsError;
use mediator_ddcc::signing::{
    CertificateStoreError, KeyManagementError, SignerError, SigningError,
};
use mediator_ddcc::transformer::{LoadError, UploadedDefinitions};

use crate::configuration::{BackEndSetupError, Card, Configuration};

/// The embedded database, in the data directory.
pub(crate) const DATABASE: &str = "ddcc.sqlite";

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The development keys cannot be used.
    #[error(transparent)]
    DevelopmentPki(#[from] DevelopmentPkiError),
    /// The configured key cannot be used.
    #[error("signing: {0}")]
    KeyFile(#[from] KeyFileError),
    /// The document signing certificates cannot be used.
    #[error("signing: {0}")]
    Certificates(#[from] CertificateStoreError),
    /// Vault cannot be used with these settings.
    #[error("signing.vault: {0}")]
    Vault(#[from] VaultSettingsError),
    /// There is no key to sign with.
    #[error("signing: {0}")]
    Signer(#[from] SignerError),
    /// The ledger's database refuses its use.
    #[error(transparent)]
    Ledger(LedgerError),
    /// The password of the ledger's database cannot be read.
    #[error("ledger.password_file: {path}: {source}")]
    LedgerPassword {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The key store cannot be opened.
    #[error("signing: {0}")]
    KeyStore(SigningError),
    /// Keys and their certificates cannot be used.
    #[error("signing: {0}")]
    Keys(#[from] KeyManagementError),
    /// A back end over HTTP cannot be used as it is configured.
    #[error(transparent)]
    BackEnd(#[from] BackEndSetupError),
    /// The FHIR server is none that documents can be kept in.
    #[error("repository: {0}")]
    Repository(RepositoryError),
    /// A map cannot be used.
    #[error("maps: {0}")]
    Maps(#[from] LoadError),
    /// There is no client of Matchbox.
    #[error("transformer: {0}")]
    Matchbox(#[source] BackEndSettingsError),
    /// A questionnaire cannot be used.
    #[error("questionnaires: {0}")]
    Questionnaires(#[from] QuestionnaireError),
    /// A file of the questionnaires' folder cannot be read.
    #[error("questionnaires: {path}: {reason}")]
    QuestionnaireFile {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Cards cannot be made.
    #[error("card: {0}")]
    Card(#[from] CardError),
    /// A questionnaire's responses cannot be read.
    #[error(
        "questionnaire {questionnaire} names the map {map}, which there is not; add it to maps.folder"
    )]
    NoMap {
        /// Canonical url of the questionnaire.
        questionnaire: String,
        /// Canonical url of the map.
        map: String,
    },
    /// Mistakes in several files.
    #[error("{}", lines(.0))]
    Several(Vec<StartError>),
}

/// Mistakes, one a line.
pub(crate) fn lines(mistakes: &[StartError]) -> String {
    let lines: Vec<String> = mistakes.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// What is read of files that operators write.
pub(crate) struct Parts {
    transformer: transformer::Engines,
    questionnaires: Questionnaires,
    card: Option<(Arc<CardRenderer>, CardSize)>,
}

impl Parts {
    /// Reads maps, questionnaires and card templates, and makes nothing.
    ///
    /// # Errors
    /// The mistakes of all of them, one at least.
    pub(crate) fn read(configuration: &Configuration) -> Result<Self, Vec<StartError>> {
        let mut mistakes = Vec::new();
        let transformer = note(&mut mistakes, transformer::read(configuration));
        let questionnaires = note(&mut mistakes, questionnaires::read(configuration));
        let card = note(&mut mistakes, card(configuration));
        let (Some(transformer), Some(questionnaires), Some(card)) =
            (transformer, questionnaires, card)
        else {
            return Err(mistakes);
        };
        let missing = transformer.without_map(&questionnaires);
        if missing.is_empty() {
            Ok(Self {
                transformer,
                questionnaires,
                card,
            })
        } else {
            Err(missing)
        }
    }
}

fn note<T>(mistakes: &mut Vec<StartError>, result: Result<T, StartError>) -> Option<T> {
    result.map_err(|mistake| mistakes.push(mistake)).ok()
}

/// A service that is ready to issue.
pub(crate) struct Started {
    pub(crate) service: GenerationService,
    /// Where documents of the embedded database are not in the configured FHIR server yet.
    pub(crate) moving: Option<MovingRepository>,
}

/// Opens everything that the configuration names. On first use this makes the data directory, and
/// development keys when no others are configured.
///
/// # Errors
/// Every mistake in the operator's files at once, before anything is made; else the one that
/// stopped it.
pub(crate) async fn start(configuration: &Configuration) -> Result<Started, StartError> {
    let parts = Parts::read(configuration).map_err(StartError::Several)?;
    let signer = signer::open(configuration).await?;
    let database = Database::open(&configuration.data_directory.join(DATABASE)).await?;
    let (repository, moving) = repository::open(configuration, &database).await?;
    let ports = Ports {
        transformer: parts.transformer.into_transformer(),
        repository,
        signer,
        ledger: ledger::open(configuration, &database).await?,
    };
    let settings = ServiceSettings {
        issuer: configuration.issuer_settings(),
        forms: configuration.codes.forms.clone(),
        card: parts.card,
        questionnaires: parts.questionnaires,
        public_base_url: public_base_url(configuration),
    };
    Ok(Started {
        service: GenerationService::new(ports, settings),
        moving,
    })
}

/// What clients have uploaded to `/fhir`, beside the configured maps.
///
/// # Errors
/// When a map or the database cannot be used.
pub(crate) async fn uploaded_definitions(
    configuration: &Configuration,
) -> Result<UploadedDefinitions, StartError> {
    let database = Database::open(&configuration.data_directory.join(DATABASE)).await?;
    let configured = transformer::definitions(configuration)?;
    Ok(UploadedDefinitions::open(database, &configured).await?)
}

fn card(
    configuration: &Configuration,
) -> Result<Option<(Arc<CardRenderer>, CardSize)>, StartError> {
    if !configuration.card.enabled {
        return Ok(None);
    }
    Ok(Some((
        card_renderer(&configuration.card)?,
        configuration.card.size,
    )))
}

/// What draws cards by the configured templates.
///
/// # Errors
/// [`CardError`] when a template cannot be used.
pub(crate) fn card_renderer(settings: &Card) -> Result<Arc<CardRenderer>, CardError> {
    let renderer = match &settings.folder {
        Some(folder) => CardRenderer::with_folder(folder)?,
        None => CardRenderer::builtin()?,
    };
    Ok(Arc::new(renderer))
}

/// Where clients reach the service: as configured, else where it listens.
fn public_base_url(configuration: &Configuration) -> String {
    let server = &configuration.server;
    let scheme = match &server.tls.certificate_file {
        Some(_) => "https",
        None => "http",
    };
    server
        .public_base_url
        .clone()
        .unwrap_or_else(|| format!("{scheme}://{}/ddcc", server.listen))
}
