//! The OpenHIM core that the configuration names, and what this mediator tells it about itself.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use mediator_core::mediator_config::{ChannelAuthentication, MediatorConfig, MediatorConfigError};
use mediator_core::openhim::{Authentication, OpenHim, OpenHimError, OpenHimSettings, Trust};

use secrecy::{ExposeSecret as _, SecretString};

use crate::configuration::{self, Configuration, OpenHimAuthentication};
use crate::serve::{AccessError, credentials_of_channels};

/// The registration that comes with the program.
const REGISTRATION: &str = include_str!("../../openhim-config/mediator.json");

/// Why OpenHIM cannot be worked with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenHimSetupError {
    /// The registration is wrong.
    #[error("openhim.mediator_config: {0}")]
    Registration(#[from] MediatorConfigError),
    /// The password cannot be read.
    #[error("openhim.password_file: {path}: {source}")]
    Password {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The API's address cannot be one.
    #[error("openhim.api_url: {0}")]
    Address(String),
    /// What channels have to send is not known.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The client cannot be made.
    #[error("openhim: {0}")]
    Client(#[from] OpenHimError),
}

/// A client of the configured core; none when none is configured.
///
/// # Errors
/// [`OpenHimSetupError`] when a file cannot be used; core itself is not asked.
pub(crate) fn client(
    settings: &configuration::OpenHim,
) -> Result<Option<OpenHim>, OpenHimSetupError> {
    let client = client_settings(settings)?;
    Ok(client.as_ref().map(OpenHim::new).transpose()?)
}

/// How to reach the configured core; nothing when it, the user or the password is not configured.
///
/// # Errors
/// [`OpenHimSetupError`] when the password cannot be read, or the address is none.
pub(crate) fn client_settings(
    settings: &configuration::OpenHim,
) -> Result<Option<OpenHimSettings>, OpenHimSetupError> {
    let (Some(api_url), Some(username)) = (&settings.api_url, &settings.username) else {
        return Ok(None);
    };
    let password = match (&settings.password, &settings.password_file) {
        (Some(password), _) => password.expose().to_owned(),
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|source| {
                let path = path.clone();
                OpenHimSetupError::Password { path, source }
            })?;
            text.trim_end_matches(['\r', '\n']).to_owned()
        }
        (None, None) => return Ok(None),
    };
    let url = api_url
        .parse()
        .map_err(|error: url::ParseError| OpenHimSetupError::Address(error.to_string()))?;
    let mut client = OpenHimSettings::new(url, username, password.into());
    client.authentication = match settings.authentication {
        OpenHimAuthentication::Automatic => Authentication::Automatic,
        OpenHimAuthentication::Basic => Authentication::Basic,
        OpenHimAuthentication::Token => Authentication::Token,
    };
    client.trust = match &settings.ca_file {
        Some(path) => Trust::CertificateAuthority(path.clone()),
        None if settings.trust_self_signed => Trust::AnyCertificate,
        None => Trust::System,
    };
    Ok(Some(client))
}

/// What this mediator tells OpenHIM about itself: the configured file or the built-in one, its
/// routes leading to where OpenHIM reaches this mediator.
///
/// # Errors
/// [`OpenHimSetupError::Registration`] with every mistake in the file.
pub(crate) fn of(configuration: &Configuration) -> Result<MediatorConfig, OpenHimSetupError> {
    let settings = &configuration.openhim;
    let registration = match &settings.mediator_config {
        Some(path) => MediatorConfig::from_file(path)?,
        None => MediatorConfig::from_json(REGISTRATION)?,
    };
    let address = match (&settings.mediator_address, &settings.mediator_config) {
        (Some(address), _) => host_and_port(address),
        // Whoever writes a registration says where the mediator is.
        (None, Some(_)) => None,
        (None, None) => listened_on(configuration.server.listen),
    };
    let credentials = credentials_of_channels(&configuration.access.openhim)?;
    let credentials = credentials.as_ref();
    Ok(located(
        registration,
        address.as_ref(),
        configuration,
        credentials,
    )?)
}

/// A registration from elsewhere, its routes leading to the configured address of this mediator if
/// there is one, with what [channels send](credentials_of_channels) to show that they are OpenHIM's.
///
/// # Errors
/// [`MediatorConfigError`], although a registration without mistakes has none afterwards.
pub(crate) fn at_configured_address(
    registration: MediatorConfig,
    configuration: &Configuration,
    credentials: Option<&(String, SecretString)>,
) -> Result<MediatorConfig, MediatorConfigError> {
    let address = configuration.openhim.mediator_address.as_deref();
    let address = address.and_then(host_and_port);
    located(registration, address.as_ref(), configuration, credentials)
}

