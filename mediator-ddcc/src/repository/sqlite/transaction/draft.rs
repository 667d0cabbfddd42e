//! Reading the entries of a transaction (FHIR R4 3.1.0.11.1), before the database is asked.

use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};
use uuid::Uuid;

use super::super::super::RepositoryError;
use super::super::reference::{self, is_type};

/// An entry before references are resolved.
pub(super) struct Draft {
    full_url: Option<String>,
    /// `None` when it is to be deleted.
    pub(super) resource: Option<Value>,
    pub(super) resource_type: String,
    pub(super) id: String,
    /// The version that must be there; 0 for none.
    pub(super) if_match: Option<i64>,
    /// Search parameters.
    pub(super) if_none_exist: Option<Vec<(String, String)>>,
}

/// Reads the entries, and resolves their references to each other and to other `locations`.
pub(super) fn drafts(
    values: Vec<Value>,
    mut locations: HashMap<String, String>,
) -> Result<Vec<Draft>, RepositoryError> {
    let mut seen = HashSet::new();
    let mut drafts = Vec::with_capacity(values.len());
    for (index, value) in values.into_iter().enumerate() {
        let draft = Draft::read(index, value)?;
        if !seen.insert((draft.resource_type.clone(), draft.id.clone())) {
            return refuse(format!(
                "Bundle.entry[{index}]: the same resource is in two entries"
            ));
        }
        if let Some(full_url) = &draft.full_url {
            locations.insert(
                full_url.clone(),
                format!("{}/{}", draft.resource_type, draft.id),
            );
        }
        drafts.push(draft);
    }
    for draft in &mut drafts {
        draft.resolve(&locations);
    }
    Ok(drafts)
}

impl Draft {
    fn read(index: usize, mut value: Value) -> Result<Self, RepositoryError> {
        let at =
            |element: &str, text: &str| refuse(format!("Bundle.entry[{index}].{element}: {text}"));
        let request = value.get("request").cloned().unwrap_or_default();
        let text = |name: &str| request.get(name).and_then(Value::as_str);
        let url = text("url").unwrap_or_default().trim_start_matches('/');
        let resource = value.get_mut("resource").map(Value::take);
        let in_resource = |name: &str| {
            resource
                .as_ref()
                .and_then(|resource| resource.get(name)?.as_str())
                .map(str::to_owned)
        };
        let (resource_type, id) = match (text("method"), url.split_once('/')) {
            (Some("PUT" | "DELETE"), Some((resource_type, id))) => (resource_type, id.to_owned()),
            (Some("PUT" | "DELETE"), None) => return at("request.url", "Type/id is asked for"),
            (Some("POST"), None) if !url.is_empty() => (url, Uuid::new_v4().to_string()),
            (Some("POST"), _) => return at("request.url", "a resource type is asked for"),
            _ => return at("request.method", "PUT, POST or DELETE is asked for"),
        };
        if !is_type(resource_type) || resource_type.len() > 64 || !is_id(&id) {
            return at("request.url", "this is no resource type or id");
        }
        match (text("method"), in_resource("resourceType")) {
            (Some("DELETE"), _) => {}
            (_, Some(found)) if found == resource_type => {}
            _ => {
                return at(
                    "resource",
                    "a resource of the type in request.url is asked for",
                );
            }
        }
        // A signed document keeps the id it was signed with, or none.
        if text("method") == Some("PUT")
            && in_resource("id").is_some_and(|found| found != id)
            && resource_type != "Bundle"
        {
            return at("resource.id", "the id is not the one in request.url");
        }
        let if_match = match (text("ifMatch"), text("ifNoneMatch")) {
            (None, Some("*")) => Some(0),
            (Some(etag), _) => match version_of(etag) {
                Some(version) => Some(version),
                None => return at("request.ifMatch", "W/\"version\" is asked for"),
            },
            (None, None) => None,
            (None, Some(_)) => return at("request.ifNoneMatch", "only * is supported"),
        };
        let if_none_exist = text("ifNoneExist").map(|query| {
            query
                .trim_start_matches('?')
                .split('&')
                .filter_map(|pair| pair.split_once('='))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect::<Vec<_>>()
        });
        if if_none_exist.as_ref().is_some_and(Vec::is_empty) {
            return at("request.ifNoneExist", "a search is asked for");
        }
        Ok(Self {
            full_url: value
                .get("fullUrl")
                .and_then(Value::as_str)
                .map(str::to_owned),
            resource: if text("method") == Some("DELETE") {
                None
            } else {
                resource
            },
            resource_type: resource_type.to_owned(),
            id,
            if_match,
            if_none_exist,
        })
    }

    fn resolve(&mut self, locations: &HashMap<String, String>) {
        let Some(resource) = &mut self.resource else {
            return;
        };
        reference::resolve(resource, locations);
        if let Some(object) = resource.as_object_mut()
            && self.resource_type != "Bundle"
        {
            object.insert("id".to_owned(), json!(self.id));
        }
    }

    pub(super) fn is_document(&self) -> bool {
        let is_document = |resource: &Value| resource.get("type") == Some(&json!("document"));
        self.resource_type == "Bundle" && self.resource.as_ref().is_some_and(is_document)
    }
}

fn version_of(etag: &str) -> Option<i64> {
    etag.strip_prefix("W/")?
        .strip_prefix('"')?
        .strip_suffix('"')?
        .parse()
        .ok()
        .filter(|version| *version > 0)
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " "))
        .decode_utf8_lossy()
        .into_owned()
}

/// FHIR `id`: 1 to 64 letters, digits, `-` and `.`.
fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.')
}

pub(super) fn refuse<T>(reason: impl Into<String>) -> Result<T, RepositoryError> {
    Err(RepositoryError::Refused(reason.into()))
}
