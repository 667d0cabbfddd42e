//! A transaction as servers take it (FHIR R4 3.1.0.11).

use std::collections::HashMap;

use serde_json::{Value, json};

use super::super::RepositoryError;
use super::document;
use crate::resource::{entries, text};

/// How a server is told that a resource must not be there yet (`ifNoneMatch: *` of the port).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Creation {
    /// `If-Match: W/"0"`, a version that no resource has. FHIR R4 knows `If-None-Match` for reading
    /// only: HAPI FHIR ignores it here and would overwrite what is there.
    IfMatch,
    /// `If-None-Match: *`, for servers that refuse any `If-Match` to what is not there.
    IfNoneMatch,
}

const NO_VERSION: &str = "W/\"0\"";

/// A transaction of the port, with documents as they are kept in the server.
#[derive(Debug)]
pub(super) struct Transaction {
    entries: Vec<Value>,
    /// For each entry of the port the first of its entries here.
    places: Vec<usize>,
}

impl Transaction {
    pub(super) fn read(mut bundle: Value) -> Result<Self, RepositoryError> {
        if text(&bundle, "/type") != "transaction" {
            return refuse("Bundle.type: a transaction is asked for");
        }
        let Some(Value::Array(mut values)) = bundle.get_mut("entry").map(Value::take) else {
            return refuse("Bundle.entry: at least one entry is needed");
        };
        let locations = locations(&values);
        let mut transaction = Self {
            entries: Vec::with_capacity(values.len()),
            places: Vec::with_capacity(values.len()),
        };
        for value in &mut values {
            transaction.add(value.take(), &locations);
        }
        Ok(transaction)
    }

    fn add(&mut self, mut entry: Value, locations: &HashMap<String, String>) {
        self.places.push(self.entries.len());
        let (method, url) = (
            text(&entry, "/request/method"),
            text(&entry, "/request/url"),
        );
        let bundle = url
            .trim_start_matches('/')
            .strip_prefix("Bundle/")
            .map(str::to_owned);
        match (method, bundle) {
            ("PUT", Some(id)) if text(&entry, "/resource/type") == "document" => {
                let resource = entry.get("resource").unwrap_or(&Value::Null);
                let binary = document::binary(&id, resource);
                entry["request"]["url"] = json!(format!("Binary/{id}"));
                entry["resource"] = binary;
            }
            ("DELETE", Some(id)) => {
                // Whichever of both it is: deleting what is not there succeeds.
                let mut binary = entry.clone();
                binary["request"]["url"] = json!(format!("Binary/{id}"));
                self.entries.push(binary);
            }
            _ => resolve(&mut entry, locations),
        }
        if let Some(object) = entry.as_object_mut() {
            // With a fullUrl, servers look for it in other entries and rewrite what they find.
            let is_post = object
                .get("request")
                .is_some_and(|request| text(request, "/method") == "POST");
            if !is_post {
                object.remove("fullUrl");
            }
        }
        self.entries.push(entry);
    }

    /// The Bundle to be sent.
    pub(super) fn bundle(&self, creation: Creation) -> Value {
        let entries = self.entries.iter().map(|entry| {
            let mut entry = entry.clone();
            if creation == Creation::IfMatch
                && let Some(request) = entry.get_mut("request").and_then(Value::as_object_mut)
                && request.get("ifNoneMatch") == Some(&json!("*"))
            {
                request.remove("ifNoneMatch");
                request.insert("ifMatch".to_owned(), json!(NO_VERSION));
            }
            entry
        });
        let mut bundle = json!({"resourceType": "Bundle", "type": "transaction"});
        bundle["entry"] = entries.collect();
        bundle
    }

    /// The answer to the port's transaction: an entry for each of its entries.
    pub(super) fn response(&self, mut response: Value) -> Value {
        if self.places.len() < self.entries.len()
            && let Some(entries) = response.get_mut("entry").and_then(Value::as_array_mut)
        {
            *entries = self
                .places
                .iter()
                .filter_map(|place| entries.get(*place).cloned())
                .collect();
        }
        response
    }
}

