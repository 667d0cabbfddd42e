use axum::body::Bytes;
use http::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::OpenHimError;

/// One request to core's API.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(super) method: Method,
    pub(super) path: &'a [&'a str],
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Bytes>,
    /// Completes "not allowed to …".
    pub(super) operation: &'static str,
    pub(super) repeat: Repeat,
    pub(super) authenticated: bool,
    /// What a 404 means.
    pub(super) mediator: Option<&'a str>,
}

/// When a request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is the same as once.
    Safe,
    /// Only when core has certainly not seen it.
    Unsent,
    /// Somebody else decides.
    Never,
}

impl<'a> Call<'a> {
    /// Reads `path`, given as segments that are not escaped.
    pub(crate) fn get(operation: &'static str, path: &'a [&'a str]) -> Self {
        Self::new(Method::GET, operation, path).repeatable()
    }

    /// A request with any method. It is sent again only when core has certainly not seen it.
    pub(crate) fn new(method: Method, operation: &'static str, path: &'a [&'a str]) -> Self {
        Self {
            method,
            path,
            query: Vec::new(),
            body: None,
            operation,
            repeat: Repeat::Unsent,
            authenticated: true,
            mediator: None,
        }
    }

    pub(crate) fn query(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// Sends `body` as JSON.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Result<Self, OpenHimError> {
        let body = serde_json::to_vec(body).map_err(|_| {
            OpenHimError::Settings(format!("what is sent to {} is not JSON", self.operation))
        })?;
        self.body = Some(body.into());
        Ok(self)
    }

    /// Says that sending it twice is the same as sending it once.
    pub(crate) fn repeatable(mut self) -> Self {
        self.repeat = Repeat::Safe;
        self
    }

    /// Sends it once: the caller repeats by itself.
    pub(crate) fn once(mut self) -> Self {
        self.repeat = Repeat::Never;
        self
    }

    /// Sends no credentials.
    pub(crate) fn anonymous(mut self) -> Self {
        self.authenticated = false;
        self
    }

    /// Says that 404 means that core does not know this mediator.
    pub(crate) fn of_mediator(mut self, urn: &'a str) -> Self {
        self.mediator = Some(urn);
        self
    }
}

/// What core answered, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
    pub(super) operation: &'static str,
}

impl Answer {
    /// The body as JSON. Messages leave its content out.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, OpenHimError> {
        let mut json = serde_json::Deserializer::from_slice(&self.body);
        serde_path_to_error::deserialize(&mut json).map_err(|error| {
            OpenHimError::AnswerNotUnderstood {
                operation: self.operation,
                reason: match error.inner().classify() {
                    serde_json::error::Category::Data => {
                        format!("JSON of another shape, at {}", error.path())
                    }
                    _ => "not JSON".to_owned(),
                },
            }
        })
    }
}

/// The text of a refusal, short and on one line.
pub(super) fn refusal_text(body: &[u8]) -> String {
    const LONGEST: usize = 300;
    let text = String::from_utf8_lossy(body);
    let mut short: String = text
        .chars()
        .map(|character| {
            if character.is_control() {
                ' '
            } else {
                character
            }
        })
        .take(LONGEST)
        .collect();
    if text.chars().nth(LONGEST).is_some() {
        short.push('…');
    }
    if short.trim().is_empty() {
        "it says no more".to_owned()
    } else {
        short.trim().to_owned()
    }
}
