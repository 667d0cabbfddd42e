use aws_lc_rs::digest::{SHA512, digest};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use chrono::{DateTime, TimeDelta, Utc};
use http::{HeaderMap, StatusCode};
use serde_json::json;

use super::{State, Version};

/// Someone who may use the API.
#[derive(Debug, Clone)]
pub(crate) struct User {
    email: String,
    password: String,
    /// None when the password was never set.
    salt: Option<String>,
    /// 8.x keeps what tokens are checked with apart from what passwords are.
    has_token: bool,
    /// What a client of core says is its hash; without, it is made of the password.
    token_hash: Option<String>,
    /// `*` is all; 4.x only knows that (the group admin).
    permissions: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthenticatedBy {
    Basic,
    Token,
}

impl User {
    pub(crate) fn new(email: &str, password: &str, permissions: &[&str]) -> Self {
        Self {
            email: email.to_owned(),
            password: password.to_owned(),
            salt: Some(format!("salt of {email}")),
            has_token: false,
            token_hash: None,
            permissions: permissions.iter().map(ToString::to_string).collect(),
        }
    }

    /// Who cannot use a password, only tokens.
    pub(super) fn with_token_hash(email: &str, salt: &str, hash: &str) -> Self {
        Self {
            salt: Some(salt.to_owned()),
            has_token: true,
            token_hash: Some(hash.to_owned()),
            ..Self::new(email, "", &["*"])
        }
    }

    pub(super) fn is(&self, email: &str) -> bool {
        self.email.eq_ignore_ascii_case(email)
    }

    pub(super) fn root(version: Version) -> Self {
        Self {
            has_token: version == Version::V4,
            ..Self::new("root@openhim.org", "openhim-password", &["*"])
        }
    }

    /// In 4.x: whose password was never set.
    pub(crate) fn without_password(self) -> Self {
        Self { salt: None, ..self }
    }

    /// In 8.x: whose password was set by a 4.x.
    pub(crate) fn with_token(self) -> Self {
        Self {
            has_token: true,
            ..self
        }
    }

    pub(super) fn may(&self, permission: &str) -> bool {
        let stronger = permission.replace("view", "manage");
        self.permissions
            .iter()
            .any(|own| own == "*" || *own == permission || *own == stronger)
    }
}

/// `GET /authenticate/:username`
pub(super) fn token_parameters(state: &State, email: &str) -> Response {
    let user = state
        .users
        .iter()
        .find(|user| user.email.eq_ignore_ascii_case(email));
    match user {
        Some(user) if user.has_token || state.version == Version::V4 => {
            let mut parameters = json!({"ts": state.now()});
            if let Some(salt) = &user.salt {
                parameters["salt"] = salt.as_str().into();
            }
            axum::Json(parameters).into_response()
        }
        Some(_) => refuse(
            StatusCode::NOT_FOUND,
            format!("Could not find token passport for user {email}"),
        ),
        None => refuse(
            StatusCode::NOT_FOUND,
            format!("Could not find user by email {email}"),
        ),
    }
}

pub(super) fn authenticate(state: &State, headers: &HeaderMap) -> Option<(User, AuthenticatedBy)> {
    let text = |name: &str| headers.get(name)?.to_str().ok();
    let user = |email: &str| {
        state
            .users
            .iter()
            .find(|user| user.email.eq_ignore_ascii_case(email))
    };
    let by_token = ["auth-username", "auth-ts", "auth-salt", "auth-token"]
        .iter()
        .any(|name| headers.contains_key(*name));
    if by_token || state.version == Version::V4 {
        let user = user(text("auth-username")?)?;
        let (ts, salt) = (text("auth-ts")?, text("auth-salt")?);
        let age = state.now() - ts.parse::<DateTime<Utc>>().ok()?;
        let hash = match &user.token_hash {
            Some(hash) => hash.clone(),
            None => sha512(&format!("{}{}", user.salt.as_ref()?, user.password)),
        };
        let known = user.has_token || state.version == Version::V4;
        let right = !salt.is_empty() && text("auth-token")? == sha512(&format!("{hash}{salt}{ts}"));
        return (known && right && age.abs() <= TimeDelta::seconds(10))
            .then(|| (user.clone(), AuthenticatedBy::Token));
    }
    let basic = text("authorization")?.strip_prefix("Basic ")?;
    let pair = base64::engine::general_purpose::STANDARD
        .decode(basic)
        .ok()?;
    let pair = String::from_utf8(pair).ok()?;
    let (email, password) = pair.split_once(':')?;
    let user = user(email)?;
    (user.token_hash.is_none() && user.password == password)
        .then(|| (user.clone(), AuthenticatedBy::Basic))
}

/// 403 as core words it.
pub(super) fn check(
    state: &State,
    user: &User,
    operation: &str,
    permission: &str,
) -> Result<(), Response> {
    let text = match state.version {
        Version::V4 if user.may("*") => return Ok(()),
        Version::V4 => format!(
            "User {} is not an admin, API access to {operation} denied.",
            user.email
        ),
        Version::V8 if user.may(permission) => return Ok(()),
        Version::V8 if user.permissions.is_empty() => {
            format!(
                "User {} does not have an access role specified.",
                user.email
            )
        }
        Version::V8 => format!(
            "User {} does not have the \"{permission}\" permission, API access to {operation} denied.",
            user.email
        ),
    };
    Err(refuse(StatusCode::FORBIDDEN, text))
}

pub(super) fn refuse(status: StatusCode, text: impl Into<String>) -> Response {
    (status, text.into()).into_response()
}

fn sha512(text: &str) -> String {
    digest(&SHA512, text.as_bytes())
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
