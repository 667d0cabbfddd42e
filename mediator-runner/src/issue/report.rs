//! What `issue` prints: a table for eyes, a line of JSON for each event for scripts.

use std::io::{self, Write as _};

use indicatif::ProgressBar;
use mediator_ddcc::operation_outcome::OperationOutcome;
use serde_json::{Value, json};

use super::folder::Kept;
use super::input::Entry;

/// What became of one event.
pub(crate) struct Outcome {
    input: String,
    number: usize,
    result: Result<Kept, OperationOutcome>,
}

impl Outcome {
    /// The outcome of an entry.
    pub(crate) fn new(entry: Entry, result: Result<Kept, OperationOutcome>) -> Self {
        Self {
            input: entry.input,
            number: entry.number,
            result,
        }
    }

    fn to_json(&self) -> Value {
        let mut line = json!({"input": self.input, "entry": self.number});
        let added = match &self.result {
            Ok(kept) => {
                let certificate = &kept.certificate;
                json!({
                    "hcid": certificate.hcid,
                    "place": certificate.place,
                    "initials": initials(&certificate.core_data_set.name),
                    "codes": form_names(kept),
                    "omitted": certificate.omissions.iter()
                        .map(|omission| json!({"code": omission.form.as_str(), "reason": omission.reason}))
                        .collect::<Vec<_>>(),
                    "path": kept.path,
                    "document": certificate.document_id,
                })
            }
            Err(outcome) => json!({"status": outcome.status, "outcome": outcome.to_resource()}),
        };
        if let (Some(line), Value::Object(added)) = (line.as_object_mut(), added) {
            line.extend(added);
        }
        line
    }
}

/// Prints outcomes as they come.
pub(crate) struct Report {
    json: bool,
    progress: ProgressBar,
    issued: usize,
    failed: usize,
}

/// Width of the columns that most rows fit in.
const WIDTHS: [usize; 3] = [24, 8, 18];

impl Report {
    /// A report; it is printed above the progress bar.
    pub(crate) fn new(json: bool, progress: ProgressBar) -> Self {
        Self {
            json,
            progress,
            issued: 0,
            failed: 0,
        }
    }

    /// Prints one outcome.
    pub(crate) fn add(&mut self, outcome: &Outcome) -> io::Result<()> {
        if outcome.result.is_ok() {
            self.issued += 1;
        } else {
            self.failed += 1;
        }
        let message = format!("{} issued, {} failed", self.issued, self.failed);
        self.progress.set_message(message);
        let json = self.json;
        let is_first = self.issued == 1 && outcome.result.is_ok();
        self.progress.suspend(|| {
            let mut stdout = io::stdout().lock();
            match &outcome.result {
                _ if json => writeln!(stdout, "{}", outcome.to_json()),
                Ok(kept) => {
                    if is_first {
                        row(&mut stdout, ["HCID", "HOLDER", "CODES"], "WHERE")?;
                    }
                    let certificate = &kept.certificate;
                    row(
                        &mut stdout,
                        [
                            certificate.hcid.as_str(),
                            &initials(&certificate.core_data_set.name),
                            &form_names(kept).join(" "),
                        ],
                        &kept.path.display().to_string(),
                    )?;
                    for omission in &certificate.omissions {
                        writeln!(stdout, "  {omission}")?;
                    }
                    Ok(())
                }
                Err(failure) => {
                    stdout.flush()?;
                    let mut stderr = io::stderr().lock();
                    writeln!(
                        stderr,
                        "{}, entry {}: not issued ({})",
                        outcome.input, outcome.number, failure.status
                    )?;
                    for line in failure.summary().lines() {
                        writeln!(stderr, "  {line}")?;
                    }
                    Ok(())
                }
            }
        })
    }

    /// Prints the totals where someone looks at them; returns whether all were issued.
    pub(crate) fn finish(self) -> io::Result<bool> {
        self.progress.finish_and_clear();
        if !self.json && self.issued + self.failed > 1 {
            let mut stdout = io::stdout().lock();
            writeln!(stdout, "{} issued, {} failed", self.issued, self.failed)?;
        }
        Ok(self.failed == 0)
    }
}

fn row(output: &mut impl io::Write, columns: [&str; 3], last: &str) -> io::Result<()> {
    for (column, width) in columns.into_iter().zip(WIDTHS) {
        write!(output, "{column:width$}  ")?;
    }
    writeln!(output, "{last}")
}

fn form_names(kept: &Kept) -> Vec<&'static str> {
    let codes = kept.certificate.codes.iter();
    codes.map(|code| code.form.as_str()).collect()
}

/// Enough of a name to recognise a row by, and no more: the first letters of its first three
/// parts.
fn initials(name: &str) -> String {
    name.split(|character: char| character.is_whitespace() || matches!(character, '-' | '·' | ','))
        .filter_map(|part| part.chars().next())
        .take(3)
        .flat_map(char::to_uppercase)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn initials_are_of_every_script() {
        assert_eq!(initials("Aulus Agerius"), "AA");
        assert_eq!(initials("奥卢斯·阿杰里乌斯"), "奥阿");
        assert_eq!(initials("юрий подъячев"), "ЮП");
        assert_eq!(initials("a b c d"), "ABC");
        assert_eq!(initials(""), "");
    }
}
