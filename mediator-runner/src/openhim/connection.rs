//! Which OpenHIM core a command talks to, as whom, and about which mediator.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use mediator_core::mediator_config::MediatorConfig;
use mediator_core::openhim::{OpenHim, OpenHimSettings, Trust};
use url::Url;

use super::CommandError;
use crate::configuration::{self, Configuration, ConfigurationArguments};
use crate::registration;

/// Arguments of every command. What is not given is taken from the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct ConnectionArguments {
    /// URL of OpenHIM core's API, such as https://localhost:8080
    #[arg(long, value_name = "URL")]
    api_url: Option<Url>,

    /// Trust the certificate authorities in this file (PEM) and no others
    #[arg(long, value_name = "FILE", conflicts_with = "trust_self_signed")]
    ca: Option<PathBuf>,

    /// Trust any certificate: whoever sits in between can read the password. For trying out
    #[arg(long)]
    trust_self_signed: bool,

    #[command(flatten)]
    configuration: ConfigurationArguments,
}

/// A client of core's API, and what the configuration says about the mediator.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) openhim: OpenHim,
    pub(super) settings: OpenHimSettings,
    pub(super) configuration: Configuration,
}

impl ConnectionArguments {
    /// The connection that the arguments, the environment and the configuration describe. Nothing
    /// is sent yet.
    pub(super) fn connect(&self) -> Result<Connection, CommandError> {
        let usage = |error: &dyn std::fmt::Display| CommandError::Usage(error.to_string());
        let mut configuration = self.configuration.load().map_err(|error| usage(&error))?;
        self.override_settings(&mut configuration.openhim, |name| std::env::var(name).ok());
        let settings = registration::client_settings(&configuration.openhim)
            .map_err(|error| usage(&error))?
            .ok_or_else(|| CommandError::Usage(what_is_missing(&configuration.openhim)))?;
        if settings.trust == Trust::AnyCertificate {
            // Nothing is left to do when standard error is closed.
            let _ = writeln!(
                io::stderr(),
                "warning: any certificate is trusted, so {} may be somebody else who now learns \
                 the password",
                settings.api_url
            );
        }
        Ok(Connection {
            openhim: OpenHim::new(&settings).map_err(|error| usage(&error))?,
            settings,
            configuration,
        })
    }

    /// Arguments count more than the environment, and that more than the configuration.
    fn override_settings(
        &self,
        settings: &mut configuration::OpenHim,
        environment: impl Fn(&str) -> Option<String>,
    ) {
        if let Some(url) = &self.api_url {
            settings.api_url = Some(url.to_string());
        }
        if let Some(username) = environment("OPENHIM_USERNAME") {
            settings.username = Some(username);
        }
        if let Some(password) = environment("OPENHIM_PASSWORD") {
            settings.password = Some(password.into());
        }
        if self.trust_self_signed {
            settings.ca_file = None;
            settings.trust_self_signed = true;
        }
        if let Some(file) = &self.ca {
            settings.ca_file = Some(file.clone());
        }
    }
}

fn what_is_missing(settings: &configuration::OpenHim) -> String {
    if settings.api_url.is_none() {
        "which OpenHIM? Give --api-url, or configure openhim.api_url"
    } else if settings.username.is_none() {
        "as whom? Set OPENHIM_USERNAME, or configure openhim.username"
    } else {
        "no password: set OPENHIM_PASSWORD, or configure openhim.password_file"
    }
    .to_owned()
}

impl Connection {
    /// The registration in `file`, else the configured one, else the one of this program.
    pub(super) fn mediator(&self, file: Option<&Path>) -> Result<MediatorConfig, CommandError> {
        let mut configuration = self.configuration.clone();
        if let Some(file) = file {
            configuration.openhim.mediator_config = Some(file.to_owned());
        }
        registration::of(&configuration).map_err(|error| {
            let text = error.to_string();
            let text = text
                .strip_prefix("openhim.mediator_config: ")
                .unwrap_or(&text);
            CommandError::Usage(text.to_owned())
        })
    }
}
