use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;

/// A parameter that operators can set in OpenHIM's console.
///
/// ```
/// use mediator_core::mediator_config::ConfigurationDefinition;
///
/// let registry = ConfigurationDefinition::structure(
///     "registry",
///     [
///         ConfigurationDefinition::string("url").display_name("URL"),
///         ConfigurationDefinition::password("password"),
///     ],
/// )
/// .description("Where patients are looked up");
/// let levels = ConfigurationDefinition::option("level", ["info", "debug"]);
/// let recipients = ConfigurationDefinition::string("recipients").array();
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ConfigurationDefinition {
    /// The parameter's name in the configuration.
    pub param: String,
    /// The console's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// The console's help.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What it can be set to.
    #[serde(rename = "type")]
    pub kind: ConfigurationType,
    /// What an `option` can be set to.
    #[serde(
        default,
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub values: Vec<String>,
    /// The members of a `struct`, which are no structs themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Vec<ConfigurationDefinition>>,
    /// Whether it is set to a list of such values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub array: Option<bool>,
    /// Everything else in the document, as it was.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ConfigurationDefinition {
    fn new(param: impl Into<String>, kind: ConfigurationType) -> Self {
        Self {
            param: param.into(),
            display_name: None,
            description: None,
            kind,
            values: Vec::new(),
            template: None,
            array: None,
            other: Map::new(),
        }
    }

    /// A text of one line.
    #[must_use]
    pub fn string(param: impl Into<String>) -> Self {
        Self::new(param, ConfigurationType::String)
    }

    /// A text of several lines.
    #[must_use]
    pub fn big_string(param: impl Into<String>) -> Self {
        Self::new(param, ConfigurationType::BigString)
    }

    /// Yes or no.
    #[must_use]
    pub fn boolean(param: impl Into<String>) -> Self {
        Self::new(param, ConfigurationType::Boolean)
    }

    /// A number, whole or not.
    #[must_use]
    pub fn number(param: impl Into<String>) -> Self {
        Self::new(param, ConfigurationType::Number)
    }

    /// One of some texts.
    #[must_use]
    pub fn option<T: Into<String>>(
        param: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        Self {
            values: values.into_iter().map(Into::into).collect(),
            ..Self::new(param, ConfigurationType::Option)
        }
    }

    /// Texts under names that the operator chooses.
    #[must_use]
    pub fn map(param: impl Into<String>) -> Self {
        Self::new(param, ConfigurationType::Map)
    }

    /// Parameters that belong together; none is a structure itself.
    #[must_use]
    pub fn structure(
        param: impl Into<String>,
        template: impl IntoIterator<Item = ConfigurationDefinition>,
    ) -> Self {
        Self {
            template: Some(template.into_iter().collect()),
            ..Self::new(param, ConfigurationType::Structure)
        }
    }

    /// A text that the console does not show.
    #[must_use]
    pub fn password(param: impl Into<String>) -> Self {
        Self::new(param, ConfigurationType::Password)
    }

    /// A list of what it is.
    #[must_use]
    pub fn array(self) -> Self {
        Self {
            array: Some(true),
            ..self
        }
    }

    /// Labels it.
    #[must_use]
    pub fn display_name(self, display_name: impl Into<String>) -> Self {
        Self {
            display_name: Some(display_name.into()),
            ..self
        }
    }

    /// Explains it.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..self
        }
    }
}

/// What a parameter can be set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ConfigurationType {
    /// `string`: a text of one line.
    String,
    /// `bigstring`: a text of several lines.
    BigString,
    /// `bool`.
    #[serde(rename = "bool")]
    Boolean,
    /// `number`, whole or not.
    Number,
    /// `option`: one of the definition's `values`.
    Option,
    /// `map`: an object whose members are texts.
    Map,
    /// `struct`: an object with the members of the definition's `template`.
    #[serde(rename = "struct")]
    Structure,
    /// `password`: a text that the console does not show.
    Password,
}

impl ConfigurationType {
    pub(super) const NAMES: [&str; 8] = [
        "string",
        "bigstring",
        "bool",
        "number",
        "option",
        "map",
        "struct",
        "password",
    ];
}
