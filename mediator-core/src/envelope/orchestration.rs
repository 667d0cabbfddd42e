use serde::{Deserialize, Deserializer, Serialize, de};

use super::{ErrorDetails, RecordedRequest, RecordedResponse};

/// One call that a mediator made for a transaction.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Orchestration {
    #[serde(deserialize_with = "name")]
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group: Option<String>,
    request: RecordedRequest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    response: Option<RecordedResponse>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<ErrorDetails>,
}

impl Orchestration {
    /// A call of this name, without answer yet. Core refuses a call without a name; an empty one
    /// becomes `unnamed`.
    #[must_use]
    pub fn new(name: impl Into<String>, request: RecordedRequest) -> Self {
        let mut name = name.into();
        if name.is_empty() {
            "unnamed".clone_into(&mut name);
        }
        Self {
            name,
            group: None,
            request,
            response: None,
            error: None,
        }
    }

    /// Shown together with the others of this group.
    #[must_use]
    pub fn group(mut self, group: impl Into<String>) -> Self {
        self.group = Some(group.into());
        self
    }

    /// With its answer.
    #[must_use]
    pub fn response(mut self, response: RecordedResponse) -> Self {
        self.response = Some(response);
        self
    }

    /// With what went wrong. Core shows it, and does nothing else with it.
    #[must_use]
    pub fn error(mut self, error: ErrorDetails) -> Self {
        self.error = Some(error);
        self
    }

    /// The name; never empty.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group.
    #[must_use]
    pub fn recorded_group(&self) -> Option<&str> {
        self.group.as_deref()
    }

    /// What was asked.
    #[must_use]
    pub fn request(&self) -> &RecordedRequest {
        &self.request
    }

    /// What was answered, if anything was.
    #[must_use]
    pub fn recorded_response(&self) -> Option<&RecordedResponse> {
        self.response.as_ref()
    }

    /// What went wrong, if anything did.
    #[must_use]
    pub fn recorded_error(&self) -> Option<&ErrorDetails> {
        self.error.as_ref()
    }

    /// Whether the call failed: with an error, or a status of 500 and more.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.error.is_some()
            || self
                .response
                .as_ref()
                .is_some_and(|response| response.status().as_u16() >= 500)
    }

    /// Roughly how many bytes it takes.
    pub(crate) fn size(&self) -> usize {
        let response = self.response.as_ref().map(RecordedResponse::size);
        let error = self.error.as_ref().map(ErrorDetails::size);
        self.name.len() + self.request.size() + response.unwrap_or(0) + error.unwrap_or(0)
    }

    /// Without headers and bodies.
    pub(crate) fn without_content(self) -> Self {
        Self {
            request: self.request.without_content(),
            response: self.response.map(RecordedResponse::without_content),
            ..self
        }
    }

    pub(super) fn body_bytes(&self) -> usize {
        let response = self.response.as_ref().map(RecordedResponse::body_bytes);
        self.request.body_bytes() + response.unwrap_or_default()
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let name = String::deserialize(deserializer)?;
    if name.is_empty() {
        return Err(de::Error::custom("an orchestration needs a name"));
    }
    Ok(name)
}
