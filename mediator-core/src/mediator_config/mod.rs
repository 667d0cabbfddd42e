//! What a mediator tells OpenHIM about itself: the `mediatorConfig.json` that OpenHIM's users
//! already have, or the same made in code.
//!
//! What core would refuse is a mistake here, and so is what core takes and then never does: an
//! http channel without methods, a schedule that its scheduler cannot read, a pattern that is no
//! regular expression. All mistakes are reported at once, each with its place.

mod builder;
mod channel_definition;
mod configuration_definition;
mod lenient;
mod mistake;
mod polling_schedule;
mod route;
mod secret;
mod validation;

#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use builder::MediatorConfigBuilder;
pub use channel_definition::{
    ChannelAuthentication, ChannelDefinition, ChannelStatus, ChannelType, Method,
};
pub use configuration_definition::{ConfigurationDefinition, ConfigurationType};
pub use mistake::{MediatorConfigError, Mistake, Place};
pub use polling_schedule::{PollingSchedule, PollingScheduleError};
pub use route::{Endpoint, Route, RouteStatus, RouteType};
pub use secret::Secret;

/// A mediator as OpenHIM knows it. Always without mistakes.
///
/// It serializes as what `POST /mediators` takes. Fields that this library does not know are kept.
///
/// ```
/// use mediator_core::mediator_config::{MediatorConfig, MediatorConfigError};
///
/// let error = MediatorConfig::from_json(r#"{"urn": "urn:mediator:patients", "version": "1"}"#)
///     .unwrap_err();
/// let MediatorConfigError::Mistakes(mistakes) = error else { unreachable!() };
/// let places: Vec<_> = mistakes.iter().map(|mistake| mistake.place().to_string()).collect();
/// assert_eq!(places, ["version", "name", "endpoints"]);
/// ```
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Document")]
pub struct MediatorConfig {
    document: Document,
    version: semver::Version,
    /// `configDefs` as JSON, which configuration is checked against.
    definitions: Vec<Value>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    urn: String,
    version: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(default, deserialize_with = "lenient::list")]
    endpoints: Vec<Endpoint>,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    default_channel_config: Vec<ChannelDefinition>,
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    config_defs: Vec<ConfigurationDefinition>,
    #[serde(
        default,
        skip_serializing_if = "Map::is_empty",
        deserialize_with = "lenient::map"
    )]
    config: Map<String, Value>,
    #[serde(flatten)]
    other: Map<String, Value>,
}

