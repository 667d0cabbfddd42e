use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

use super::CircuitBreakerSettings;

/// How to reach a back end, and what to expect of it. `Debug` shows no secrets.
#[derive(Debug, Clone)]
pub struct BackEndSettings {
    /// What it is, such as `FHIR repository`: in messages, as label of metrics, and as the group of
    /// its calls in OpenHIM.
    pub name: String,
    /// What the paths of calls are relative to; with or without a slash at its end.
    pub base_url: Url,
    /// How it is shown who calls.
    pub authentication: Authentication,
    /// Whose certificates it, and the server that issues tokens, may have.
    pub trust: Trust,
    /// Shown to servers that ask for one (mutual TLS).
    pub client_certificate: Option<ClientCertificate>,
    /// Longest time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time from sending a request to the end of its answer, for each attempt.
    pub timeout: Duration,
    /// How often a call is tried before it is given up; at least once.
    pub attempts: u32,
    /// The wait before the second attempt; doubled for each further one, with jitter.
    pub first_retry_delay: Duration,
    /// Longest answer, in bytes.
    pub maximum_response_bytes: usize,
    /// When calls fail at once instead of waiting for a back end that is down.
    pub circuit_breaker: CircuitBreakerSettings,
}

impl BackEndSettings {
    /// Without authentication, trusting the system's authorities: 3 s for connecting, 10 s for an
    /// attempt, 3 attempts, the second after 100 ms; answers up to 32 MiB; the default circuit
    /// breaker.
    #[must_use]
    pub fn new(name: impl Into<String>, base_url: Url) -> Self {
        Self {
            name: name.into(),
            base_url,
            authentication: Authentication::None,
            trust: Trust::System,
            client_certificate: None,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(10),
            attempts: 3,
            first_retry_delay: Duration::from_millis(100),
            maximum_response_bytes: 32 * 1024 * 1024,
            circuit_breaker: CircuitBreakerSettings::default(),
        }
    }

    pub(super) fn check(&self) -> Result<(), BackEndSettingsError> {
        self.check_url("its address", &self.base_url)?;
        match &self.authentication {
            Authentication::ClientCredentials { token_url, .. } => {
                self.check_url("the address for tokens", token_url)
            }
            Authentication::Basic { username, .. } if username.contains(':') => {
                Err(self
                    .mistake("a user name with a colon cannot be sent with HTTP Basic".to_owned()))
            }
            _ => Ok(()),
        }
    }

    fn check_url(&self, what: &str, url: &Url) -> Result<(), BackEndSettingsError> {
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            let text = format!("{what} must begin with https: (or http:) and name a host");
            return Err(self.mistake(text));
        }
        if !url.username().is_empty() || url.password().is_some() {
            let text = format!("{what} must hold no user and no password: set them apart");
            return Err(self.mistake(text));
        }
        Ok(())
    }

    pub(super) fn mistake(&self, reason: String) -> BackEndSettingsError {
        BackEndSettingsError::Settings {
            back_end: self.name.clone(),
            reason,
        }
    }

    /// Whether nothing that is sent is encrypted.
    pub(super) fn is_plain(&self) -> bool {
        let token_url = match &self.authentication {
            Authentication::ClientCredentials { token_url, .. } => Some(token_url),
            _ => None,
        };
        self.base_url.scheme() == "http" && token_url.is_none_or(|url| url.scheme() == "http")
    }
}

/// How a back end is shown who calls.
#[derive(Debug, Clone, Default)]
pub enum Authentication {
    /// Not at all, or only by [`BackEndSettings::client_certificate`].
    #[default]
    None,
    /// HTTP Basic (RFC 7617).
    Basic {
        /// The user.
        username: String,
        /// The user's password.
        password: SecretString,
    },
    /// A bearer token (RFC 6750).
    Bearer(Token),
    /// A bearer token from an OAuth2 server, for this client itself (RFC 6749, section 4.4). It is
    /// kept, renewed before it ends, and renewed once when it is refused.
    ClientCredentials {
        /// The token endpoint.
        token_url: Url,
        /// The client.
        client_id: String,
        /// Sent with HTTP Basic.
        client_secret: SecretString,
        /// Scopes asked for, separated by spaces.
        scope: Option<String>,
    },
}

/// Where a bearer token comes from.
#[derive(Clone)]
pub enum Token {
    /// It is this one.
    Value(SecretString),
    /// It is the text of this file, read for each call: whoever writes the file renews the token.
    File(PathBuf),
}

impl fmt::Debug for Token {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => formatter.write_str("Value([redacted])"),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
        }
    }
}

/// Whose certificates a server may have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// Those of the authorities that the operating system trusts.
    #[default]
    System,
    /// Those of the authorities in this PEM file only.
    CertificateAuthority(PathBuf),
}

/// A certificate to show, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM, the client's certificate first.
    pub certificate_file: PathBuf,
    /// PEM: PKCS #8, SEC1 or PKCS #1, not encrypted.
    pub key_file: PathBuf,
}

/// Why there is no client with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackEndSettingsError {
    /// They make no sense.
    #[error("{back_end} cannot be used with these settings: {reason}")]
    Settings {
        /// Name of the back end.
        back_end: String,
        /// What is wrong.
        reason: String,
    },
    /// The file of certificate authorities is of no use.
    #[error(
        "{path} has no certificate authority for {back_end} ({reason}): \
         name a readable PEM file with at least one CERTIFICATE"
    )]
    CertificateAuthority {
        /// Name of the back end.
        back_end: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The client certificate or its key is of no use.
    #[error(
        "{path} cannot be shown to {back_end} as a client certificate ({reason}): \
         name a readable PEM file with a CERTIFICATE, and one with its PRIVATE KEY, not encrypted"
    )]
    ClientCertificate {
        /// Name of the back end.
        back_end: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}
