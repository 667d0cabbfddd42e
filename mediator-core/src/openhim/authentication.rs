use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA512, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use super::{Authentication, OpenHimError, OpenHimSettings};

const USERNAME: HeaderName = HeaderName::from_static("auth-username");
const TIMESTAMP: HeaderName = HeaderName::from_static("auth-ts");
const SALT: HeaderName = HeaderName::from_static("auth-salt");
const TOKEN: HeaderName = HeaderName::from_static("auth-token");

/// What a request can carry to say whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Token,
}

/// Who asks, and what core has accepted as proof so far.
pub(super) struct Authenticator {
    username: String,
    username_header: HeaderValue,
    password: SecretString,
    basic: HeaderValue,
    setting: Authentication,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    accepted: Option<Scheme>,
    token_key: Option<TokenKey>,
}

/// What tokens are made from.
#[derive(Clone)]
pub(super) struct TokenKey {
    password_hash: SecretString,
    /// How far core's clock is ahead of ours: core takes tokens of its own last ten seconds only.
    ahead: TimeDelta,
}

/// What core tells a user who wants to make tokens.
#[derive(Deserialize)]
pub(super) struct TokenParameters {
    /// Missing when the user's password was never set.
    salt: Option<String>,
    ts: DateTime<Utc>,
}

impl Authenticator {
    pub(super) fn new(settings: &OpenHimSettings) -> Result<Self, OpenHimError> {
        let basic = STANDARD.encode(format!(
            "{}:{}",
            settings.username,
            settings.password.expose_secret()
        ));
        Ok(Self {
            username: settings.username.clone(),
            username_header: header_value(&settings.username)?,
            password: settings.password.clone(),
            basic: header_value(&format!("Basic {basic}"))?,
            setting: settings.authentication,
            known: Mutex::default(),
        })
    }

    pub(super) fn username(&self) -> &str {
        &self.username
    }

    /// What to try, in this order.
    pub(super) fn schemes(&self) -> &'static [Scheme] {
        match self.setting {
            Authentication::Basic => &[Scheme::Basic],
            Authentication::Token => &[Scheme::Token],
            Authentication::Automatic => match self.known().accepted {
                Some(Scheme::Token) => &[Scheme::Token, Scheme::Basic],
                Some(Scheme::Basic) | None => &[Scheme::Basic, Scheme::Token],
            },
        }
    }

    pub(super) fn accepted(&self, scheme: Scheme) {
        self.known().accepted = Some(scheme);
    }

    pub(super) fn basic(&self) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, self.basic.clone())])
    }

    pub(super) fn token_key(&self) -> Option<TokenKey> {
        self.known().token_key.clone()
    }

    /// Remembers what core told, asked at `asked` and answered at `answered` by our clock.
    pub(super) fn learn(
        &self,
        parameters: &TokenParameters,
        asked: DateTime<Utc>,
        answered: DateTime<Utc>,
    ) -> Option<TokenKey> {
        let salt = parameters.salt.as_ref()?;
        let password_hash = hex_sha512(&[salt, self.password.expose_secret()]);
        let key = TokenKey {
            password_hash: password_hash.into(),
            ahead: parameters.ts - (asked + (answered - asked) / 2),
        };
        self.known().token_key = Some(key.clone());
        Some(key)
    }

    /// The headers of one request; each has a token of its own.
    pub(super) fn token(&self, key: &TokenKey) -> HeaderMap {
        let salt = uuid::Uuid::new_v4().to_string();
        let timestamp = (Utc::now() + key.ahead).to_rfc3339_opts(SecondsFormat::Millis, true);
        let token = hex_sha512(&[key.password_hash.expose_secret(), &salt, &timestamp]);
        let mut headers = HeaderMap::from_iter([(USERNAME, self.username_header.clone())]);
        for (name, value) in [(TIMESTAMP, timestamp), (SALT, salt), (TOKEN, token)] {
            // All three are ASCII.
            if let Ok(mut value) = HeaderValue::try_from(value) {
                value.set_sensitive(true);
                headers.insert(name, value);
            }
        }
        headers
    }

    /// The text with our own password blanked, in case core repeats what it was sent.
    pub(super) fn without_password(&self, text: String) -> String {
        let password = self.password.expose_secret();
        if password.is_empty() || !text.contains(password) {
            return text;
        }
        text.replace(password, "[password]")
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn header_value(text: &str) -> Result<HeaderValue, OpenHimError> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).map_err(|_| {
        OpenHimError::Settings("the user name has a line break or control character".to_owned())
    })?;
    value.set_sensitive(true);
    Ok(value)
}

/// SHA-512 of all parts one after the other, in hexadecimal digits.
pub(super) fn hex_sha512(parts: &[&str]) -> String {
    digest(&SHA512, parts.concat().as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn authenticator(authentication: Authentication) -> Authenticator {
        let mut settings = OpenHimSettings::new(
            "http://127.0.0.1:8080".parse().unwrap(),
            "root@openhim.org",
            "openhim-password".to_owned().into(),
        );
        settings.authentication = authentication;
        Authenticator::new(&settings).unwrap()
    }

    #[test]
    fn a_token_is_a_hash_of_the_salted_hash_and_keeps_cores_time() {
        let authenticator = authenticator(Authentication::Token);
        let parameters = TokenParameters {
            salt: Some("salt".to_owned()),
            ts: "2020-01-01T00:00:10Z".parse().unwrap(),
        };
        let asked = "2020-01-01T00:00:00Z".parse().unwrap();
        let answered = "2020-01-01T00:00:02Z".parse().unwrap();
        let key = authenticator.learn(&parameters, asked, answered).unwrap();
        assert_eq!(key.ahead, TimeDelta::seconds(9));

        let headers = authenticator.token(&key);
        let text = |name| headers[name].to_str().unwrap();
        let timestamp: DateTime<Utc> = text("auth-ts").parse().unwrap();
        let ahead = timestamp - Utc::now();
        assert!(
            ahead > TimeDelta::seconds(8) && ahead < TimeDelta::seconds(10),
            "{ahead}"
        );
        let password_hash = hex_sha512(&["saltopenhim-password"]);
        let token = hex_sha512(&[&password_hash, text("auth-salt"), text("auth-ts")]);
        assert_eq!(text("auth-token"), token);
    }

    #[test]
    fn sha512_is_the_one_everybody_has() {
        assert!(hex_sha512(&["a", "bc"]).starts_with("ddaf35a193617abacc417349ae204131"));
    }

    #[test]
    fn what_was_accepted_is_tried_first() {
        let authenticator = authenticator(Authentication::Automatic);
        assert_eq!(authenticator.schemes(), [Scheme::Basic, Scheme::Token]);
        authenticator.accepted(Scheme::Token);
        assert_eq!(authenticator.schemes(), [Scheme::Token, Scheme::Basic]);
    }

    #[test]
    fn headers_do_not_show_secrets_when_printed() {
        let authenticator = authenticator(Authentication::Basic);
        assert!(!format!("{:?}", authenticator.basic()).contains("Basic"));
    }
}
