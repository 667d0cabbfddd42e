//! The cause that the server gives in an `OperationOutcome`, without what may be about a person.

use serde_json::Value;

use crate::strict_json;

/// Issues that are passed on.
const MOST_ISSUES: usize = 3;

/// Characters of an issue that are passed on.
const LONGEST: usize = 300;

/// What stands for what is left out.
const LEFT_OUT: &str = "…";

/// Elements whose texts are about no person.
const PLAIN: [&str; 16] = [
    "resourceType",
    "id",
    "reference",
    "url",
    "system",
    "code",
    "status",
    "type",
    "fullUrl",
    "method",
    "profile",
    "contentType",
    "use",
    "mode",
    "linkId",
    "data",
];

/// The texts in what is sent that may be about a person.
pub(super) fn texts(value: &Value) -> Vec<&str> {
    let mut texts = Vec::new();
    collect(value, &mut texts);
    texts
}

fn collect<'a>(value: &'a Value, texts: &mut Vec<&'a str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(values) => values.iter().for_each(|value| collect(value, texts)),
        Value::Object(object) => {
            for (name, value) in object {
                if !(value.is_string() && PLAIN.contains(&name.as_str())) {
                    collect(value, texts);
                }
            }
        }
        _ => {}
    }
}

/// The errors of an OperationOutcome, in one line; `None` when the body is none.
pub(super) fn of(body: &[u8], sent: &[&str]) -> Option<String> {
    let outcome = strict_json::parse(body).ok()?;
    if outcome.get("resourceType")? != "OperationOutcome" {
        return None;
    }
    let issues = outcome.get("issue")?.as_array()?;
    let is_error = |issue: &&Value| {
        !matches!(
            issue.get("severity").and_then(Value::as_str),
            Some("warning" | "information")
        )
    };
    let causes: Vec<String> = issues
        .iter()
        .filter(is_error)
        .take(MOST_ISSUES)
        .map(|issue| cause(issue, sent))
        .collect();
    (!causes.is_empty()).then(|| causes.join("; "))
}

fn cause(issue: &Value, sent: &[&str]) -> String {
    let text = |pointer: &str| issue.pointer(pointer).and_then(Value::as_str);
    let code = text("/code").filter(|code| is_code(code));
    let mut cause = code.unwrap_or("error").to_owned();
    let words = [
        "/diagnostics",
        "/details/text",
        "/details/coding/0/display",
        "/details/coding/0/code",
    ]
    .iter()
    .find_map(|pointer| text(pointer));
    if let Some(words) = words {
        cause.push_str(": ");
        cause.push_str(&without_persons(words, sent));
    }
    if let Some(path) = text("/expression/0").or_else(|| text("/location/0")) {
        cause.push_str(" (");
        cause.push_str(&without_persons(path, sent));
        cause.push(')');
    }
    cause
}