fn located(
    registration: MediatorConfig,
    address: Option<&(String, u16)>,
    configuration: &Configuration,
    credentials: Option<&(String, SecretString)>,
) -> Result<MediatorConfig, MediatorConfigError> {
    let is_secured = configuration.server.tls.certificate_file.is_some();
    let registration = registration.into_builder().map_routes(|route| {
        if let Some((host, port)) = address {
            route.host = Some(host.clone());
            route.port = Some(*port);
        }
        if is_secured {
            route.secured = Some(true);
        }
    });
    let registration = registration.build()?;
    let Some((username, password)) = credentials else {
        return Ok(registration);
    };
    let own: Vec<_> = registration
        .endpoints()
        .iter()
        .map(|endpoint| (endpoint.host.clone(), endpoint.port))
        .collect();
    let registration = registration.into_builder().map_channels(|channel| {
        // Of whom asks through such a channel, OpenHIM passes on what they claim to be.
        if channel.auth_type == Some(ChannelAuthentication::Public) {
            return;
        }
        for route in &mut channel.routes {
            // The secret is for nobody else.
            if own.contains(&(route.host.clone(), route.port)) {
                route.username = Some(username.clone());
                route.password = Some(password.expose_secret().into());
            }
        }
    });
    registration.build()
}

fn host_and_port(address: &str) -> Option<(String, u16)> {
    let (host, port) = address.rsplit_once(':')?;
    Some((host.to_owned(), port.parse().ok()?))
}

fn listened_on(address: SocketAddr) -> Option<(String, u16)> {
    let is_somewhere = !address.ip().is_unspecified();
    is_somewhere.then(|| (address.ip().to_string(), address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registered(settings: &[(&str, &str)]) -> MediatorConfig {
        let environment = settings
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        of(&Configuration::load(None, environment).unwrap()).unwrap()
    }

    fn addresses(config: &MediatorConfig) -> Vec<(Option<String>, Option<u16>)> {
        let channels = config.default_channels();
        let routes = channels.iter().flat_map(|channel| &channel.routes);
        let mut all: Vec<_> = routes
            .chain(config.endpoints())
            .map(|route| (route.host.clone(), route.port))
            .collect();
        all.dedup();
        all
    }

    #[test]
    fn routes_lead_to_where_the_mediator_is() {
        let config = registered(&[("MEDIATOR_SERVER__LISTEN", "127.0.0.2:5000")]);
        assert_eq!(
            addresses(&config),
            [(Some("127.0.0.2".to_owned()), Some(5000))]
        );
        let config = registered(&[
            ("MEDIATOR_SERVER__LISTEN", "0.0.0.0:5000"),
            ("MEDIATOR_OPENHIM__MEDIATOR_ADDRESS", "ddcc-mediator:80"),
        ]);
        assert_eq!(
            addresses(&config),
            [(Some("ddcc-mediator".to_owned()), Some(80))]
        );
        let config = registered(&[("MEDIATOR_SERVER__LISTEN", "0.0.0.0:5000")]);
        assert_eq!(
            addresses(&config),
            [(Some("127.0.0.1".to_owned()), Some(4321))]
        );
    }

    #[test]
    fn channels_that_know_their_clients_show_that_they_are_openhims() {
        let config = registered(&[
            ("MEDIATOR_ACCESS__OPENHIM__USERNAME", "openhim"),
            (
                "MEDIATOR_ACCESS__OPENHIM__PASSWORD",
                "a long password of channels",
            ),
        ]);
        let mut with_secret = 0;
        for channel in config.default_channels() {
            let is_public = channel.auth_type == Some(ChannelAuthentication::Public);
            for route in &channel.routes {
                assert_eq!(route.password.is_none(), is_public, "{}", channel.name);
                with_secret += usize::from(!is_public);
            }
        }
        assert!(with_secret > 5);
        let endpoints = config.endpoints().iter();
        assert_eq!(
            endpoints
                .filter(|endpoint| endpoint.password.is_some())
                .count(),
            0
        );
    }

    #[test]
    fn the_channels_secret_goes_to_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mediator.json");
        let mut document: serde_json::Value = serde_json::from_str(REGISTRATION).unwrap();
        document["defaultChannelConfig"][0]["routes"][0]["host"] = "elsewhere.example".into();
        std::fs::write(&file, document.to_string()).unwrap();
        let config = registered(&[
            ("MEDIATOR_OPENHIM__MEDIATOR_CONFIG", file.to_str().unwrap()),
            ("MEDIATOR_ACCESS__OPENHIM__USERNAME", "openhim"),
            (
                "MEDIATOR_ACCESS__OPENHIM__PASSWORD",
                "a long password of channels",
            ),
        ]);
        let channels = config.default_channels();
        assert!(channels[0].routes[0].password.is_none());
        assert!(channels[1].routes[0].password.is_some());
    }

    #[test]
    fn without_a_core_there_is_no_client() {
        let configuration = Configuration::load(None, []).unwrap();
        assert!(client(&configuration.openhim).unwrap().is_none());
    }

    #[test]
    fn the_password_comes_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        let settings = configuration::OpenHim {
            api_url: Some("https://localhost:8080".to_owned()),
            username: Some("root@openhim.org".to_owned()),
            password_file: Some(file.clone()),
            ..Configuration::load(None, []).unwrap().openhim
        };
        let error = client(&settings).unwrap_err();
        assert!(
            matches!(error, OpenHimSetupError::Password { .. }),
            "{error}"
        );
        std::fs::write(file, "secret\n").unwrap();
        assert!(client(&settings).unwrap().is_some());
    }
}
