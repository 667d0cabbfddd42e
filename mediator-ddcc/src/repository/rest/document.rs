//! A document in the server: a `Binary` with its exact bytes.
//!
//! HAPI FHIR, for one, takes the ids out of a document's resources when it parses it, and in a
//! transaction replaces every `fullUrl` that is one of the transaction's, too.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::RepositoryError;
use super::{FHIR_JSON, RestRepository, answer};
use crate::strict_json;

/// `Identifier.system` of values that are URIs themselves.
const URI: &str = "urn:ietf:rfc:3986";

/// The Binary that a document is kept as.
pub(super) fn binary(id: &str, document: &Value) -> Value {
    json!({
        "resourceType": "Binary",
        "id": id,
        "contentType": FHIR_JSON,
        "data": STANDARD.encode(document.to_string()),
    })
}

/// Makes what refers to a document refer to where the server keeps it: the `url` of an attachment
/// to the Binary. A reference becomes a logical one, since servers refuse to delete a resource that
/// others refer to literally, and an audit trail outlives what it is about.
pub(super) fn hand_over(value: &mut Value) {
    match value {
        Value::Object(object) => {
            if object.get("contentType") == Some(&json!(FHIR_JSON))
                && let Some(Value::String(url)) = object.get_mut("url")
                && let Some(id) = id_behind(url, "Bundle/")
            {
                *url = format!("Binary/{id}");
            }
            let document = object
                .get("reference")
                .and_then(Value::as_str)
                .and_then(|reference| id_behind(reference, "Bundle/"))
                .map(|id| format!("urn:uuid:{id}"));
            if let Some(urn) = document {
                object.remove("reference");
                object.insert("type".to_owned(), json!("Bundle"));
                object.insert(
                    "identifier".to_owned(),
                    json!({"system": URI, "value": urn}),
                );
            }
            object.values_mut().for_each(hand_over);
        }
        Value::Array(values) => values.iter_mut().for_each(hand_over),
        _ => {}
    }
}

/// Turns back what [`hand_over`] does to attachments, and makes references to resources of the
/// server with this base URL relative.
pub(super) fn adopt(value: &mut Value, base: &str) {
    match value {
        Value::Object(object) => {
            for name in ["reference", "url"] {
                if let Some(Value::String(text)) = object.get_mut(name)
                    && let Some(relative) = text.strip_prefix(base)
                {
                    *text = relative.to_owned();
                }
            }
            if object.get("contentType") == Some(&json!(FHIR_JSON))
                && let Some(Value::String(url)) = object.get_mut("url")
                && let Some(id) = id_behind(url, "Binary/")
            {
                *url = format!("Bundle/{id}");
            }
            for value in object.values_mut() {
                adopt(value, base);
            }
        }
        Value::Array(values) => {
            for value in values {
                adopt(value, base);
            }
        }
        _ => {}
    }
}

/// The id in `prefix` + id.
fn id_behind<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix).filter(|id| super::is_id(id))
}

impl RestRepository {
    /// The document that is kept as this Binary.
    pub(super) async fn read_document(&self, id: &str) -> Result<Option<Value>, RepositoryError> {
        let call = self.get("Read the document", &format!("Binary/{id}"));
        let answer = call.send().await?;
        if answer::is_absent(&answer) {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer::failure(&answer, &[]));
        }
        let unreadable = || {
            RepositoryError::Unreadable(format!("Binary/{id} is not a document that is kept there"))
        };
        // FHIR lets servers answer with the Binary, or with what is in it.
        let content = strict_json::parse(&answer.body).map_err(|_| unreadable())?;
        match content.get("resourceType").and_then(Value::as_str) {
            Some("Bundle") => return Ok(Some(content)),
            Some("Binary") => {}
            _ => return Err(unreadable()),
        }
        let data = content.get("data").and_then(Value::as_str);
        let data = data.and_then(|data| STANDARD.decode(data).ok());
        let document = data.and_then(|data| strict_json::parse(&data).ok());
        document
            .filter(|document| document.get("resourceType") == Some(&json!("Bundle")))
            .map(Some)
            .ok_or_else(unreadable)
    }

    /// What the server makes of a Composition (`Composition/[id]/$document`), not kept there.
    pub(super) async fn generate_document(
        &self,
        composition_id: &str,
    ) -> Result<Option<Value>, RepositoryError> {
        let path = format!("Composition/{composition_id}/$document");
        let call = self.get("Generate the document", &path);
        let answer = call.query(&[("persist", "false")]).send().await?;
        if answer::is_absent(&answer) {
            return Ok(None);
        }
        if !answer.status.is_success() {
            return Err(answer::failure(&answer, &[]));
        }
        let document = answer::resource(&answer, "Bundle")?;
        // HAPI FHIR makes a document without entries of a Composition that there is not.
        let first = document.pointer("/entry/0/resource/resourceType");
        Ok((first == Some(&json!("Composition"))).then_some(document))
    }
}