fn is_code(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// A text without what was sent, without quotations of more than a word, and without the values of
/// searches.
fn without_persons(text: &str, sent: &[&str]) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut sent: Vec<&str> = sent
        .iter()
        .copied()
        .filter(|sent| sent.chars().count() > 1 && sent.len() <= text.len())
        .collect();
    // Longer ones first: others may be parts of them.
    sent.sort_unstable_by_key(|sent| std::cmp::Reverse(sent.len()));
    sent.dedup();
    for sent in sent {
        text = without(&text, sent);
    }
    text = without_quotations(&text);
    text = without_values(&text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}{LEFT_OUT}", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// Without `part`, also where its case differs, as whole words only.
fn without(text: &str, part: &str) -> String {
    let folded = |text: &str| {
        text.chars()
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let wanted = folded(part);
    let length = part.chars().count();
    let chars: Vec<(usize, char)> = text.char_indices().collect();
    let is_boundary = |index: Option<usize>| {
        index
            .and_then(|index| chars.get(index))
            .is_none_or(|(_, char)| !char.is_alphanumeric())
    };
    let mut rest = 0;
    let mut result = String::with_capacity(text.len());
    let mut index = 0;
    while let Some(&(start, _)) = chars.get(index) {
        let end = chars
            .get(index + length)
            .map_or(text.len(), |(end, _)| *end);
        let found = text.get(start..end).unwrap_or_default();
        if index + length <= chars.len()
            && folded(found) == wanted
            && (index == 0 || is_boundary(Some(index - 1)))
            && is_boundary(Some(index + length))
        {
            result.push_str(text.get(rest..start).unwrap_or_default());
            result.push_str(LEFT_OUT);
            rest = end;
            index += length;
        } else {
            index += 1;
        }
    }
    result.push_str(text.get(rest..).unwrap_or_default());
    result
}

/// Quotations that are not one word of ASCII: those name elements and types.
fn without_quotations(text: &str) -> String {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('"') {
        let (before, quoted) = rest.split_at(start + 1);
        result.push_str(before);
        let Some((quoted, after)) = quoted.split_once('"') else {
            result.push_str(LEFT_OUT);
            return result;
        };
        let is_word = !quoted.contains(' ') && quoted.is_ascii() && !quoted.contains('=');
        result.push_str(if is_word { quoted } else { LEFT_OUT });
        result.push('"');
        rest = after;
    }
    result.push_str(rest);
    result
}

/// `identifier=…` for every value of a search.
fn without_values(text: &str) -> String {
    text.split(' ')
        .map(|word| match word.split_once('=') {
            Some((name, value)) if !value.is_empty() => format!("{name}={LEFT_OUT}"),
            _ => word.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case::kept(
        "HAPI-1094: Resource Patient/p not found, specified in path: List.subject",
        "HAPI-1094: Resource Patient/p not found, specified in path: List.subject"
    )]
    #[case::sent("Name is Aulus Agerius, not AULUS", "Name is …, not …")]
    #[case::other_case("invalid: aulus AGERIUS!", "invalid: …!")]
    #[case::whole_words("2003-03-03 of X12", "… of X12")]
    #[case::words(
        "Unknown search parameter \"colour\" for \"List\"",
        "Unknown search parameter \"colour\" for \"List\""
    )]
    #[case::quotation("Cannot read \"Numerius Negidius\" here", "Cannot read \"…\" here")]
    #[case::open_quotation("Cannot read \"Numerius", "Cannot read \"…")]
    #[case::search(
        "match URL List?identifier=urn:x|123&code=y failed",
        "match URL List?identifier=… failed"
    )]
    #[case::quoted_search(
        "match URL \"List?identifier=urn:x|123\" failed",
        "match URL \"…\" failed"
    )]
    fn what_is_about_a_person_is_left_out(#[case] text: &str, #[case] expected: &str) {
        let sent = ["Aulus Agerius", "Aulus", "2003-03-03", "X1", "1"];
        assert_eq!(without_persons(text, &sent), expected);
    }

    #[test]
    fn errors_are_passed_on_and_the_rest_is_not() {
        let outcome = json!({"resourceType": "OperationOutcome", "issue": [
            {"severity": "information", "code": "informational", "diagnostics": "fine"},
            {"severity": "error", "code": "processing", "diagnostics": "no  such\n thing", "expression": ["Patient.name"]},
            {"severity": "fatal", "code": "Aulus", "details": {"text": "worse"}},
        ]});
        assert_eq!(
            of(outcome.to_string().as_bytes(), &[]).as_deref(),
            Some("processing: no such thing (Patient.name); error: worse")
        );
        assert_eq!(of(b"<html>", &[]), None);
        assert_eq!(of(br#"{"resourceType": "Patient"}"#, &[]), None);
    }

    #[test]
    fn of_a_transaction_what_persons_have_is_known() {
        let bundle = json!({"resourceType": "Bundle", "entry": [{"resource": {
            "resourceType": "Patient", "id": "p", "birthDate": "1815-12-10",
            "name": [{"text": "Ada"}], "identifier": [{"system": "urn:p", "value": "1"}]}}]});
        assert_eq!(texts(&bundle), ["1815-12-10", "Ada", "1"]);
    }
}
