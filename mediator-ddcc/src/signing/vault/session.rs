use std::sync::{Arc, Weak};
use std::time::Duration;

use http::StatusCode;
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

use super::connection::{Answer, Connection, Request};
use super::settings::read;
use super::token::VaultToken;
use super::{VaultError, VaultLogin};

/// After a login that failed, whoever asks within this time gets the same answer: Vault may lock
/// out whoever tries too often.
const PAUSE: Duration = Duration::from_secs(1);

/// A login, kept up: renewed before it ends, made again when it cannot be renewed or was revoked.
#[derive(Debug)]
pub(super) struct Session {
    connection: Connection,
    login: VaultLogin,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    token: Option<Arc<VaultToken>>,
    failed: Option<(Instant, VaultError)>,
}

impl Session {
    pub(super) fn new(connection: Connection, login: VaultLogin) -> Arc<Self> {
        Arc::new(Self {
            connection,
            login,
            state: Mutex::default(),
        })
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// A token that is good as far as is known; logs on where there is none. Whoever asks at the
    /// same time waits for the same login.
    pub(super) async fn token(self: &Arc<Self>) -> Result<Arc<VaultToken>, VaultError> {
        let mut state = self.state.lock().await;
        if let Some(token) = state.token.as_ref().filter(|token| !token.has_ended()) {
            return Ok(Arc::clone(token));
        }
        self.log_on(&mut state).await
    }

    /// Another token than this one, which was refused; `None` when this one is good and was refused
    /// for what was asked.
    pub(super) async fn token_instead_of(
        self: &Arc<Self>,
        refused: &Arc<VaultToken>,
    ) -> Result<Option<Arc<VaultToken>>, VaultError> {
        let mut state = self.state.lock().await;
        match &state.token {
            Some(token) if !Arc::ptr_eq(token, refused) => return Ok(Some(Arc::clone(token))),
            Some(_) if self.is_good(refused).await? => return Ok(None),
            _ => {}
        }
        state.token = None;
        self.log_on(&mut state).await.map(Some)
    }

    async fn log_on(self: &Arc<Self>, state: &mut State) -> Result<Arc<VaultToken>, VaultError> {
        if let Some((at, error)) = &state.failed
            && at.elapsed() < PAUSE
        {
            return Err(error.clone());
        }
        match self.logged_on().await {
            Ok(token) => {
                let token = Arc::new(token);
                *state = State {
                    token: Some(Arc::clone(&token)),
                    failed: None,
                };
                tokio::spawn(keep_up(Arc::downgrade(self), Arc::clone(&token)));
                tracing::info!(method = self.login.method(), lasts = ?token.lasts, "logged on to Vault");
                Ok(token)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    async fn logged_on(&self) -> Result<VaultToken, VaultError> {
        match &self.login {
            VaultLogin::Token(secret) => {
                let place = secret.place();
                let secret = secret.read().await.map_err(|reason| self.failed(reason))?;
                self.look_up(secret, &place).await
            }
            VaultLogin::AppRole {
                mount,
                role_id,
                secret_id,
            } => {
                let secret = secret_id.read().await;
                let secret = secret.map_err(|reason| self.failed(reason))?;
                let body = json!({ "role_id": role_id, "secret_id": secret.expose_secret() });
                self.ask(mount, body).await
            }
            VaultLogin::Kubernetes {
                mount,
                role,
                token_file,
            } => self.ask_with(mount, role, read(token_file).await).await,
            VaultLogin::Jwt { mount, role, token } => {
                self.ask_with(mount, role, token.read().await).await
            }
        }
    }

    async fn ask_with(
        &self,
        mount: &str,
        role: &str,
        token: Result<SecretString, String>,
    ) -> Result<VaultToken, VaultError> {
        let token = token.map_err(|reason| self.failed(reason))?;
        let body = json!({ "role": role, "jwt": token.expose_secret() });
        self.ask(mount, body).await
    }

    async fn ask(&self, mount: &str, body: Value) -> Result<VaultToken, VaultError> {
        let mut request = Request::post("Log on", format!("auth/{mount}/login"), body);
        // A secret id may be good for one login only; the worst is then a clear refusal.
        request.safe_to_repeat = true;
        let answer = self.connection.send(&request, None).await?;
        let body = self.granted(answer, &request.path)?;
        VaultToken::of_answer(&body).ok_or(VaultError::NotUnderstood {
            path: request.path,
            expected: "token",
        })
    }

    /// What is known of a token that somebody else got.
    async fn look_up(&self, secret: SecretString, place: &str) -> Result<VaultToken, VaultError> {
        let request = Request::get("Look up the token", LOOKUP);
        let answer = self.connection.send(&request, Some(&secret)).await?;
        if answer.status == StatusCode::FORBIDDEN {
            return Err(self.failed(format!(
                "the token in {place} is not good (any more): put a new one there; if it is good, its policies lack read on {LOOKUP}, which the policy `default` has"
            )));
        }
        let body = self.granted(answer, LOOKUP)?;
        let data = &body["data"];
        let seconds = data["ttl"].as_u64().ok_or(VaultError::NotUnderstood {
            path: LOOKUP.to_owned(),
            expected: "ttl",
        })?;
        let renewable = data["renewable"].as_bool().unwrap_or_default();
        Ok(VaultToken::new(secret, seconds, renewable))
    }

    fn granted(&self, answer: Answer, path: &str) -> Result<Value, VaultError> {
        answer.success(path).map_err(|error| match error {
            VaultError::Refused {
                status: 400..500,
                reason,
                ..
            } => self.failed(format!(
                "{path} refuses it ({reason}): check the mount, the role and the secret in signing.vault, and whether the secret has ended"
            )),
            error => error,
        })
    }

    async fn is_good(&self, token: &VaultToken) -> Result<bool, VaultError> {
        let request = Request::get("Look up the token", LOOKUP);
        let answer = self.connection.send(&request, Some(&token.secret)).await?;
        match answer.status {
            StatusCode::FORBIDDEN => Ok(false),
            _ => answer.success(LOOKUP).map(|_| true),
        }
    }

    /// The token after its renewal; `None` when it cannot be renewed for about as long again.
    async fn renewed(&self, token: &VaultToken) -> Result<Option<VaultToken>, VaultError> {
        if !token.renewable {
            return Ok(None);
        }
        let mut request = Request::post("Renew the token", "auth/token/renew-self", json!({}));
        request.safe_to_repeat = true;
        let answer = self.connection.send(&request, Some(&token.secret)).await?;
        if answer.status.is_client_error() {
            tracing::info!(reason = answer.reason(), "Vault does not renew the token");
            return Ok(None);
        }
        let body = answer.success(&request.path)?;
        let renewed = VaultToken::of_answer(&body);
        Ok(
            renewed.filter(|renewed| match (renewed.lasts, token.lasts) {
                (Some(after), Some(before)) => after >= before / 2,
                _ => true,
            }),
        )
    }

    /// Renews this token, or logs on again; `None` when it is another's turn.
    async fn keep(
        self: &Arc<Self>,
        token: &Arc<VaultToken>,
    ) -> Result<Option<Arc<VaultToken>>, VaultError> {
        let is_current = |state: &State| {
            let current = state.token.as_ref();
            current.is_some_and(|current| Arc::ptr_eq(current, token))
        };
        if !is_current(&*self.state.lock().await) {
            return Ok(None);
        }
        // Not locked meanwhile: the token is still good.
        let renewed = self.renewed(token).await?;
        let got = match renewed {
            Some(renewed) => renewed,
            None => self.logged_on().await?,
        };
        let mut state = self.state.lock().await;
        if !is_current(&state) {
            return Ok(None);
        }
        let got = Arc::new(got);
        state.token = Some(Arc::clone(&got));
        tracing::debug!(lasts = ?got.lasts, "the token for Vault is renewed");
        Ok(Some(got))
    }

    fn failed(&self, reason: String) -> VaultError {
        VaultError::Login {
            method: self.login.method(),
            reason,
        }
    }
}

const LOOKUP: &str = "auth/token/lookup-self";

/// Keeps the login up for as long as there is a session and nobody else logs on.
async fn keep_up(session: Weak<Session>, mut token: Arc<VaultToken>) {
    let mut told = false;
    while let Some(mut wait) = token.renewed_after() {
        loop {
            sleep(wait).await;
            let Some(session) = session.upgrade() else {
                return;
            };
            match session.keep(&token).await {
                Ok(Some(next)) => {
                    token = next;
                    told = false;
                    break;
                }
                Ok(None) => return,
                // Whoever needs a token next logs on.
                Err(_) if token.has_ended() => return,
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "the token for Vault is not renewed yet, and ends soon");
                        told = true;
                    }
                    wait = token.attempted_after();
                }
            }
        }
    }
}
