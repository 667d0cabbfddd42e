//! Configuration: a TOML file and environment variables over defaults that work without either.
//!
//! A setting `section.key` of the file is `MEDIATOR_SECTION__KEY` in the environment, which
//! overrides the file. Every mistake is reported at once, each with its place.

pub(crate) mod arguments;
pub(crate) mod command;
mod mistake;
mod reader;
mod secret;
mod sections;
mod source;

pub(crate) use arguments::ConfigurationArguments;
pub(crate) use mistake::ConfigurationError;
pub(crate) use sections::{
    Access, BackEndSetupError, Card, ClientCertificates, Configuration, Jobs, Ledger, LogFormat,
    OpenHim, OpenHimAccess, OpenHimAuthentication, Permissions, Telemetry, Tls, Tokens,
    Verification,
};

use std::path::Path;

use reader::Reader;
use source::Source;

impl Configuration {
    /// Reads the file, if one is given, and the environment.
    ///
    /// # Errors
    /// [`ConfigurationError`] with every mistake.
    pub(crate) fn load(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigurationError> {
        let mut source = Source::default();
        if let Some(file) = file {
            source.add_file(file)?;
        }
        source.add_environment(environment);
        let reader = Reader::default();
        let configuration = Self::read(&mut reader.root(source));
        reader.finish()?;
        Ok(configuration)
    }
}

#[cfg(test)]
mod tests;