impl MediatorConfig {
    /// Reads a `mediatorConfig.json`.
    ///
    /// # Errors
    /// [`MediatorConfigError`]: the file cannot be read, or every mistake in it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, MediatorConfigError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|source| MediatorConfigError::Unreadable {
                path: path.to_owned(),
                source,
            })?;
        Self::from_json(&text).map_err(|error| match error {
            MediatorConfigError::Mistakes(mistakes) => MediatorConfigError::Mistakes(
                mistakes
                    .into_iter()
                    .map(|mistake| mistake.in_file(path))
                    .collect(),
            ),
            other => other,
        })
    }

    /// Reads the text of a `mediatorConfig.json`.
    ///
    /// # Errors
    /// [`MediatorConfigError::Mistakes`] with every mistake; only one, with line and column, when
    /// the text is no JSON.
    pub fn from_json(text: &str) -> Result<Self, MediatorConfigError> {
        // Node's `require` takes the byte order mark of Windows' editors too.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let document: Value = serde_json::from_str(text).map_err(|error| {
            let place = Place::Position {
                line: error.line(),
                column: error.column(),
            };
            let message = error.to_string();
            let what = message.split(" at line ").next().unwrap_or_default();
            MediatorConfigError::Mistakes(vec![Mistake::new(
                place,
                format!("this is not JSON: {what}"),
            )])
        })?;
        Self::try_from(document)
    }

    /// Starts one in code: a urn such as `urn:mediator:patients`, a semantic version, and the name
    /// that OpenHIM's console shows.
    ///
    /// ```
    /// use mediator_core::mediator_config::{
    ///     ChannelDefinition, ConfigurationDefinition, Endpoint, MediatorConfig, Method, Route,
    /// };
    ///
    /// # fn main() -> Result<(), mediator_core::mediator_config::MediatorConfigError> {
    /// let config = MediatorConfig::builder("urn:mediator:patients", "1.0.0", "Patients")
    ///     .endpoint(Endpoint::http("Patients", "mediator.example", 4321).primary())
    ///     .default_channel(
    ///         ChannelDefinition::http("Patients", "^/patients/.*$", [Method::Get])
    ///             .allow("hospital")
    ///             .route(Route::http("Patients", "mediator.example", 4321).primary()),
    ///     )
    ///     .parameter(ConfigurationDefinition::number("retries"))
    ///     .initial_value("retries", 3)
    ///     .build()?;
    /// assert_eq!(config.urn(), "urn:mediator:patients");
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(
        urn: impl Into<String>,
        version: impl Into<String>,
        name: impl Into<String>,
    ) -> MediatorConfigBuilder {
        MediatorConfigBuilder(Document {
            urn: urn.into(),
            version: version.into(),
            name: name.into(),
            description: None,
            endpoints: Vec::new(),
            default_channel_config: Vec::new(),
            config_defs: Vec::new(),
            config: Map::new(),
            other: Map::new(),
        })
    }

    /// Starts one that differs from this, for example in its host.
    #[must_use]
    pub fn into_builder(self) -> MediatorConfigBuilder {
        MediatorConfigBuilder(self.document)
    }

    fn from_document(document: Document) -> Result<Self, MediatorConfigError> {
        let value = serde_json::to_value(document).map_err(|error| whole_document(&error))?;
        Self::try_from(value)
    }

    /// What identifies it in OpenHIM.
    #[must_use]
    pub fn urn(&self) -> &str {
        &self.document.urn
    }

    /// Its version. Core takes a changed document only when this is higher than before.
    #[must_use]
    pub fn version(&self) -> &semver::Version {
        &self.version
    }

    /// What OpenHIM's console calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.document.name
    }

    /// What it does.
    #[must_use]
    pub fn description(&self) -> Option<&str> {
        self.document.description.as_deref()
    }

    /// Where core reaches it; at least one.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.document.endpoints
    }

    /// The channels that it proposes (`defaultChannelConfig`).
    #[must_use]
    pub fn default_channels(&self) -> &[ChannelDefinition] {
        &self.document.default_channel_config
    }

    /// The parameters that operators can set (`configDefs`).
    #[must_use]
    pub fn configuration_definitions(&self) -> &[ConfigurationDefinition] {
        &self.document.config_defs
    }

    /// The parameters' initial values (`config`).
    #[must_use]
    pub fn configuration(&self) -> &Map<String, Value> {
        &self.document.config
    }

    /// Fields that this library does not know.
    #[must_use]
    pub fn other(&self) -> &Map<String, Value> {
        &self.document.other
    }

    /// Checks a configuration that core pushes: every value has the type that its definition says,
    /// and every parameter has a definition. A parameter that is not there is no mistake. Without
    /// any definition only its being an object is checked, as core does.
    ///
    /// Core looks at the names of a struct's members and not at their types; this looks at both.
    ///
    /// # Errors
    /// Every mistake, with places such as `registry.url` and without any value.
    ///
    /// ```
    /// # use mediator_core::mediator_config::{ConfigurationDefinition, Endpoint, MediatorConfig};
    /// # let config = MediatorConfig::builder("urn:mediator:patients", "1.0.0", "Patients")
    /// #     .endpoint(Endpoint::http("Patients", "mediator.example", 4321))
    /// #     .parameter(ConfigurationDefinition::number("retries"))
    /// #     .build()
    /// #     .unwrap();
    /// let pushed = serde_json::json!({"retries": "three"});
    /// let mistakes = config.check_configuration(&pushed).unwrap_err();
    /// assert_eq!(mistakes[0].to_string(), "retries: must be a number, and is a string");
    /// ```
    pub fn check_configuration(&self, configuration: &Value) -> Result<(), Vec<Mistake>> {
        if self.definitions.is_empty() && configuration.is_object() {
            return Ok(());
        }
        validation::check_configuration(&self.definitions, configuration)
    }
}

impl TryFrom<Value> for MediatorConfig {
    type Error = MediatorConfigError;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        validation::check_document(&value).map_err(MediatorConfigError::Mistakes)?;
        let document: Document =
            serde_json::from_value(value).map_err(|error| whole_document(&error))?;
        // Of what was read, and not of the text: equal documents are equal.
        let definitions = document
            .config_defs
            .iter()
            .map(serde_json::to_value)
            .collect::<Result<_, _>>()
            .map_err(|error| whole_document(&error))?;
        let version = validation::parse_version(&document.version).ok_or_else(|| {
            MediatorConfigError::Mistakes(vec![Mistake::new(
                Place::Element("version".to_owned()),
                "must be a semantic version",
            )])
        })?;
        Ok(Self {
            document,
            version,
            definitions,
        })
    }
}

/// For what validation did not see; nothing is known to come here.
fn whole_document(error: &serde_json::Error) -> MediatorConfigError {
    MediatorConfigError::Mistakes(vec![Mistake::new(
        Place::Element(String::new()),
        error.to_string(),
    )])
}

impl From<MediatorConfig> for Document {
    fn from(config: MediatorConfig) -> Self {
        config.document
    }
}

/// Without the configuration's values, which may be passwords.
impl fmt::Debug for MediatorConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.document.fmt(formatter)
    }
}

impl fmt::Debug for Document {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("MediatorConfig")
            .field("urn", &self.urn)
            .field("version", &self.version)
            .field("name", &self.name)
            .field("endpoints", &self.endpoints)
            .field("default_channels", &self.default_channel_config)
            .field("configuration_definitions", &self.config_defs)
            .field("configuration", &self.config.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}
