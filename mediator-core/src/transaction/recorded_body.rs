use std::borrow::Cow;

use axum::body::Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};

use super::redaction::Redaction;
use crate::envelope::BodyText;

/// A body as it is recorded: text as it is, anything else as a `data:` URL (RFC 2397); without
/// secrets; of what is longer than `limit`, its beginning and a note.
pub(super) fn recorded_body(
    headers: &HeaderMap,
    body: Recordable<'_>,
    limit: usize,
    redaction: &Redaction,
) -> BodyText {
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let is_encoded = headers.contains_key(header::CONTENT_ENCODING);
    let bytes = body.as_slice();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if !is_encoded => text,
        _ => return data_url(media_type, bytes, limit).into(),
    };
    match redaction.redact_body(media_type, text) {
        None => format!(
            "[{} bytes that are not recorded: they may hold secrets and cannot be read as JSON]",
            bytes.len()
        )
        .into(),
        Some(text) if text.len() > limit => truncated(&text, limit).into(),
        Some(Cow::Owned(text)) => text.into(),
        Some(Cow::Borrowed(text)) => match body {
            Recordable::Shared(bytes) => BodyText::try_from(bytes.clone()).unwrap_or_default(),
            Recordable::Borrowed(_) => text.into(),
        },
    }
}

/// A body that is kept by reference if it can be.
#[derive(Clone, Copy)]
pub(super) enum Recordable<'a> {
    Shared(&'a Bytes),
    Borrowed(&'a [u8]),
}

impl<'a> Recordable<'a> {
    fn as_slice(self) -> &'a [u8] {
        match self {
            Self::Shared(bytes) => bytes,
            Self::Borrowed(bytes) => bytes,
        }
    }
}

fn truncated(text: &str, limit: usize) -> String {
    let beginning = &text[..text.floor_char_boundary(limit)];
    format!("{beginning}\n[truncated: {} bytes in all]", text.len())
}

fn data_url(media_type: &str, bytes: &[u8], limit: usize) -> String {
    let media_type = match media_type {
        "" => "application/octet-stream",
        known => known,
    };
    // Four characters for three bytes.
    let kept = &bytes[..bytes.len().min(limit / 4 * 3)];
    let mut url = format!("data:{};base64,", media_type.replace("; ", ";"));
    STANDARD.encode_string(kept, &mut url);
    if kept.len() < bytes.len() {
        url.push_str(&format!("\n[truncated: {} bytes in all]", bytes.len()));
    }
    url
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn record(media_type: &'static str, body: &[u8], limit: usize) -> String {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        let redaction = Redaction::default();
        recorded_body(&headers, Recordable::Borrowed(body), limit, &redaction)
            .as_str()
            .to_owned()
    }

    #[test]
    fn text_is_kept_up_to_a_whole_character() {
        assert_eq!(record("text/plain", "añb".as_bytes(), 10), "añb");
        assert_eq!(
            record("text/plain", "añb".as_bytes(), 2),
            "a\n[truncated: 4 bytes in all]"
        );
    }

    #[test]
    fn what_is_no_text_is_kept_as_a_data_url() {
        assert_eq!(
            record("application/pdf", b"\xff\xfe\xfd\xfc", 100),
            "data:application/pdf;base64,//79/A=="
        );
        assert_eq!(
            record("application/pdf", b"\xff\xfe\xfd\xfc", 4),
            "data:application/pdf;base64,//79\n[truncated: 4 bytes in all]"
        );
    }

    #[test]
    fn secrets_are_taken_out_before_anything_is_cut_off() {
        let body = br#"{"x":1,"access_token":"abcdefghijklmnopqrstuvwxyz"}"#;
        let text = record("application/json", body, 40);
        assert!(
            text.starts_with(r#"{"x":1,"access_token":"[redacted]"}"#),
            "{text}"
        );
    }

    #[test]
    fn text_that_is_short_enough_is_shared() {
        let body = Bytes::from_static(b"hello");
        let redaction = Redaction::default();
        let text = recorded_body(&HeaderMap::new(), Recordable::Shared(&body), 5, &redaction);
        assert_eq!(text.as_str().as_ptr(), body.as_ptr());
    }
}
