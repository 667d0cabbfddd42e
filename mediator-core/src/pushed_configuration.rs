//! The configuration that operators set in OpenHIM's console, as a type of the mediator's own.
//!
//! ```
//! # use mediator_core::mediator_config::{ConfigurationDefinition, Endpoint, MediatorConfig};
//! # use mediator_core::pushed_configuration::PushedConfiguration;
//! #[derive(serde::Deserialize)]
//! struct Settings {
//!     retries: u8,
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = MediatorConfig::builder("urn:mediator:patients", "1.0.0", "Patients")
//!     .endpoint(Endpoint::http("Patients", "mediator.example", 4321))
//!     .parameter(ConfigurationDefinition::number("retries"))
//!     .initial_value("retries", 3)
//!     .build()?;
//! let settings = PushedConfiguration::<Settings>::new(&config)?;
//! assert_eq!(settings.current().retries, 3);
//! # Ok(())
//! # }
//! ```
//!
//! Until core has sent one, it is the registration's `config`. A configuration that is wrong is
//! logged (the parameter's name, never its value, which may be a password) and the old one kept.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::watch;

use crate::mediator_config::MediatorConfig;

/// A configuration that changes while the mediator runs. Cloning is cheap, and all clones change
/// together.
pub struct PushedConfiguration<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    mediator: MediatorConfig,
    /// What core last sent, right or wrong: the same again is no news.
    last: Mutex<Option<Map<String, Value>>>,
    current: watch::Sender<Arc<T>>,
}

/// What became of a configuration that core sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Applied {
    /// It is in use from now on.
    New,
    /// It is the one that core sent last.
    Unchanged,
    /// It is wrong, and the one before stays in use.
    Refused(PushedConfigurationError),
}

/// What is wrong with a configuration. Names parameters, not values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushedConfigurationError {
    /// Values do not match the registration's definitions.
    #[error("the configuration is wrong: {}; mend it in OpenHIM's console", .0.join("; "))]
    Mistakes(Vec<String>),
    /// The definitions allow it, and the mediator's own type does not.
    #[error("the configuration is not what this mediator expects: {parameter}: {reason}")]
    NotExpected {
        /// The parameter, such as `registry.port`.
        parameter: String,
        /// What was expected of it.
        reason: String,
    },
}

impl<T: DeserializeOwned + Send + Sync + 'static> PushedConfiguration<T> {
    /// Begins with the registration's own configuration.
    ///
    /// # Errors
    /// [`PushedConfigurationError`]: the registration's configuration does not make a `T`. Give
    /// every parameter a value there, or its field in `T` a default.
    pub fn new(mediator: &MediatorConfig) -> Result<Self, PushedConfigurationError> {
        let initial = check(mediator, &Value::Object(mediator.configuration().clone()))?;
        Ok(Self {
            shared: Arc::new(Shared {
                mediator: mediator.clone(),
                last: Mutex::default(),
                current: watch::Sender::new(Arc::new(initial)),
            }),
        })
    }

    /// The configuration in use now. Take it once for each piece of work.
    #[must_use]
    pub fn current(&self) -> Arc<T> {
        self.shared.current.borrow().clone()
    }

    /// Tells of each new configuration.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<T>> {
        self.shared.current.subscribe()
    }

    /// Puts a configuration in use, as if core had sent it.
    pub fn apply(&self, configuration: Map<String, Value>) -> Applied {
        self.shared.apply(configuration)
    }

    pub(crate) fn applier(&self) -> Arc<dyn Apply> {
        Arc::clone(&self.shared) as Arc<dyn Apply>
    }
}

/// A [`PushedConfiguration`] of any type.
pub(crate) trait Apply: Send + Sync {
    fn apply(&self, configuration: Map<String, Value>) -> Applied;
}

impl<T: DeserializeOwned + Send + Sync> Apply for Shared<T> {
    fn apply(&self, configuration: Map<String, Value>) -> Applied {
        let urn = self.mediator.urn();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.as_ref() == Some(&configuration) {
            return Applied::Unchanged;
        }
        let value = Value::Object(configuration.clone());
        *last = Some(configuration);
        match check(&self.mediator, &value) {
            Ok(new) => {
                tracing::info!(urn, "a new configuration from OpenHIM is in use");
                self.current.send_replace(Arc::new(new));
                Applied::New
            }
            Err(error) => {
                tracing::error!(urn, %error, "the configuration before stays in use");
                Applied::Refused(error)
            }
        }
    }
}

fn check<T: DeserializeOwned>(
    mediator: &MediatorConfig,
    configuration: &Value,
) -> Result<T, PushedConfigurationError> {
    mediator
        .check_configuration(configuration)
        .map_err(|mistakes| {
            PushedConfigurationError::Mistakes(mistakes.iter().map(ToString::to_string).collect())
        })?;
    serde_path_to_error::deserialize(configuration).map_err(|error| {
        PushedConfigurationError::NotExpected {
            parameter: error.path().to_string(),
            reason: without_value(&error.inner().to_string()),
        }
    })
}

/// Serde's messages quote the value that they find wrong; what is expected comes from the code.
fn without_value(message: &str) -> String {
    const OF_NAMES_ONLY: [&str; 3] = ["missing field ", "unknown field ", "duplicate field "];
    if OF_NAMES_ONLY.iter().any(|start| message.starts_with(start)) {
        return message.to_owned();
    }
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {expected}"),
        None => "not a value that it takes".to_owned(),
    }
}

impl<T> Clone for PushedConfiguration<T> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

/// Without the configuration itself, which may hold passwords.
impl<T> fmt::Debug for PushedConfiguration<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PushedConfiguration")
            .field("urn", &self.shared.mediator.urn())
            .finish_non_exhaustive()
    }
}
