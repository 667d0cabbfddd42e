//! A double of OpenHIM core: what 4.0.5 and 8.5.0 do with the answer of a mediator, and strict
//! where they are silent. After `router.js`, `messageStore.js`, `events.js` and the schema in
//! `transactions.js`; what cannot be seen there was measured.

use serde_json::{Map, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V4,
    V8,
}

pub(crate) const VERSIONS: [Version; 2] = [Version::V4, Version::V8];

/// What a mediator gets for an envelope that core tolerates badly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Punishment {
    /// The client gets a 500, and core sends the request again.
    InternalServerError(String),
    /// A worker of core dies.
    Crash(String),
    /// Answer, orchestrations and properties are dropped.
    NothingStored(String),
    /// The client gets something else.
    AnswerChanged(String),
    /// A status that nothing can be filtered by is stored.
    UnknownStatus(String),
}

/// What becomes of an envelope that core takes well.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Transaction {
    pub(crate) client_status: u16,
    /// Names in lower case. One of several values for each.
    pub(crate) client_headers: Vec<(String, String)>,
    pub(crate) client_body: String,
    pub(crate) status: String,
    pub(crate) orchestrations: usize,
    pub(crate) properties: Map<String, Value>,
    pub(crate) is_retried: bool,
}

const STATUSES: [&str; 6] = [
    "Processing",
    "Pending Async",
    "Successful",
    "Completed",
    "Completed with error(s)",
    "Failed",
];

/// The largest document that MongoDB stores, less what core adds.
const MAXIMUM_BYTES: usize = 15 * 1024 * 1024;

pub(crate) fn receive(version: Version, body: &[u8]) -> Result<Transaction, Vec<Punishment>> {
    let mut core = Core {
        version,
        punishments: Vec::new(),
    };
    let transaction = core.receive(body);
    match transaction {
        Some(transaction) if core.punishments.is_empty() => Ok(transaction),
        _ => Err(core.punishments),
    }
}

struct Core {
    version: Version,
    punishments: Vec<Punishment>,
}

impl Core {
    fn receive(&mut self, body: &[u8]) -> Option<Transaction> {
        let Ok(envelope) = serde_json::from_slice::<Value>(body) else {
            self.internal_server_error("JSON.parse throws");
            return None;
        };
        let Some(response) = envelope["response"].as_object() else {
            self.internal_server_error("setKoaResponse reads from undefined");
            return None;
        };
        let client_status = self.set_status(response);
        let client_body = self.set_body(response, client_status);
        let client_headers = self.set_headers(response);
        self.store_response(&envelope, body.len());
        self.store_events(&envelope);
        Some(Transaction {
            client_status,
            client_headers,
            client_body,
            status: self.final_status(&envelope, client_status),
            orchestrations: envelope["orchestrations"].as_array().map_or(0, Vec::len),
            properties: envelope["properties"]
                .as_object()
                .cloned()
                .unwrap_or_default(),
            is_retried: !envelope["error"].is_null(),
        })
    }

    // setKoaResponse

    fn set_status(&mut self, response: &Map<String, Value>) -> u16 {
        let status = match response.get("status") {
            Some(Value::String(text)) => text.parse().ok(),
            Some(Value::Number(number)) => number.as_u64(),
            _ => None,
        };
        let status = status.filter(|status| (100..=999).contains(status));
        let Some(status) = status.and_then(|status| u16::try_from(status).ok()) else {
            self.internal_server_error("Koa asserts that a status is an integer from 100 to 999");
            return 500;
        };
        if status < 200 {
            self.internal_server_error("Node takes 1xx for no final answer");
        }
        status
    }

    fn set_body(&mut self, response: &Map<String, Value>, status: u16) -> String {
        match response.get("body") {
            Some(Value::String(body)) => {
                if matches!(status, 204 | 205 | 304) && !body.is_empty() {
                    self.answer_changed("Koa drops the body of a status that has none");
                }
                body.clone()
            }
            None | Some(Value::Null) => {
                if !matches!(status, 204 | 205 | 304) {
                    self.answer_changed("Koa makes 204 of an answer without a body");
                }
                String::new()
            }
            Some(_) => {
                self.answer_changed("the body is stored as [object Object]");
                String::new()
            }
        }
    }

    fn set_headers(&mut self, response: &Map<String, Value>) -> Vec<(String, String)> {
        let mut set = Vec::new();
        let Some(headers) = response.get("headers").and_then(Value::as_object) else {
            if response.contains_key("headers") {
                self.internal_server_error("the headers are no object");
            }
            return set;
        };
        for (name, value) in headers {
            let lower_case = name.to_ascii_lowercase();
            if lower_case == "set-cookie" && !value.is_array() {
                self.answer_changed("a cookie that is not in a list is read letter by letter");
            }
            let values: Vec<&Value> = match value {
                Value::Array(values) => values.iter().collect(),
                one => vec![one],
            };
            for value in values {
                let Some(text) = value.as_str() else {
                    self.answer_changed("a header's value is written as JavaScript prints it");
                    continue;
                };
                let is_skipped = matches!(
                    &*lower_case,
                    "content-length" | "content-encoding" | "transfer-encoding"
                );
                if is_skipped {
                    self.answer_changed("core does not send this header on");
                } else if !is_token(name) {
                    self.internal_server_error("Node: Header name must be a valid HTTP token");
                } else if !text.chars().all(is_node_header_character) {
                    self.internal_server_error("Node: Invalid character in header content");
                }
                set.push((lower_case.clone(), text.to_owned()));
            }
        }
        set
    }

