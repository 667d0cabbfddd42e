//! Reading submissions: what a health event may arrive as.
//!
//! A QuestionnaireResponse, a `Parameters` with the parameter `response`, a `batch` Bundle of
//! either (transaction Submit Health Event), a JSON array of these, or NDJSON with one a line.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

use serde_json::Value;

use crate::operation_outcome::{Issue, IssueType, OperationOutcome};
use crate::strict_json;

/// Longest JSON text that is read at once, in bytes: a whole document, or one line of NDJSON.
pub const MAXIMUM_TEXT: usize = 16 * 1024 * 1024;

/// Longest NDJSON stream is not limited; one that never ends a line is, by [`MAXIMUM_TEXT`].
const OPERATION_PATH: &str = "QuestionnaireResponse/$generateHealthCertificate";

/// One health event to certify, or why that entry is none.
pub type Submission = Result<Value, OperationOutcome>;

/// Reads the submissions in `reader`, one QuestionnaireResponse each, in their order.
///
/// NDJSON is read line by line, so a long stream needs memory for one line only; a broken line is
/// one failed submission and reading goes on behind it.
pub fn read_submissions<R: BufRead>(reader: R) -> Submissions<R> {
    Submissions {
        reader,
        state: State::Start,
        line: 0,
        waiting: VecDeque::new(),
    }
}

/// Iterator over the submissions of one input; see [`read_submissions`].
#[derive(Debug)]
pub struct Submissions<R> {
    reader: R,
    state: State,
    line: usize,
    waiting: VecDeque<Submission>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Lines,
    End,
}

impl<R: BufRead> Iterator for Submissions<R> {
    type Item = Submission;

    fn next(&mut self) -> Option<Submission> {
        loop {
            if let Some(submission) = self.waiting.pop_front() {
                return Some(submission);
            }
            match self.state {
                State::End => return None,
                State::Start => self.start(),
                State::Lines => match self.next_line() {
                    Some(Ok(text)) => {
                        let prefix = format!("line {}", self.line);
                        self.take_text(&text, Some(&prefix));
                    }
                    Some(Err(outcome)) => self.waiting.push_back(Err(outcome)),
                    None => self.state = State::End,
                },
            }
        }
    }
}

impl<R: BufRead> Submissions<R> {
    /// Tells NDJSON from one JSON text by its first two lines: no JSON text can have a complete
    /// object on its first line and anything after it, nor an object directly after a `{`.
    fn start(&mut self) {
        self.state = State::End;
        let first = match self.next_line() {
            None => {
                self.waiting.push_back(Err(empty()));
                return;
            }
            Some(Err(outcome)) => {
                self.waiting.push_back(Err(outcome));
                return;
            }
            Some(Ok(line)) => line,
        };
        let first_number = self.line;
        let Some(second) = self.next_line() else {
            self.take_text(&first, None);
            return;
        };
        let second = match second {
            Ok(line) => line,
            Err(outcome) => {
                self.waiting.push_back(Err(outcome));
                return;
            }
        };
        let is_object = |line: &[u8]| strict_json::parse(line).is_ok_and(|value| value.is_object());
        let starts_object = first.trim_ascii_start().starts_with(b"{");
        if is_object(&first) || (starts_object && is_object(&second)) {
            self.state = State::Lines;
            self.take_text(&first, Some(&format!("line {first_number}")));
            self.take_text(&second, Some(&format!("line {}", self.line)));
            return;
        }
        let mut text = first;
        text.push(b'\n');
        text.extend_from_slice(&second);
        let room = (MAXIMUM_TEXT + 1).saturating_sub(text.len());
        match self
            .reader
            .by_ref()
            .take(room as u64)
            .read_to_end(&mut text)
        {
            Ok(_) if text.len() > MAXIMUM_TEXT => self.waiting.push_back(Err(too_long())),
            Ok(_) => self.take_text(&text, None),
            Err(error) => self.waiting.push_back(Err(unreadable(&error))),
        }
    }

    /// The next line that is not blank, without its end.
    fn next_line(&mut self) -> Option<Result<Vec<u8>, OperationOutcome>> {
        loop {
            let mut line = Vec::new();
            let read = self
                .reader
                .by_ref()
                .take(MAXIMUM_TEXT as u64 + 1)
                .read_until(b'\n', &mut line);
            match read {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => {
                    self.state = State::End;
                    return Some(Err(unreadable(&error)));
                }
            }
            self.line += 1;
            if line.len() > MAXIMUM_TEXT {
                self.state = State::End;
                return Some(Err(too_long()));
            }
            if self.line == 1 && line.starts_with(b"\xef\xbb\xbf") {
                line.drain(..3);
            }
            if !line.trim_ascii().is_empty() {
                return Some(Ok(line));
            }
        }
    }