/// Where the entries with an id of their own will be.
fn locations(entries: &[Value]) -> HashMap<String, String> {
    entries
        .iter()
        .filter(|entry| text(entry, "/request/method") == "PUT")
        .filter_map(|entry| {
            let full_url = entry.get("fullUrl")?.as_str()?;
            let url = text(entry, "/request/url").trim_start_matches('/');
            Some((full_url.to_owned(), url.to_owned()))
        })
        .collect()
}

/// Replaces references to a `fullUrl` by ones to where that entry will be, and references to
/// documents by what they are in the server.
fn resolve(entry: &mut Value, locations: &HashMap<String, String>) {
    if let Some(resource) = entry.get_mut("resource") {
        if text(resource, "/resourceType") != "Bundle" {
            replace(resource, locations);
        }
        document::hand_over(resource);
    }
}

fn replace(value: &mut Value, locations: &HashMap<String, String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                match value {
                    Value::String(text) if matches!(name.as_str(), "reference" | "url") => {
                        if let Some(location) = locations.get(text.as_str()) {
                            text.clone_from(location);
                        }
                    }
                    _ => replace(value, locations),
                }
            }
        }
        Value::Array(values) => {
            for value in values {
                replace(value, locations);
            }
        }
        _ => {}
    }
}

/// Whether executing it twice leaves what executing it once does, or ends in a conflict.
pub(super) fn is_safe_to_repeat(bundle: &Value) -> bool {
    entries(bundle).all(|entry| {
        text(entry, "/request/method") != "POST" || entry.pointer("/request/ifNoneExist").is_some()
    })
}

/// Whether an entry says which version it replaces.
pub(super) fn has_conditions(bundle: &Value) -> bool {
    entries(bundle).any(is_conditional)
}

fn is_conditional(entry: &Value) -> bool {
    ["/request/ifMatch", "/request/ifNoneMatch"]
        .iter()
        .any(|pointer| entry.pointer(pointer).is_some())
}

/// Whether an entry must not be there yet.
pub(super) fn creates(bundle: &Value) -> bool {
    created(bundle).next().is_some()
}

/// Type and id of what must not be there yet.
pub(super) fn created(bundle: &Value) -> impl Iterator<Item = (&str, &str)> {
    entries(bundle)
        .filter(|entry| is_creation(entry))
        .filter_map(|entry| text(entry, "/request/url").split_once('/'))
}

fn is_creation(entry: &Value) -> bool {
    text(entry, "/request/ifMatch") == NO_VERSION || text(entry, "/request/ifNoneMatch") == "*"
}

/// The conflict that the server reports: it does not always say about which resource.
pub(super) fn conflict(bundle: &Value) -> RepositoryError {
    let conditional = entries(bundle)
        .find(|entry| is_conditional(entry))
        .map_or("", |entry| text(entry, "/request/url"));
    RepositoryError::VersionConflict {
        resource: conditional.to_owned(),
    }
}

/// Checks that the server says of every entry that it was executed.
pub(super) fn check_response(bundle: &Value, response: Value) -> Result<Value, RepositoryError> {
    let unreadable = |text: &str| {
        Err(RepositoryError::Unreadable(format!(
            "the answer to a transaction {text}; what became of it is not known, and is looked up \
             when the request is repeated"
        )))
    };
    if text(&response, "/type") != "transaction-response" {
        return unreadable("is another kind of Bundle");
    }
    if entries(&response).count() != entries(bundle).count() {
        return unreadable("has not an entry for each of it");
    }
    for (sent, answered) in entries(bundle).zip(entries(&response)) {
        let status = text(answered, "/response/status");
        if !status.starts_with('2') {
            return unreadable("says that an entry of it failed");
        }
        if is_creation(sent) && !status.starts_with("201") {
            return Err(RepositoryError::Refused(format!(
                "it overwrote {} although that was to be created only: it honours neither If-Match \
                 nor If-None-Match, which is not safe",
                text(sent, "/request/url")
            )));
        }
    }
    Ok(response)
}

fn refuse<T>(reason: &str) -> Result<T, RepositoryError> {
    Err(RepositoryError::Refused(reason.to_owned()))
}
