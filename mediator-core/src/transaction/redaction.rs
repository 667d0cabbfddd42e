use std::borrow::Cow;
use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;
use url::form_urlencoded;

/// What stands in the place of a secret.
pub(super) const REDACTED: &str = "[redacted]";

/// Longest JSON that is parsed to take secrets out of it.
const MAXIMUM_JSON: usize = 1024 * 1024;

/// What is kept out of recorded calls, because everyone who may read transactions in OpenHIM would
/// read it.
#[derive(Debug, Clone, PartialEq)]
pub struct Redaction {
    headers: HashSet<HeaderName>,
    parameters: HashSet<String>,
    paths: Vec<JsonPath>,
}

impl Default for Redaction {
    /// Headers, query parameters, fields of forms and JSON that commonly hold credentials:
    /// `Authorization`, `Proxy-Authorization`, `Cookie`, `Set-Cookie`, `X-Vault-Token`,
    /// `X-API-Key`, `X-Auth-Token`; `access_token`, `refresh_token`, `id_token`, `token`,
    /// `api_key`, `apikey`, `client_secret`, `client_assertion`, `password`; of JSON the OAuth
    /// ones, at the top.
    fn default() -> Self {
        let headers = [
            "authorization",
            "proxy-authorization",
            "cookie",
            "set-cookie",
            "x-vault-token",
            "x-api-key",
            "x-auth-token",
        ];
        let oauth = [
            "access_token",
            "refresh_token",
            "id_token",
            "client_secret",
            "client_assertion",
            "password",
        ];
        let parameters = ["token", "api_key", "apikey"];
        Self {
            headers: headers.map(HeaderName::from_static).into(),
            parameters: oauth
                .iter()
                .chain(&parameters)
                .map(|&name| name.to_owned())
                .collect(),
            paths: oauth
                .iter()
                .filter_map(|name| JsonPath::parse(name))
                .collect(),
        }
    }
}

impl Redaction {
    /// Nothing is redacted.
    #[must_use]
    pub fn none() -> Self {
        Self {
            headers: HashSet::new(),
            parameters: HashSet::new(),
            paths: Vec::new(),
        }
    }

    /// Also the values of this header.
    #[must_use]
    pub fn header(mut self, name: HeaderName) -> Self {
        self.headers.insert(name);
        self
    }

    /// Also the values of this parameter in queries and forms.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>) -> Self {
        self.parameters.insert(name.into());
        self
    }

    /// Also what is at this path of JSON bodies: names separated by `.`, `*` for any name or any
    /// element of a list, a leading `**.` for any depth. `data.keys.*.private`, `**.birthDate`.
    /// A path without any name is ignored.
    #[must_use]
    pub fn json_path(mut self, path: &str) -> Self {
        self.paths.extend(JsonPath::parse(path));
        self
    }

    pub(super) fn redact_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in headers.iter_mut() {
            if self.headers.contains(name) {
                *value = HeaderValue::from_static(REDACTED);
            }
        }
    }

    pub(super) fn redact_url(&self, url: &mut Url) {
        let Some(query) = url.query() else { return };
        if let Cow::Owned(redacted) = self.redact_parameters(query) {
            url.set_query(Some(&redacted));
        }
    }

    /// A body of this media type without secrets; `None` when there may be some that cannot be
    /// taken out.
    pub(super) fn redact_body<'a>(&self, media_type: &str, body: &'a str) -> Option<Cow<'a, str>> {
        if media_type.starts_with("application/x-www-form-urlencoded") {
            return Some(self.redact_parameters(body));
        }
        let is_json = media_type.contains("json") || media_type.is_empty();
        if !is_json || !self.paths.iter().any(|path| path.may_be_in(body)) {
            return Some(Cow::Borrowed(body));
        }
        if body.len() > MAXIMUM_JSON {
            return None;
        }
        let mut json: Value = match serde_json::from_str(body) {
            Ok(json) => json,
            // Plain text that happens to hold such a word.
            Err(_) if media_type.is_empty() => return Some(Cow::Borrowed(body)),
            Err(_) => return None,
        };
        let mut found = false;
        for path in &self.paths {
            found |= path.redact(&mut json);
        }
        Some(if found {
            Cow::Owned(json.to_string())
        } else {
            Cow::Borrowed(body)
        })
    }

    fn redact_parameters<'a>(&self, parameters: &'a str) -> Cow<'a, str> {
        let is_secret = |name: &str| self.parameters.contains(name);
        if !form_urlencoded::parse(parameters.as_bytes()).any(|(name, _)| is_secret(&name)) {
            return Cow::Borrowed(parameters);
        }
        let mut redacted = form_urlencoded::Serializer::new(String::new());
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            let value = if is_secret(&name) {
                Cow::Borrowed(REDACTED)
            } else {
                value
            };
            redacted.append_pair(&name, &value);
        }
        Cow::Owned(redacted.finish())
    }
}

