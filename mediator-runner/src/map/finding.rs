//! What is wrong with a file, or likely to be.

use std::fmt::{self, Display, Formatter};
use std::path::Path;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Error,
    Warning,
}

/// A place in a text; both count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Finding {
    pub(super) file: String,
    #[serde(flatten)]
    pub(super) place: Option<Place>,
    pub(super) severity: Severity,
    pub(super) reason: String,
    /// The line of the text that it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) text: Option<String>,
}

/// The mistakes of files: one at least.
#[derive(Debug, thiserror::Error)]
#[error("{}", lines(.0))]
pub(super) struct Mistakes(pub(super) Vec<Finding>);

fn lines(findings: &[Finding]) -> String {
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

impl Mistakes {
    /// One about a file as a whole; several, when the reason has several lines.
    pub(super) fn of(path: &Path, reason: impl ToString) -> Self {
        let reason = reason.to_string();
        let findings = reason.lines().map(|line| Finding {
            file: path.display().to_string(),
            place: None,
            severity: Severity::Error,
            reason: line.to_owned(),
            text: None,
        });
        Self(findings.collect())
    }
}

impl Display for Finding {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.file)?;
        if let Some(Place { line, column }) = self.place {
            write!(formatter, ":{line}:{column}")?;
        }
        let warning = match self.severity {
            Severity::Error => "",
            Severity::Warning => " warning:",
        };
        write!(formatter, ":{warning} {}", self.reason)
    }
}

impl Finding {
    /// As [`Display`], with the line below it and a caret under the column.
    pub(super) fn shown(&self, with_colours: bool) -> String {
        let colour = |code: &str, text: &str| match with_colours {
            true => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            false => text.to_owned(),
        };
        let code = match self.severity {
            Severity::Error => "1;31",
            Severity::Warning => "1;33",
        };
        let mut shown = colour(code, &self.to_string());
        if let (Some(place), Some(text)) = (self.place, &self.text) {
            // Tabs before the caret are as wide as those of the line.
            let before = text.chars().take(place.column.saturating_sub(1));
            let before: String = before
                .map(|character| if character == '\t' { '\t' } else { ' ' })
                .collect();
            shown.push_str(&format!("\n    {text}\n    {before}{}", colour(code, "^")));
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_caret_is_under_the_column() {
        let finding = Finding {
            file: "a.map".to_owned(),
            place: Some(Place { line: 3, column: 5 }),
            severity: Severity::Warning,
            reason: "odd".to_owned(),
            text: Some("\tä b c".to_owned()),
        };
        assert_eq!(
            finding.shown(false),
            "a.map:3:5: warning: odd\n    \tä b c\n    \t   ^"
        );
        assert_eq!(
            finding.shown(true),
            "\u{1b}[1;33ma.map:3:5: warning: odd\u{1b}[0m\n    \tä b c\n    \t   \u{1b}[1;33m^\u{1b}[0m"
        );
        let whole = &Mistakes::of(Path::new("b.map"), "gone").0[0];
        assert_eq!(whole.shown(false), "b.map: gone");
    }
}
