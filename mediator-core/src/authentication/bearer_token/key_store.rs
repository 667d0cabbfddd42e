use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Bytes;
use http::HeaderValue;
use http::header::ACCEPT;
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;

use super::error::{BearerTokenSettingsError, KeysError};
use super::key_set::KeySet;
use super::settings::BearerTokenSettings;
use crate::back_end::{BackEnd, BackEndSettings, BackEndSettingsError};

/// What the issuer is called in messages, metrics and OpenHIM's transactions.
const NAME: &str = "issuer of tokens";

/// Longest document that is read from the issuer.
const MAXIMUM_BYTES: usize = 512 * 1024;

/// An issuer's keys: fetched when they are needed, kept while it cannot be reached.
#[derive(Debug)]
pub(super) struct KeyStore {
    /// Where the source is.
    back_end: BackEnd,
    settings: BearerTokenSettings,
    source: Source,
    state: RwLock<State>,
    /// One attempt at a time.
    attempting: Mutex<()>,
}

#[derive(Debug)]
enum Source {
    Keys(Url),
    /// The issuer's discovery document, which says where they are.
    Discovery(Url),
}

#[derive(Debug, Default, Clone)]
struct State {
    keys: Option<Held>,
    /// When the last attempt ended.
    attempted: Option<Instant>,
    /// What came of it.
    failure: Option<KeysError>,
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) keys: Arc<KeySet>,
    fetched: Instant,
}

/// OpenID Connect Discovery, section 3.
#[derive(Deserialize)]
struct Discovery {
    issuer: String,
    jwks_uri: String,
}

impl KeyStore {
    pub(super) fn new(settings: &BearerTokenSettings) -> Result<Self, BearerTokenSettingsError> {
        let source = match &settings.jwks_url {
            Some(url) => Source::Keys(url.clone()),
            None => {
                let issuer = settings.issuer.trim_end_matches('/');
                let url = format!("{issuer}/.well-known/openid-configuration");
                let url = Url::parse(&url)
                    .ok()
                    .filter(|url| matches!(url.scheme(), "http" | "https"))
                    .ok_or_else(|| BearerTokenSettingsError::Issuer(settings.issuer.clone()))?;
                Source::Discovery(url)
            }
        };
        let (Source::Keys(url) | Source::Discovery(url)) = &source;
        if !settings.is_trusted(url) {
            return Err(BearerTokenSettingsError::PlainHttp(url.to_string()));
        }
        Ok(Self {
            back_end: back_end(settings, url)?,
            settings: settings.clone(),
            source,
            state: RwLock::default(),
            attempting: Mutex::new(()),
        })
    }

    /// The keys there are, unless they are too old to be trusted.
    pub(super) fn held(&self) -> Option<Held> {
        let held = self.state().keys?;
        (held.fetched.elapsed() <= self.settings.keys_kept).then_some(held)
    }

    /// Gets the keys anew if the pause after the last attempt is over. Whoever asks while somebody
    /// else does waits for that.
    pub(super) async fn refresh(&self) -> Result<(), KeysError> {
        let _attempting = self.attempting.lock().await;
        let last = self.state();
        if last
            .attempted
            .is_some_and(|at| at.elapsed() < self.settings.keys_pause)
        {
            return last.failure.map_or(Ok(()), Err);
        }
        let fetched = self.fetch().await;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.attempted = Some(Instant::now());
        match fetched {
            Ok(keys) => {
                if state.failure.take().is_some() {
                    tracing::info!("the keys of tokens' issuer can be had again");
                }
                state.keys = Some(Held {
                    keys: Arc::new(keys),
                    fetched: Instant::now(),
                });
                metrics::counter!("token_keys_fetched_total", "result" => "succeeded").increment(1);
                Ok(())
            }
            Err(error) => {
                if state.failure.is_none() {
                    tracing::warn!(%error, "tokens are checked with the keys from before, if there are any");
                }
                state.failure = Some(error.clone());
                metrics::counter!("token_keys_fetched_total", "result" => "failed").increment(1);
                Err(error)
            }
        }
    }

    /// Gets the keys anew without anybody waiting for it, if they are old enough.
    pub(super) fn refresh_when_old(self: &Arc<Self>, held: &Held) {
        let is_old = held.fetched.elapsed() > self.settings.keys_refresh;
        let may_attempt = self
            .state()
            .attempted
            .is_none_or(|at| at.elapsed() >= self.settings.keys_pause);
        if is_old && may_attempt && self.attempting.try_lock().is_ok() {
            let store = Arc::clone(self);
            // What comes of it is in the log.
            tokio::spawn(async move { store.refresh().await });
        }
    }

    fn state(&self) -> State {
        self.state
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    async fn fetch(&self) -> Result<KeySet, KeysError> {
        let url = match &self.source {
            Source::Keys(url) => url.clone(),
            Source::Discovery(url) => {
                let document = self.get(url).await?;
                let error = |reason: String| KeysError {
                    url: url.to_string(),
                    reason,
                };
                let found: Discovery = serde_json::from_slice(&document)
                    .map_err(|_| error("it is no discovery document".to_owned()))?;
                if found.issuer != self.settings.issuer {
                    return Err(error(format!(
                        "its issuer is called {:?}; configure that, if it is the right one",
                        found.issuer
                    )));
                }
                let keys = Url::parse(&found.jwks_uri)
                    .map_err(|_| error("its keys are at no URL".to_owned()))?;
                if !self.settings.is_trusted(&keys) {
                    return Err(error(format!("it has its keys at {keys}, over plain HTTP")));
                }
                keys
            }
        };
        let document = self.get(&url).await?;
        KeySet::parse(&document).map_err(|reason| KeysError {
            url: url.to_string(),
            reason,
        })
    }

    async fn get(&self, url: &Url) -> Result<Bytes, KeysError> {
        let error = |reason: String| KeysError {
            url: url.to_string(),
            reason,
        };
        // Discovery may lead to another host.
        let elsewhere = (url.origin() != self.back_end.base_url().origin())
            .then(|| back_end(&self.settings, url))
            .transpose()
            .map_err(|mistake| error(mistake.to_string()))?;
        let answer = elsewhere
            .as_ref()
            .unwrap_or(&self.back_end)
            .get("Get the keys of tokens", url.as_str())
            .header(ACCEPT, HeaderValue::from_static("application/json"))
            .send()
            .await
            .map_err(|failed| error(failed.to_string()))?;
        if !answer.status.is_success() {
            return Err(error(format!("it answered {}", answer.status)));
        }
        Ok(answer.body)
    }
}

/// A client of the host of this address, which may have more than one document.
fn back_end(settings: &BearerTokenSettings, url: &Url) -> Result<BackEnd, BackEndSettingsError> {
    let mut base_url = url.clone();
    base_url.set_path("/");
    base_url.set_query(None);
    BackEnd::new(&BackEndSettings {
        trust: settings.trust.clone(),
        connect_timeout: settings.keys_timeout,
        timeout: settings.keys_timeout,
        maximum_response_bytes: MAXIMUM_BYTES,
        ..BackEndSettings::new(NAME, base_url)
    })
}