#[derive(Debug, Clone, PartialEq)]
struct JsonPath {
    at_any_depth: bool,
    steps: Vec<String>,
}

impl JsonPath {
    fn parse(path: &str) -> Option<Self> {
        let (at_any_depth, path) = match path.strip_prefix("**.") {
            Some(rest) => (true, rest),
            None => (false, path),
        };
        let steps: Vec<_> = path
            .split('.')
            .filter(|step| !step.is_empty())
            .map(str::to_owned)
            .collect();
        (!steps.is_empty()).then_some(Self {
            at_any_depth,
            steps,
        })
    }

    /// Cheap, and never wrong when it says no: a name in JSON stands there as it is unless
    /// something in it is escaped.
    fn may_be_in(&self, body: &str) -> bool {
        let is_in = |name: &String| name == "*" || body.contains(name.as_str());
        self.steps.iter().all(is_in) || body.contains('\\')
    }

    fn redact(&self, json: &mut Value) -> bool {
        let mut found = redact_at(json, &self.steps);
        if self.at_any_depth {
            match json {
                Value::Array(values) => {
                    for value in values {
                        found |= self.redact(value);
                    }
                }
                Value::Object(map) => {
                    for (_, value) in map {
                        found |= self.redact(value);
                    }
                }
                _ => {}
            }
        }
        found
    }
}

fn redact_at(json: &mut Value, steps: &[String]) -> bool {
    let Some((step, rest)) = steps.split_first() else {
        *json = Value::from(REDACTED);
        return true;
    };
    let mut found = false;
    match json {
        Value::Object(map) if step == "*" => {
            for (_, value) in map {
                found |= redact_at(value, rest);
            }
        }
        Value::Object(map) => {
            if let Some(value) = map.get_mut(step) {
                found |= redact_at(value, rest);
            }
        }
        Value::Array(values) if step == "*" => {
            for value in values {
                found |= redact_at(value, rest);
            }
        }
        _ => {}
    }
    found
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use rstest::rstest;

    use super::*;

    const JSON: &str = "application/json";

    #[rstest]
    #[case::at_the_top("a", r#"{"a":"[redacted]","b":{"a":2}}"#)]
    #[case::in_an_object("b.a", r#"{"a":1,"b":{"a":"[redacted]"}}"#)]
    #[case::any_name("*.a", r#"{"a":1,"b":{"a":"[redacted]"}}"#)]
    #[case::any_depth("**.a", r#"{"a":"[redacted]","b":{"a":"[redacted]"}}"#)]
    #[case::nowhere("c", r#"{"a":1,"b":{"a":2}}"#)]
    fn paths_lead_to_what_is_redacted(#[case] path: &str, #[case] expected: &str) {
        let redaction = Redaction::none().json_path(path);
        let body = r#"{"a":1,"b":{"a":2}}"#;
        assert_eq!(redaction.redact_body(JSON, body).unwrap(), expected);
    }

    #[test]
    fn lists_are_walked_and_escapes_do_not_hide_names() {
        let redaction = Redaction::none().json_path("keys.*.private");
        assert_eq!(
            redaction
                .redact_body(JSON, r#"{"keys":[{"\u0070rivate":1},{"public":2}]}"#)
                .unwrap(),
            r#"{"keys":[{"private":"[redacted]"},{"public":2}]}"#
        );
    }

    #[test]
    fn what_may_hold_a_secret_and_cannot_be_read_is_not_kept() {
        let redaction = Redaction::default();
        assert_eq!(
            redaction.redact_body(JSON, r#"{"access_token":"abc""#),
            None
        );
        let long = format!(r#"{{"access_token":"{}"}}"#, "a".repeat(MAXIMUM_JSON));
        assert_eq!(redaction.redact_body(JSON, &long), None);
        assert!(redaction.redact_body(JSON, "not JSON").is_some());
    }

    #[test]
    fn secrets_in_forms_queries_and_headers_are_redacted() {
        let redaction = Redaction::default().header(HeaderName::from_static("x-key"));
        assert_eq!(
            redaction
                .redact_body(
                    "application/x-www-form-urlencoded",
                    "user=a&client_secret=b+c"
                )
                .unwrap(),
            "user=a&client_secret=%5Bredacted%5D"
        );
        let mut url: Url = "https://example.org/?token=a&x=1".parse().unwrap();
        redaction.redact_url(&mut url);
        assert_eq!(url.query(), Some("token=%5Bredacted%5D&x=1"));
        let mut headers = HeaderMap::new();
        for name in ["authorization", "x-key", "accept"] {
            headers.insert(
                HeaderName::from_static(name),
                HeaderValue::from_static("abc"),
            );
        }
        redaction.redact_headers(&mut headers);
        assert_eq!(headers["authorization"], REDACTED);
        assert_eq!(headers["x-key"], REDACTED);
        assert_eq!(headers["accept"], "abc");
    }
}
