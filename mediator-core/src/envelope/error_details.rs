use serde::{Deserialize, Serialize};

/// What went wrong, for the operator who reads the transaction in OpenHIM's console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorDetails {
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stack: Option<String>,
}

impl ErrorDetails {
    /// An error that says this.
    #[must_use]
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            stack: None,
        }
    }

    /// What `error` says, and in the stack what every cause of it says, a line each.
    #[must_use]
    pub fn of(error: &(dyn std::error::Error + 'static)) -> Self {
        let mut stack = String::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            stack.push_str("caused by: ");
            stack.push_str(&error.to_string());
            stack.push('\n');
            cause = error.source();
        }
        Self {
            message: error.to_string(),
            stack: (!stack.is_empty()).then_some(stack),
        }
    }

    /// With where it comes from, in any form.
    #[must_use]
    pub fn stack(mut self, stack: impl Into<String>) -> Self {
        self.stack = Some(stack.into());
        self
    }

    pub(super) fn size(&self) -> usize {
        self.message.len() + self.stack.as_ref().map_or(0, String::len)
    }

    /// What went wrong.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it comes from.
    #[must_use]
    pub fn recorded_stack(&self) -> Option<&str> {
        self.stack.as_deref()
    }
}
