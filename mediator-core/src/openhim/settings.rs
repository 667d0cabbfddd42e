use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use url::Url;

/// How to reach the API of OpenHIM core, and what to expect of it.
#[derive(Debug, Clone)]
pub struct OpenHimSettings {
    /// Where core's API is, such as `https://openhim-core:8080`; a path is kept as a prefix.
    pub api_url: Url,
    /// The user's e-mail address.
    pub username: String,
    /// The user's password.
    pub password: SecretString,
    /// How the user proves who they are.
    pub authentication: Authentication,
    /// Which certificate core may have.
    pub trust: Trust,
    /// Longest time to a connection, TLS included.
    pub connect_timeout: Duration,
    /// Longest time from sending a request to the end of its answer.
    pub timeout: Duration,
    /// How often a request that is safe to repeat is sent before it is given up; at least once.
    pub attempts: usize,
    /// The wait before the second attempt; doubled for each further one, with jitter.
    pub first_retry_delay: Duration,
    /// Longest answer, in bytes.
    pub maximum_answer_bytes: usize,
}

/// How a user of core's API proves who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Authentication {
    /// HTTP Basic first, then tokens; what worked is remembered.
    #[default]
    Automatic,
    /// HTTP Basic: OpenHIM 8 and newer (`authenticationTypes` of its configuration permitting).
    Basic,
    /// Salted, time-stamped tokens: the only way up to OpenHIM 5, deprecated since.
    Token,
}

/// Which certificate of core is accepted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Trust {
    /// One issued by an authority that the operating system trusts.
    #[default]
    System,
    /// One issued by an authority in this PEM file, and no other.
    CertificateAuthority(PathBuf),
    /// Any, so anyone in between can read the password: for tests with core's self-signed
    /// certificate. Each client that is built so logs a warning.
    AnyCertificate,
}

impl OpenHimSettings {
    /// Automatic authentication, certificates that the system trusts, 5 s to connect, 30 s for an
    /// answer of at most 16 MiB (the longest request core takes by default), and three attempts.
    #[must_use]
    pub fn new(api_url: Url, username: impl Into<String>, password: SecretString) -> Self {
        Self {
            api_url,
            username: username.into(),
            password,
            authentication: Authentication::default(),
            trust: Trust::default(),
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(30),
            attempts: 3,
            first_retry_delay: Duration::from_millis(200),
            maximum_answer_bytes: 16 * 1024 * 1024,
        }
    }
}
