use serde::Serialize;

use crate::table::Cell;

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) name: String,
    #[serde(rename = "result")]
    pub(super) verdict: Verdict,
    /// What was found.
    pub(super) details: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// It works, and will not for ever or not as it should.
    Warning,
    Failed,
}

impl Finding {
    pub(super) fn ok(name: impl Into<String>, details: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            verdict: Verdict::Ok,
            details: details.into(),
            advice: None,
        }
    }

    pub(super) fn warning(
        name: impl Into<String>,
        details: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Warning,
            advice: Some(advice.into()),
            ..Self::ok(name, details)
        }
    }

    pub(super) fn failed(
        name: impl Into<String>,
        details: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            verdict: Verdict::Failed,
            advice: Some(advice.into()),
            ..Self::ok(name, details)
        }
    }

    /// A failure that an error tells: this program's messages end in what to do, after a colon.
    pub(super) fn error(name: impl Into<String>, error: &dyn std::fmt::Display) -> Self {
        let text = error.to_string();
        match text.rsplit_once(": ") {
            Some((details, advice)) => Self::failed(name, details, advice),
            None => Self::failed(name, text, "see the log of what failed"),
        }
    }

    pub(super) fn is_failure(&self) -> bool {
        self.verdict == Verdict::Failed
    }

    pub(super) fn cells(&self) -> [Cell; 4] {
        let verdict = match self.verdict {
            Verdict::Ok => Cell::good("ok"),
            Verdict::Warning => Cell::warning("warning"),
            Verdict::Failed => Cell::bad("failed"),
        };
        [
            Cell::plain(&self.name),
            verdict,
            Cell::plain(&self.details),
            Cell::plain(self.advice.as_deref().unwrap_or_default()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_apart_from_its_advice() {
        let finding = Finding::error(
            "OpenHIM",
            &"OpenHIM at https://h:8080 cannot be reached (refused): is it running?",
        );
        assert_eq!(
            finding.details,
            "OpenHIM at https://h:8080 cannot be reached (refused)"
        );
        assert_eq!(finding.advice.as_deref(), Some("is it running?"));
        assert!(finding.is_failure());
        assert!(Finding::error("x", &"broken").advice.is_some());
    }
}
