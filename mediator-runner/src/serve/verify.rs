//! `POST [base]/$verify`: what the texts of QR codes are, and whether they are valid.

use axum::body::Bytes;
use axum::extract::State;
use chrono::Utc;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use mediator_core::server::RequestBody;
use mediator_ddcc::operation_outcome::{Issue, IssueType};
use mediator_ddcc::strict_json;
use mediator_ddcc::verification::verify;
use serde_json::{Value, json};

use super::application::Application;
use super::counted;
use super::fhir::{
    Answer, Failure, JSON_NAMES, json, off_the_async_threads, parse, unsupported_media_type,
};
use super::media_type;

/// Codes in one request at most: some tens of milliseconds of work.
const MAXIMUM_CODES: usize = 1000;

/// 200 whatever the codes are: an object for one, an array for several, in their order.
///
/// The body is `{"code": …}`, `{"codes": […]}`, a Parameters with a `code` (`valueString`) each,
/// a signed document, or `text/plain` with one a line.
pub(super) async fn verify_codes(
    State(application): State<Application>,
    headers: HeaderMap,
    RequestBody(body): RequestBody,
) -> Answer {
    let is_text =
        headers.contains_key(CONTENT_TYPE) && media_type::is_one_of(&headers, &["text/plain"]);
    let codes = if is_text {
        lines(body)?
    } else if media_type::is_one_of(&headers, JSON_NAMES) {
        match parse(body.clone()).await? {
            bundle if bundle.get("resourceType") == Some(&json!("Bundle")) => Codes {
                texts: vec![text(body)?],
                is_one: true,
            },
            input => codes(input)?,
        }
    } else {
        return Ok(unsupported_media_type(
            "send application/json, application/fhir+json or text/plain",
        ));
    };
    if codes.texts.len() > MAXIMUM_CODES {
        return Err(Failure::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            Issue::general(
                IssueType::TooLong,
                format!("one request verifies {MAXIMUM_CODES} codes at most"),
            ),
        ));
    }
    let Codes { texts, is_one } = codes;
    let trusted_keys = application.trusted.keys();
    let verified = off_the_async_threads(move || {
        let now = Utc::now();
        texts
            .iter()
            .map(|text| {
                let verification = json!(verify(text, &trusted_keys, now));
                counted::code(&verification);
                verification
            })
            .collect::<Vec<Value>>()
    });
    let mut verified = verified.await?;
    let answer = match (is_one, verified.pop()) {
        (true, Some(one)) => one,
        (_, last) => {
            verified.extend(last);
            verified.into()
        }
    };
    Ok(json(StatusCode::OK, "application/json", &answer))
}

struct Codes {
    texts: Vec<String>,
    /// Whether one was asked about, and not a list that has one.
    is_one: bool,
}

fn text(body: Bytes) -> Result<String, Failure> {
    String::from_utf8(body.into()).map_err(|_| {
        Failure::new(
            StatusCode::BAD_REQUEST,
            Issue::general(IssueType::Structure, "the text is not UTF-8"),
        )
    })
}

/// A code may end with a space, so only the lines' ends are taken away. JSON may have several
/// lines.
fn lines(body: Bytes) -> Result<Codes, Failure> {
    let is_json = body.trim_ascii_start().starts_with(b"{") && strict_json::parse(&body).is_ok();
    let text = text(body)?;
    if is_json {
        return Ok(Codes {
            texts: vec![text.trim_end_matches(['\r', '\n']).to_owned()],
            is_one: true,
        });
    }
    let texts: Vec<String> = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    if texts.is_empty() {
        return Err(nothing_to_verify());
    }
    let is_one = texts.len() == 1;
    Ok(Codes { texts, is_one })
}

fn codes(mut input: Value) -> Result<Codes, Failure> {
    let (values, is_one) = if input.get("resourceType") == Some(&json!("Parameters")) {
        let parameters = input.get("parameter").and_then(Value::as_array);
        let values: Vec<Value> = parameters
            .into_iter()
            .flatten()
            .filter(|parameter| parameter.get("name") == Some(&json!("code")))
            .map(|parameter| parameter.get("valueString").cloned().unwrap_or_default())
            .collect();
        let is_one = values.len() == 1;
        (values, is_one)
    } else if let Some(code) = input.get_mut("code") {
        (vec![code.take()], true)
    } else if let Some(Value::Array(codes)) = input.get_mut("codes").map(Value::take) {
        (codes, false)
    } else {
        return Err(nothing_to_verify());
    };
    let texts: Option<Vec<String>> = values
        .into_iter()
        .map(|value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })
        .collect();
    match texts {
        Some(texts) if !texts.is_empty() => Ok(Codes { texts, is_one }),
        Some(_) => Err(nothing_to_verify()),
        None => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            Issue::general(
                IssueType::Structure,
                "a code is a text: that of its QR code",
            ),
        )),
    }
}

fn nothing_to_verify() -> Failure {
    Failure::new(
        StatusCode::BAD_REQUEST,
        Issue::general(
            IssueType::Required,
            "send {\"code\": \"…\"}, {\"codes\": [\"…\"]}, a Parameters with the parameter code, or text with a code a line",
        ),
    )
}
