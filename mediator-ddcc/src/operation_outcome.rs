//! FHIR `OperationOutcome`: how everything that went wrong is told to whoever asked.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// `OperationOutcome.issue.code`, the part of FHIR's `issue-type` that this product uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssueType {
    /// Not well-formed: 400.
    Structure,
    /// A required element is missing: 422 in a profile, 400 in FHIR itself.
    Required,
    /// A value that is not allowed: 422.
    Value,
    /// A rule over several elements is broken: 422.
    Invariant,
    /// A code that is not in its value set: 422.
    CodeInvalid,
    /// Not supported: 422 or 404.
    NotSupported,
    /// The client has not shown who it is: 401.
    Login,
    /// What the client shows is over: 401.
    Expired,
    /// The client may not: 403.
    Forbidden,
    /// No such resource: 404.
    NotFound,
    /// Contradicts what is stored: 409.
    Conflict,
    /// Too large: 413.
    TooLong,
    /// A business rule is broken: 422.
    BusinessRule,
    /// Too many requests: 429.
    Throttled,
    /// A back end failed for now: 502, 503.
    Transient,
    /// A back end took too long: 504.
    Timeout,
    /// Our own fault: 500.
    Exception,
    /// For information only.
    Informational,
}

/// `OperationOutcome.issue.severity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The request failed.
    Error,
    /// It succeeded, and someone should look at this.
    Warning,
    /// For information only.
    Information,
}

/// One issue. `diagnostics` never contains personal data: it names elements, not their values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind of issue it is.
    pub code: IssueType,
    /// What is wrong and what to do, for people.
    pub diagnostics: String,
    /// FHIRPath expressions of the elements concerned.
    pub expression: Vec<String>,
}

impl Issue {
    /// An error about one element, named by its FHIRPath expression.
    pub fn error(
        code: IssueType,
        expression: impl Into<String>,
        diagnostics: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Error,
            code,
            diagnostics: diagnostics.into(),
            expression: vec![expression.into()],
        }
    }

    /// Something about one element that does not stop the request.
    pub fn warning(
        code: IssueType,
        expression: impl Into<String>,
        diagnostics: impl Into<String>,
    ) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(code, expression, diagnostics)
        }
    }

    /// An error about the request as a whole.
    pub fn general(code: IssueType, diagnostics: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            code,
            diagnostics: diagnostics.into(),
            expression: Vec::new(),
        }
    }
}

/// Why a request was refused or failed: an HTTP status and the issues behind it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.summary())]
pub struct OperationOutcome {
    /// HTTP status that this outcome is answered with.
    pub status: u16,
    /// At least one issue.
    pub issues: Vec<Issue>,
}

impl OperationOutcome {
    /// An outcome of one issue.
    #[must_use]
    pub fn new(status: u16, issue: Issue) -> Self {
        Self {
            status,
            issues: vec![issue],
        }
    }

    /// The issues' diagnostics on one line each.
    #[must_use]
    pub fn summary(&self) -> String {
        self.issues
            .iter()
            .map(|issue| match issue.expression.first() {
                Some(expression) => format!("{expression}: {}", issue.diagnostics),
                None => issue.diagnostics.clone(),
            })
            .collect::<Vec<_>>()
            .join("\n")
    }

    /// The FHIR resource.
    #[must_use]
    pub fn to_resource(&self) -> Value {
        let issues: Vec<Value> = self
            .issues
            .iter()
            .map(|issue| {
                let mut value = json!({
                    "severity": issue.severity,
                    "code": issue.code,
                    "diagnostics": issue.diagnostics,
                });
                if !issue.expression.is_empty() {
                    value["expression"] = json!(issue.expression);
                }
                value
            })
            .collect();
        json!({"resourceType": "OperationOutcome", "issue": issues})
    }
}