    fn take_text(&mut self, text: &[u8], place: Option<&str>) {
        match strict_json::parse(text) {
            Ok(Value::Array(values)) if values.is_empty() => self.waiting.push_back(Err(empty())),
            Ok(Value::Array(values)) => {
                for value in values {
                    self.waiting.extend(submissions_of(value));
                }
            }
            Ok(value) => self.waiting.extend(submissions_of(value)),
            Err(error) => {
                let place = place.map(|place| format!("{place}: ")).unwrap_or_default();
                self.waiting.push_back(Err(OperationOutcome::new(
                    400,
                    Issue::general(IssueType::Structure, format!("{place}{error}")),
                )));
            }
        }
    }
}

/// The submissions in one resource: one, or one for each entry of a batch.
#[must_use]
pub fn submissions_of(resource: Value) -> Vec<Submission> {
    if resource_type(&resource) == Some("Bundle") {
        match batch_entries(resource) {
            Ok(entries) => entries,
            Err(outcome) => vec![Err(outcome)],
        }
    } else {
        vec![questionnaire_response(resource)]
    }
}

/// The QuestionnaireResponse in the input of `$generateHealthCertificate`: the resource itself or
/// a `Parameters` with the parameter `response`.
///
/// # Errors
/// 400 when it is not a FHIR resource, 422 when it is another one than asked for.
pub fn questionnaire_response(resource: Value) -> Submission {
    match resource_type(&resource) {
        Some("QuestionnaireResponse") => Ok(resource),
        Some("Parameters") => response_parameter(resource),
        Some(_) => Err(OperationOutcome::new(
            422,
            Issue::error(
                IssueType::Value,
                "resourceType",
                "a health event is a QuestionnaireResponse, a Parameters with the parameter `response`, or a batch Bundle of these",
            ),
        )),
        None => Err(OperationOutcome::new(
            400,
            Issue::error(
                IssueType::Structure,
                "resourceType",
                "this is no FHIR resource: it has no resourceType",
            ),
        )),
    }
}

/// The entries of a `batch` Bundle (Submit Health Event), each a submission or what is wrong with
/// that entry.
///
/// # Errors
/// 400 or 422 when the Bundle as a whole cannot be processed.
pub fn batch_entries(mut bundle: Value) -> Result<Vec<Submission>, OperationOutcome> {
    let invalid = |expression: &str, text: &str| {
        Err(OperationOutcome::new(
            422,
            Issue::error(IssueType::Required, expression, text),
        ))
    };
    match bundle.get("type").and_then(Value::as_str) {
        Some("batch") => {}
        Some(_) => {
            return Err(OperationOutcome::new(
                422,
                Issue::error(
                    IssueType::Value,
                    "Bundle.type",
                    "Submit Health Event takes a Bundle of type batch",
                ),
            ));
        }
        None => {
            return Err(OperationOutcome::new(
                400,
                Issue::error(
                    IssueType::Required,
                    "Bundle.type",
                    "a Bundle needs a type; Submit Health Event takes batch",
                ),
            ));
        }
    }
    match bundle.get_mut("entry").map(Value::take) {
        Some(Value::Array(entries)) if !entries.is_empty() => Ok(entries
            .into_iter()
            .enumerate()
            .map(|(index, entry)| batch_entry(index, entry))
            .collect()),
        None | Some(Value::Array(_)) => invalid("Bundle.entry", "the batch has no entry"),
        Some(_) => Err(OperationOutcome::new(
            400,
            Issue::error(IssueType::Structure, "Bundle.entry", "entry is an array"),
        )),
    }
}

