use std::path::{Path, PathBuf};

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use secrecy::{ExposeSecret as _, SecretString};

use super::client_credentials::ClientCredentials;
use super::{Authentication, BackEndError, BackEndSettings, Token};

/// Longest token that is taken from a file, in bytes.
const LONGEST_TOKEN: u64 = 64 * 1024;

/// Makes the `Authorization` of calls.
pub(super) struct Authorization {
    back_end: String,
    kind: Kind,
}

enum Kind {
    None,
    Fixed(SecretString),
    File(PathBuf),
    ClientCredentials(Box<ClientCredentials>),
}

impl Authorization {
    pub(super) fn new(settings: &BackEndSettings) -> Self {
        let kind = match &settings.authentication {
            Authentication::None => Kind::None,
            Authentication::Basic { username, password } => {
                Kind::Fixed(basic(username, password.expose_secret()))
            }
            Authentication::Bearer(Token::Value(token)) => {
                Kind::Fixed(bearer(token.expose_secret()))
            }
            Authentication::Bearer(Token::File(path)) => Kind::File(path.clone()),
            Authentication::ClientCredentials {
                token_url,
                client_id,
                client_secret,
                scope,
            } => Kind::ClientCredentials(Box::new(ClientCredentials::new(
                settings,
                token_url.clone(),
                client_id,
                client_secret,
                scope.as_deref(),
            ))),
        };
        Self {
            back_end: settings.name.clone(),
            kind,
        }
    }

    /// The header for a call; `None` where there is no authentication.
    ///
    /// # Errors
    /// Why there is no token.
    pub(super) async fn header(
        &self,
        http: &reqwest::Client,
    ) -> Result<Option<HeaderValue>, BackEndError> {
        let token = match &self.kind {
            Kind::None => return Ok(None),
            Kind::Fixed(value) => return self.value(value).map(Some),
            Kind::File(path) => read_token(path).await.map_err(|reason| {
                self.refused(format!(
                    "there is no token in {} ({reason}): is whatever writes it running?",
                    path.display()
                ))
            })?,
            Kind::ClientCredentials(credentials) => credentials.token(http).await?,
        };
        self.value(&bearer(token.expose_secret())).map(Some)
    }

    /// Whether it makes sense to repeat a call that was refused with this header: the next one
    /// will be another.
    pub(super) async fn renew(&self, refused: Option<&HeaderValue>) -> bool {
        let Some(refused) = refused else { return false };
        match &self.kind {
            Kind::None | Kind::Fixed(_) => false,
            Kind::File(path) => match read_token(path).await {
                Ok(token) => {
                    bearer(token.expose_secret()).expose_secret().as_bytes() != refused.as_bytes()
                }
                Err(_) => false,
            },
            Kind::ClientCredentials(credentials) => {
                credentials.forget(refused).await;
                true
            }
        }
    }

    /// What a 401 means.
    pub(super) fn refusal(&self) -> BackEndError {
        self.refused(
            match &self.kind {
                Kind::None => {
                    "it asks for authentication (401), and none is set: set user name and password, \
                     a token, or client credentials"
                }
                Kind::Fixed(_) => {
                    "it refuses the credentials (401): check the user name and the password, or \
                     the token"
                }
                Kind::File(_) => {
                    "it refuses the token from the file (401): is it for this system, and renewed \
                     before it ends?"
                }
                Kind::ClientCredentials(_) => {
                    "it refuses a token that was just issued (401): does it trust the server that \
                     issues tokens, are audience and scope as it wants them, and do the clocks agree?"
                }
            }
            .to_owned(),
        )
    }

    fn refused(&self, reason: String) -> BackEndError {
        BackEndError::NotAuthenticated {
            back_end: self.back_end.clone(),
            reason,
        }
    }

    fn value(&self, text: &SecretString) -> Result<HeaderValue, BackEndError> {
        let bytes = Bytes::copy_from_slice(text.expose_secret().as_bytes());
        let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| {
            self.refused(
                "the credentials hold a line break or another control character".to_owned(),
            )
        })?;
        value.set_sensitive(true);
        Ok(value)
    }
}

pub(super) fn basic(username: &str, password: &str) -> SecretString {
    format!(
        "Basic {}",
        STANDARD.encode(format!("{username}:{password}"))
    )
    .into()
}

pub(super) fn bearer(token: &str) -> SecretString {
    format!("Bearer {token}").into()
}

async fn read_token(path: &Path) -> Result<SecretString, String> {
    let metadata = tokio::fs::metadata(path).await;
    let length = metadata.map_err(|error| error.to_string())?.len();
    if length > LONGEST_TOKEN {
        return Err("it is too long for a token".to_owned());
    }
    let text = tokio::fs::read_to_string(path).await;
    let text = text.map_err(|error| error.to_string())?;
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        token => Ok(token.to_owned().into()),
    }
}
