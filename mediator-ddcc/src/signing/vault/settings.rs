use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mediator_core::back_end::BackEndSettings;
use secrecy::SecretString;

/// How to reach and use the key of a Vault's (or OpenBao's) engine `transit`.
#[derive(Debug, Clone)]
pub struct VaultSettings {
    /// Where Vault is (without `/v1`), and how long to wait for it. Its authentication stays
    /// `None`: [`Self::login`] is Vault's own.
    pub back_end: BackEndSettings,
    /// The namespace that all paths are in, for Vault Enterprise and OpenBao.
    pub namespace: Option<String>,
    /// Who asks.
    pub login: VaultLogin,
    /// Where the engine is mounted: `transit`.
    pub mount: String,
    /// The name of the key.
    pub key: String,
    /// How many signatures may wait for Vault; the next one is refused.
    pub maximum_waiting: usize,
    /// The longest wait for a signature, all attempts together.
    pub wait: Duration,
}

impl VaultSettings {
    /// With the engine at `transit`, 1024 signatures waiting for 10 s at most.
    #[must_use]
    pub fn new(back_end: BackEndSettings, login: VaultLogin, key: impl Into<String>) -> Self {
        Self {
            back_end,
            namespace: None,
            login,
            mount: "transit".to_owned(),
            key: key.into(),
            maximum_waiting: 1024,
            wait: Duration::from_secs(10),
        }
    }
}

/// How this mediator logs on to Vault. Files are read again for each login.
#[derive(Debug, Clone)]
pub enum VaultLogin {
    /// With a token that somebody else got; with a file, an agent beside may put a new one there.
    Token(VaultSecret),
    /// As a role of the method `approle`.
    AppRole {
        /// Where the method is mounted: `approle`.
        mount: String,
        /// The role's id.
        role_id: String,
        /// A secret id of the role.
        secret_id: VaultSecret,
    },
    /// With the token of this pod's Kubernetes service account.
    Kubernetes {
        /// Where the method is mounted: `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// Where the pod finds its token, see [`VaultLogin::SERVICE_ACCOUNT_TOKEN`].
        token_file: PathBuf,
    },
    /// With a JSON Web Token of another issuer.
    Jwt {
        /// Where the method is mounted: `jwt`.
        mount: String,
        /// The role.
        role: String,
        /// The token.
        token: VaultSecret,
    },
}

impl VaultLogin {
    /// Where Kubernetes puts the token of a pod's service account.
    pub const SERVICE_ACCOUNT_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

    /// For people.
    pub(super) fn method(&self) -> &'static str {
        match self {
            Self::Token(_) => "token",
            Self::AppRole { .. } => "approle",
            Self::Kubernetes { .. } => "kubernetes",
            Self::Jwt { .. } => "jwt",
        }
    }
}

/// A secret, or the file that it stands in alone.
#[derive(Clone)]
pub enum VaultSecret {
    /// It is this one.
    Value(SecretString),
    /// It is the text of this file, read again whenever it is needed.
    File(PathBuf),
}

/// A secret in a file is a token or a password; more is something else.
const LONGEST_SECRET: u64 = 64 * 1024;

impl VaultSecret {
    /// The secret, without white space around it.
    ///
    /// # Errors
    /// What is wrong with the file, without any of its content.
    pub(super) async fn read(&self) -> Result<SecretString, String> {
        match self {
            Self::Value(secret) => Ok(secret.clone()),
            Self::File(path) => read(path).await,
        }
    }

    /// Where a new one is put, for people.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Value(_) => "the configuration".to_owned(),
            Self::File(path) => path.display().to_string(),
        }
    }
}

/// The text of a file that holds one secret.
pub(super) async fn read(path: &Path) -> Result<SecretString, String> {
    let wrong = |reason: &str| format!("{}: {reason}", path.display());
    let metadata = tokio::fs::metadata(path).await;
    let length = metadata.map_err(|error| wrong(&error.to_string()))?.len();
    if length > LONGEST_SECRET {
        return Err(wrong("it is too long for a secret"));
    }
    let text = tokio::fs::read_to_string(path).await;
    let text = SecretString::from(text.map_err(|error| wrong(&error.to_string()))?);
    match secrecy::ExposeSecret::expose_secret(&text).trim() {
        "" => Err(wrong("it is empty")),
        secret => Ok(secret.to_owned().into()),
    }
}

impl fmt::Debug for VaultSecret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(_) => formatter.write_str("Value([redacted])"),
            Self::File(path) => formatter.debug_tuple("File").field(path).finish(),
        }
    }
}