fn batch_entry(index: usize, mut entry: Value) -> Submission {
    let at = |element: &str| format!("Bundle.entry[{index}].{element}");
    let refuse = |status, code, element: &str, text: &str| {
        Err(OperationOutcome::new(
            status,
            Issue::error(code, at(element), text),
        ))
    };
    if let Some(request) = entry.get("request") {
        match request.get("method").and_then(Value::as_str) {
            Some("POST") => {}
            Some(_) => {
                return refuse(
                    405,
                    IssueType::NotSupported,
                    "request.method",
                    "a health event is submitted with POST",
                );
            }
            None => {
                return refuse(
                    400,
                    IssueType::Required,
                    "request.method",
                    "an entry's request needs a method",
                );
            }
        }
        match request.get("url").and_then(Value::as_str) {
            Some(url) if url.trim_start_matches('/') == OPERATION_PATH => {}
            Some(_) => {
                return refuse(
                    404,
                    IssueType::NotFound,
                    "request.url",
                    "the only request in Submit Health Event is QuestionnaireResponse/$generateHealthCertificate",
                );
            }
            None => {
                return refuse(
                    400,
                    IssueType::Required,
                    "request.url",
                    "an entry's request needs a url",
                );
            }
        }
    } else {
        return refuse(
            400,
            IssueType::Required,
            "request",
            "an entry of a batch needs a request",
        );
    }
    match entry.get_mut("resource").map(Value::take) {
        Some(resource) => questionnaire_response(resource).map_err(|mut outcome| {
            for issue in &mut outcome.issues {
                for expression in &mut issue.expression {
                    *expression = at(&format!("resource.{expression}"));
                }
            }
            outcome
        }),
        None => refuse(
            422,
            IssueType::Required,
            "resource",
            "the entry has no resource",
        ),
    }
}

fn response_parameter(mut parameters: Value) -> Submission {
    let found = parameters
        .get_mut("parameter")
        .and_then(Value::as_array_mut)
        .and_then(|list| {
            list.iter_mut()
                .find(|parameter| parameter.get("name") == Some(&Value::from("response")))
        });
    let missing = |expression: &str, text: &str| {
        Err(OperationOutcome::new(
            422,
            Issue::error(IssueType::Required, expression, text),
        ))
    };
    let Some(parameter) = found else {
        return missing(
            "Parameters.parameter.where(name='response')",
            "the parameter `response` is missing",
        );
    };
    let Some(resource) = parameter.get_mut("resource").map(Value::take) else {
        return missing(
            "Parameters.parameter.where(name='response').resource",
            "the parameter `response` has no resource",
        );
    };
    if resource_type(&resource) == Some("QuestionnaireResponse") {
        Ok(resource)
    } else {
        Err(OperationOutcome::new(
            422,
            Issue::error(
                IssueType::Value,
                "Parameters.parameter.where(name='response').resource",
                "the parameter `response` is a QuestionnaireResponse",
            ),
        ))
    }
}

fn resource_type(resource: &Value) -> Option<&str> {
    resource.get("resourceType").and_then(Value::as_str)
}

fn empty() -> OperationOutcome {
    OperationOutcome::new(
        400,
        Issue::general(IssueType::Structure, "there is nothing in this input"),
    )
}

fn too_long() -> OperationOutcome {
    OperationOutcome::new(
        413,
        Issue::general(
            IssueType::TooLong,
            "the JSON text is longer than 16 MiB; send many health events as NDJSON, one a line",
        ),
    )
}

