use std::path::PathBuf;

use super::{Configuration, ConfigurationError};

/// Where the configuration is.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ConfigurationArguments {
    /// Configuration file (TOML); without one, defaults and MEDIATOR_* variables apply
    #[arg(long, value_name = "FILE", env = "MEDIATOR_CONFIG")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigurationArguments {
    /// Reads the configuration of this process.
    ///
    /// # Errors
    /// [`ConfigurationError`] with every mistake; exit code 2.
    pub(crate) fn load(&self) -> Result<Configuration, ConfigurationError> {
        let environment = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .map(|(name, value)| (name, value.to_string_lossy().into_owned()));
        Configuration::load(self.config.as_deref(), environment)
    }
}