    // storeResponse, with the schema's casts and validators

    fn store_response(&mut self, envelope: &Value, bytes: usize) {
        if bytes > MAXIMUM_BYTES {
            self.nothing_stored("the document is too large for MongoDB");
        }
        self.cast(
            &envelope["response"]["timestamp"],
            "Date",
            "response.timestamp",
        );
        match &envelope["orchestrations"] {
            Value::Null => {}
            Value::Array(calls) => {
                for call in calls {
                    self.store_orchestration(call);
                }
            }
            _ => self.internal_server_error("orchestrations.map is not a function"),
        }
        match &envelope["properties"] {
            Value::Null => {}
            Value::Object(properties) => self.keys(properties),
            _ => self.nothing_stored("properties are no object"),
        }
        let error = &envelope["error"];
        if !error.is_null() {
            self.error(error);
        }
    }

    fn store_orchestration(&mut self, call: &Value) {
        if call["name"].as_str().is_none_or(str::is_empty) {
            self.nothing_stored("orchestrations.name is required");
        }
        self.cast(&call["group"], "String", "orchestrations.group");
        let request = &call["request"];
        for field in ["host", "port", "path", "querystring", "method"] {
            self.cast(&request[field], "String", field);
        }
        if request["timestamp"].is_null() {
            self.nothing_stored("orchestrations.request.timestamp is required");
        }
        for (part, field) in [("request", "timestamp"), ("response", "timestamp")] {
            self.cast(&call[part][field], "Date", field);
        }
        for part in ["request", "response"] {
            let body = &call[part]["body"];
            if is_truthy(body) && !body.is_string() {
                self.internal_server_error("Buffer.byteLength wants a string");
            }
            if let Some(headers) = call[part]["headers"].as_object() {
                self.keys(headers);
            }
        }
        let status = &call["response"]["status"];
        if !status.is_null() && !status.is_number() {
            self.nothing_stored("orchestrations.response.status is no number");
        }
        self.error(&call["error"]);
    }

    fn error(&mut self, error: &Value) {
        if !error.is_null() && !error.is_object() {
            self.nothing_stored("an error is no object");
        }
        self.cast(&error["message"], "String", "error.message");
        self.cast(&error["stack"], "String", "error.stack");
    }

    fn cast(&mut self, value: &Value, kind: &str, field: &str) {
        let is_cast = match (kind, value) {
            (_, Value::Null) => true,
            ("String", value) => !value.is_object() && !value.is_array(),
            (_, Value::String(text)) => {
                text.len() == "2026-03-01T10:00:00.000Z".len()
                    && chrono::DateTime::parse_from_rfc3339(text).is_ok()
            }
            (_, value) => value.is_number(),
        };
        if !is_cast {
            self.nothing_stored(&format!("{field}: Cast to {kind} failed"));
        }
    }

    fn keys(&mut self, map: &Map<String, Value>) {
        for key in map.keys() {
            if key.is_empty() || key.contains(['.', '$', '\0']) {
                self.nothing_stored("MongoDB refuses the name of a field");
            }
        }
    }

    // createOrchestrationEvents, in a timer that nobody watches

    fn store_events(&mut self, envelope: &Value) {
        for call in envelope["orchestrations"].as_array().into_iter().flatten() {
            if call.is_null() || call["request"].is_null() {
                self.punish(Punishment::Crash(
                    "route.request.timestamp of undefined".to_owned(),
                ));
            }
        }
    }

    // setFinalStatus

    fn final_status(&mut self, envelope: &Value, client_status: u16) -> String {
        match &envelope["status"] {
            Value::Null => match client_status {
                500..=599 => "Failed",
                200..=299 => "Successful",
                _ => "Completed",
            }
            .to_owned(),
            status => {
                let known = status.as_str().filter(|status| {
                    STATUSES.contains(status)
                        && !(self.version == Version::V4 && *status == "Pending Async")
                });
                if known.is_none() {
                    match self.version {
                        Version::V4 => self.nothing_stored("status is not a valid enum value"),
                        Version::V8 => {
                            self.punish(Punishment::UnknownStatus(status.to_string()));
                        }
                    }
                }
                known.unwrap_or_default().to_owned()
            }
        }
    }

    fn internal_server_error(&mut self, why: &str) {
        self.punish(Punishment::InternalServerError(why.to_owned()));
    }

    fn nothing_stored(&mut self, why: &str) {
        self.punish(Punishment::NothingStored(why.to_owned()));
    }

    fn answer_changed(&mut self, why: &str) {
        self.punish(Punishment::AnswerChanged(why.to_owned()));
    }

    fn punish(&mut self, punishment: Punishment) {
        self.punishments.push(punishment);
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        _ => true,
    }
}

fn is_token(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_allowed)
}

fn is_node_header_character(character: char) -> bool {
    matches!(character, '\t' | '\u{20}'..='\u{7e}' | '\u{80}'..='\u{ff}')
}