fn unreadable(error: &io::Error) -> OperationOutcome {
    OperationOutcome::new(
        400,
        Issue::general(
            IssueType::Structure,
            format!("the input cannot be read: {}", error.kind()),
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Vec<Submission> {
        read_submissions(text.as_bytes()).collect()
    }

    fn ids(submissions: &[Submission]) -> Vec<&str> {
        submissions
            .iter()
            .map(|submission| match submission {
                Ok(resource) => resource["id"].as_str().unwrap_or("no id"),
                Err(_) => "refused",
            })
            .collect()
    }

    fn response(id: &str) -> Value {
        json!({"resourceType": "QuestionnaireResponse", "id": id})
    }

    fn first_issue(submission: &Submission) -> (u16, &str) {
        match submission {
            Err(outcome) => (
                outcome.status,
                outcome.issues[0].expression.first().map_or("", |e| e),
            ),
            Ok(_) => (0, "accepted"),
        }
    }

    #[test]
    fn reads_one_resource_compact_or_pretty() {
        let value = response("a");
        assert_eq!(ids(&read(&value.to_string())), ["a"]);
        assert_eq!(
            ids(&read(&serde_json::to_string_pretty(&value).unwrap())),
            ["a"]
        );
    }

    #[test]
    fn reads_parameters_with_a_response() {
        let parameters = json!({"resourceType": "Parameters", "parameter": [
            {"name": "other", "valueString": "x"},
            {"name": "response", "resource": response("a")},
        ]});
        assert_eq!(ids(&read(&parameters.to_string())), ["a"]);
        let without = json!({"resourceType": "Parameters"});
        assert_eq!(
            first_issue(&read(&without.to_string())[0]),
            (422, "Parameters.parameter.where(name='response')")
        );
    }

    #[test]
    fn reads_a_batch_entry_by_entry() {
        let entry = |url: &str, resource: Value| json!({"request": {"method": "POST", "url": url}, "resource": resource});
        let batch = json!({"resourceType": "Bundle", "type": "batch", "entry": [
            entry(OPERATION_PATH, response("a")),
            entry("Patient", response("b")),
            entry("/QuestionnaireResponse/$generateHealthCertificate", response("c")),
            entry(OPERATION_PATH, json!({"resourceType": "Patient"})),
            {"resource": response("d")},
        ]});
        let submissions = read(&batch.to_string());
        assert_eq!(
            ids(&submissions),
            ["a", "refused", "c", "refused", "refused"]
        );
        assert_eq!(
            first_issue(&submissions[1]),
            (404, "Bundle.entry[1].request.url")
        );
        assert_eq!(
            first_issue(&submissions[3]),
            (422, "Bundle.entry[3].resource.resourceType")
        );
        assert_eq!(
            first_issue(&submissions[4]),
            (400, "Bundle.entry[4].request")
        );
    }

    #[test]
    fn refuses_a_batch_without_entry() {
        for entry in [json!({}), json!({"entry": []})] {
            let mut batch = json!({"resourceType": "Bundle", "type": "batch"});
            batch
                .as_object_mut()
                .unwrap()
                .extend(entry.as_object().unwrap().clone());
            assert_eq!(
                first_issue(&read(&batch.to_string())[0]),
                (422, "Bundle.entry")
            );
        }
        let document = json!({"resourceType": "Bundle", "type": "document"});
        assert_eq!(
            first_issue(&read(&document.to_string())[0]),
            (422, "Bundle.type")
        );
    }

    #[test]
    fn reads_arrays_also_pretty_printed() {
        let array = json!([response("a"), response("b")]);
        assert_eq!(ids(&read(&array.to_string())), ["a", "b"]);
        assert_eq!(
            ids(&read(&serde_json::to_string_pretty(&array).unwrap())),
            ["a", "b"]
        );
        let one_a_line = format!("[\n{},\n{}\n]", response("a"), response("b"));
        assert_eq!(ids(&read(&one_a_line)), ["a", "b"]);
    }

    #[test]
    fn goes_on_behind_a_broken_line_of_ndjson() {
        let text = format!(
            "{}\n\n{{\"resourceType\": \n{}\r\n[]x\n{}",
            response("a"),
            response("b"),
            response("c")
        );
        let submissions = read(&text);
        assert_eq!(ids(&submissions), ["a", "refused", "b", "refused", "c"]);
        let Err(outcome) = &submissions[1] else {
            panic!("line 3 is broken")
        };
        assert!(outcome.summary().starts_with("line 3: "), "{outcome}");
    }

    #[test]
    fn a_broken_first_line_of_ndjson_is_one_failure() {
        let text = format!("{{\"a\": tru\n{}\n{}", response("b"), response("c"));
        assert_eq!(ids(&read(&text)), ["refused", "b", "c"]);
    }

    #[test]
    fn refuses_a_text_that_is_too_long_without_reading_it_all() {
        struct Endless(u64);
        impl Read for Endless {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                buffer.fill(b'[');
                self.0 += buffer.len() as u64;
                Ok(buffer.len())
            }
        }
        let mut endless = Endless(0);
        let submissions: Vec<_> = read_submissions(io::BufReader::new(&mut endless)).collect();
        assert_eq!(first_issue(&submissions[0]).0, 413);
        assert_eq!(submissions.len(), 1);
        assert!(endless.0 < 2 * MAXIMUM_TEXT as u64);
    }

    #[test]
    fn refuses_what_is_no_resource() {
        for (text, status) in [
            ("", 400),
            ("   \n ", 400),
            ("[]", 400),
            ("not JSON", 400),
            ("3", 400),
            ("{}", 400),
            (r#"{"resourceType": "Patient"}"#, 422),
            (
                r#"{"resourceType": "QuestionnaireResponse", "id": "a", "id": "b"}"#,
                400,
            ),
        ] {
            let submissions = read(text);
            assert_eq!(submissions.len(), 1, "{text}");
            assert_eq!(first_issue(&submissions[0]).0, status, "{text}");
        }
    }
}
