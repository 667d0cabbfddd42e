use std::time::Duration;

use http::header::InvalidHeaderValue;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use mediator_core::back_end::{BackEnd, BackEndError};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::VaultError;

const TOKEN: HeaderName = HeaderName::from_static("x-vault-token");
const NAMESPACE: HeaderName = HeaderName::from_static("x-vault-namespace");
/// Vault refuses requests without it where it is told to, against forged requests of browsers.
const REQUEST: HeaderName = HeaderName::from_static("x-vault-request");
/// Shown in Vault's audit log, if Vault is told to.
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");

/// What of Vault's reasons is repeated.
const LONGEST_REASON: usize = 500;

/// The way to a Vault: its calls, without any login.
#[derive(Debug)]
pub(super) struct Connection {
    back_end: BackEnd,
    namespace: Option<HeaderValue>,
}

/// One call.
pub(super) struct Request {
    /// For OpenHIM's console.
    pub(super) name: &'static str,
    pub(super) method: Method,
    /// Below `/v1/`, escaped.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// What it is done for, separated by commas.
    pub(super) correlation_ids: Option<String>,
    /// Whether to ask twice is the same as to ask once, whatever the method says.
    pub(super) safe_to_repeat: bool,
    /// For each attempt, instead of the usual one.
    pub(super) timeout: Option<Duration>,
    /// In the root namespace, whatever is set.
    pub(super) outside_namespace: bool,
}

impl Request {
    pub(super) fn get(name: &'static str, path: impl Into<String>) -> Self {
        Self {
            name,
            method: Method::GET,
            path: path.into(),
            body: None,
            correlation_ids: None,
            safe_to_repeat: false,
            timeout: None,
            outside_namespace: false,
        }
    }

    pub(super) fn post(name: &'static str, path: impl Into<String>, body: Value) -> Self {
        Self {
            method: Method::POST,
            body: Some(body),
            ..Self::get(name, path)
        }
    }
}

/// What Vault answered, whatever the status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Null where there is none.
    pub(super) body: Value,
}

impl Connection {
    pub(super) fn new(
        back_end: BackEnd,
        namespace: Option<&str>,
    ) -> Result<Self, InvalidHeaderValue> {
        Ok(Self {
            back_end,
            namespace: namespace.map(HeaderValue::from_str).transpose()?,
        })
    }

    /// Where it is, for records.
    pub(super) fn back_end(&self) -> &BackEnd {
        &self.back_end
    }

    /// # Errors
    /// When there is no answer, or one that is no JSON.
    pub(super) async fn send(
        &self,
        request: &Request,
        token: Option<&SecretString>,
    ) -> Result<Answer, VaultError> {
        let path = format!("v1/{}", request.path);
        let mut call = self
            .back_end
            .request(request.name, request.method.clone(), &path)
            .header(REQUEST, HeaderValue::from_static("true"));
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(token.expose_secret())
                .map_err(|_| self.not_sendable("its token holds a control character"))?;
            value.set_sensitive(true);
            call = call.header(TOKEN, value);
        }
        if let (Some(namespace), false) = (&self.namespace, request.outside_namespace) {
            call = call.header(NAMESPACE, namespace.clone());
        }
        if let Some(ids) = &request.correlation_ids {
            let ids = HeaderValue::from_str(ids)
                .map_err(|_| self.not_sendable("a correlation id holds a control character"))?;
            call = call.header(CORRELATION_ID, ids);
        }
        if let Some(body) = &request.body {
            call = call.json(body);
        }
        if request.safe_to_repeat {
            call = call.safe_to_repeat();
        }
        if let Some(timeout) = request.timeout {
            call = call.timeout(timeout);
        }
        let answer = call.send().await?;
        let body = match serde_json::from_slice(&answer.body) {
            Ok(body) => body,
            Err(_) if answer.body.is_empty() || !answer.status.is_success() => Value::Null,
            Err(_) => {
                return Err(VaultError::NotUnderstood {
                    path: request.path.clone(),
                    expected: "JSON",
                });
            }
        };
        Ok(Answer {
            status: answer.status,
            body,
        })
    }

    fn not_sendable(&self, reason: &str) -> VaultError {
        VaultError::BackEnd(BackEndError::Request {
            back_end: self.back_end.name().to_owned(),
            reason: reason.to_owned(),
        })
    }
}

impl Answer {
    /// What Vault said about a refusal.
    pub(super) fn reason(&self) -> String {
        let reasons: Vec<&str> = self.body["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        reason(&reasons.join("; "))
    }

    /// The answer of a success, or what its refusal means where that needs no knowledge of what
    /// was asked for.
    pub(super) fn success(self, path: &str) -> Result<Value, VaultError> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let reason = self.reason();
        if self.status == StatusCode::SERVICE_UNAVAILABLE && reason.contains("sealed") {
            return Err(VaultError::Sealed);
        }
        Err(VaultError::Refused {
            path: path.to_owned(),
            status: self.status.as_u16(),
            reason,
        })
    }
}

/// On one line and not too long.
pub(super) fn reason(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST_REASON) {
        _ if text.is_empty() => "it gave no reason".to_owned(),
        Some((end, _)) => format!("{} [...]", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
