use std::time::Duration;

use http::HeaderValue;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Method, Request};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::{Url, form_urlencoded};

use super::BackEndSettings;
use super::authorization::{basic, bearer};
use super::error::BackEndError;
use super::retry::unanswered;
use crate::transaction::exchange;

/// Longest answer of a token endpoint, in bytes.
const LONGEST_ANSWER: usize = 256 * 1024;

/// How long a token is used whose end is not told.
const UNTOLD_LIFE: Duration = Duration::from_secs(60);

/// How long before its end a token is renewed, at most; of a short life, a fifth.
const EARLY: Duration = Duration::from_secs(30);

/// Tokens from an OAuth2 server (RFC 6749, section 4.4), asked for one at a time.
pub(super) struct ClientCredentials {
    back_end: String,
    token_url: Url,
    address: String,
    authorization: SecretString,
    form: String,
    timeout: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Issued>,
    /// The last failure, for those who waited for the same answer.
    failed: Option<(Instant, BackEndError)>,
}

struct Issued {
    token: SecretString,
    renew_at: Instant,
    ends_at: Instant,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    token_type: String,
    #[serde(default)]
    expires_in: Option<f64>,
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

impl ClientCredentials {
    pub(super) fn new(
        settings: &BackEndSettings,
        token_url: Url,
        client_id: &str,
        client_secret: &SecretString,
        scope: Option<&str>,
    ) -> Self {
        let encoded =
            |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        if let Some(scope) = scope {
            form.append_pair("scope", scope);
        }
        Self {
            back_end: settings.name.clone(),
            address: token_url.origin().ascii_serialization(),
            token_url,
            // Section 2.3.1 has both encoded as in forms.
            authorization: basic(&encoded(client_id), &encoded(client_secret.expose_secret())),
            form: form.finish(),
            timeout: settings.timeout,
            state: Mutex::default(),
        }
    }

    /// A token that is good for a while.
    pub(super) async fn token(&self, http: &reqwest::Client) -> Result<SecretString, BackEndError> {
        let asked = Instant::now();
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let Some(issued) = &state.token
            && now < issued.renew_at
        {
            return Ok(issued.token.clone());
        }
        let failure = match &state.failed {
            Some((at, error)) if *at >= asked => error.clone(),
            _ => match self.fetch(http).await {
                Ok(issued) => {
                    let token = issued.token.clone();
                    *state = State {
                        token: Some(issued),
                        failed: None,
                    };
                    return Ok(token);
                }
                Err(error) => {
                    state.failed = Some((Instant::now(), error.clone()));
                    error
                }
            },
        };
        match &state.token {
            Some(issued) if Instant::now() < issued.ends_at => {
                tracing::warn!(error = %failure, "the token is not renewed yet, and still good");
                Ok(issued.token.clone())
            }
            _ => Err(failure),
        }
    }

    /// Forgets the token of this header, if it is still the one that is kept.
    pub(super) async fn forget(&self, refused: &HeaderValue) {
        let mut state = self.state.lock().await;
        let is_refused = state.token.as_ref().is_some_and(|issued| {
            bearer(issued.token.expose_secret())
                .expose_secret()
                .as_bytes()
                == refused.as_bytes()
        });
        if is_refused {
            state.token = None;
        }
    }

    async fn fetch(&self, http: &reqwest::Client) -> Result<Issued, BackEndError> {
        let asked = Instant::now();
        let mut request = Request::new(Method::POST, self.token_url.clone());
        let mut authorization = HeaderValue::try_from(self.authorization.expose_secret())
            .map_err(|_| self.refused("the client's id or secret cannot be sent".to_owned()))?;
        authorization.set_sensitive(true);
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, authorization);
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/x-www-form-urlencoded"),
        );
        *request.body_mut() = Some(self.form.clone().into());
        let name = "Get a token";
        let answer = exchange(http, name, request, self.timeout, LONGEST_ANSWER).await;
        let server = format!("the server that issues tokens for {}", self.back_end);
        let answer = answer.map_err(|error| unanswered(&server, &self.address, error).error)?;
        let (status, _, body) = answer.into_parts();
        if !status.is_success() {
            if status.is_server_error() || status == http::StatusCode::TOO_MANY_REQUESTS {
                return Err(BackEndError::Broken {
                    back_end: server,
                    address: self.address.clone(),
                    reason: format!("it answered {status}"),
                });
            }
            let error = serde_json::from_slice(&body).map(|ErrorAnswer { error }| error);
            // Codes of RFC 6749 are words; anything longer is not repeated.
            let code = error.ok().filter(|code| {
                code.len() < 40 && code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            });
            return Err(self.refused(match code {
                Some(code) => format!(
                    "{} issues no token ({status}, {code}): check the client's id, its secret and \
                     the scope",
                    self.address
                ),
                None => format!(
                    "{} issues no token ({status}): is this the address of the token endpoint?",
                    self.address
                ),
            }));
        }
        let answer: TokenAnswer = serde_json::from_slice(&body).map_err(|_| {
            self.refused(format!(
                "what {} answers is no token: is this the address of the token endpoint?",
                self.address
            ))
        })?;
        if !answer.token_type.eq_ignore_ascii_case("bearer") {
            return Err(self.refused(format!(
                "{} issues tokens that are not bearer tokens",
                self.address
            )));
        }
        let life = answer
            .expires_in
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .unwrap_or(UNTOLD_LIFE)
            .min(Duration::from_secs(24 * 3600));
        let ends_at = asked + life;
        Ok(Issued {
            token: answer.access_token.into(),
            renew_at: ends_at - EARLY.min(life / 5),
            ends_at,
        })
    }

    fn refused(&self, reason: String) -> BackEndError {
        BackEndError::NotAuthenticated {
            back_end: self.back_end.clone(),
            reason,
        }
    }
}
