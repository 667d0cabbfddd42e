use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::envelope::TransactionStatus;

/// A transaction as core has it. Anything may be missing: core stores what any mediator sends.
///
/// Paths, headers, bodies and values of properties name patients, so `Debug` leaves them out.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StoredTransaction {
    /// What `X-OpenHIM-TransactionID` was.
    #[serde(rename = "_id")]
    pub id: String,
    /// As it is; see [`known_status`](Self::known_status).
    #[serde(default)]
    pub status: Option<String>,
    /// Core's id of the client.
    #[serde(rename = "clientID", default)]
    pub client_id: Option<String>,
    /// The client's address.
    #[serde(rename = "clientIP", default)]
    pub client_ip: Option<String>,
    /// The channel.
    #[serde(rename = "channelID", default)]
    pub channel_id: Option<String>,
    /// The transaction that this one repeats.
    #[serde(rename = "parentID", default)]
    pub parent_id: Option<String>,
    /// Transactions that repeat this one.
    #[serde(rename = "childIDs", default, deserialize_with = "nothing_is_default")]
    pub child_ids: Vec<String>,
    /// What the client asked.
    #[serde(default)]
    pub request: Option<StoredRequest>,
    /// What the client was answered.
    #[serde(default)]
    pub response: Option<StoredResponse>,
    /// The routes that are not primary.
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub routes: Vec<StoredRoute>,
    /// The calls that mediators, and core itself, made for it.
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub orchestrations: Vec<StoredOrchestration>,
    /// What mediators show beside it.
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub properties: Map<String, Value>,
    /// Whether it can be repeated.
    #[serde(default)]
    pub can_rerun: Option<bool>,
    /// Whether core repeats it by itself.
    #[serde(default)]
    pub auto_retry: Option<bool>,
    /// How often core has done so.
    #[serde(default)]
    pub auto_retry_attempt: Option<u32>,
    /// Whether it was repeated.
    #[serde(default)]
    pub was_rerun: Option<bool>,
    /// What went wrong on the primary route.
    #[serde(default)]
    pub error: Option<StoredError>,
}

impl StoredTransaction {
    /// The status, unless a mediator has set one that OpenHIM does not know.
    #[must_use]
    pub fn known_status(&self) -> Option<TransactionStatus> {
        serde_json::from_value(Value::String(self.status.clone()?)).ok()
    }
}

/// A request in a transaction.
#[derive(Clone, PartialEq, Default, Deserialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct StoredRequest {
    #[serde(default, deserialize_with = "text")]
    pub host: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub port: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub path: Option<String>,
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub headers: Map<String, Value>,
    #[serde(default, deserialize_with = "text")]
    pub querystring: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub body: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub method: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub timestamp: Option<DateTime<Utc>>,
}

/// A response in a transaction.
#[derive(Clone, PartialEq, Default, Deserialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct StoredResponse {
    #[serde(default, deserialize_with = "status")]
    pub status: Option<u16>,
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub headers: Map<String, Value>,
    #[serde(default, deserialize_with = "text")]
    pub body: Option<String>,
    #[serde(default, deserialize_with = "time")]
    pub timestamp: Option<DateTime<Utc>>,
}

/// One call that was made for a transaction.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct StoredOrchestration {
    #[serde(default, deserialize_with = "text")]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub group: Option<String>,
    pub request: Option<StoredRequest>,
    pub response: Option<StoredResponse>,
    pub error: Option<StoredError>,
}

/// A route that is not primary.
#[derive(Clone, PartialEq, Deserialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct StoredRoute {
    #[serde(default, deserialize_with = "text")]
    pub name: Option<String>,
    pub request: Option<StoredRequest>,
    pub response: Option<StoredResponse>,
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub orchestrations: Vec<StoredOrchestration>,
    #[serde(default, deserialize_with = "nothing_is_default")]
    pub properties: Map<String, Value>,
    pub error: Option<StoredError>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[expect(missing_docs, reason = "they are what they are called")]
pub struct StoredError {
    #[serde(default, deserialize_with = "text")]
    pub message: Option<String>,
    #[serde(default, deserialize_with = "text")]
    pub stack: Option<String>,
}

fn nothing_is_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Some of what is text in core's schema is stored as a number, such as the port of core's own calls.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        number @ Value::Number(_) => Some(number.to_string()),
        _ => None,
    })
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<DateTime<Utc>>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

/// Any number is stored.
fn status<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_u64().and_then(|status| u16::try_from(status).ok()))
}

impl fmt::Debug for StoredTransaction {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredTransaction")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("channel_id", &self.channel_id)
            .field("request", &self.request)
            .field("response", &self.response)
            .field("routes", &self.routes)
            .field("orchestrations", &self.orchestrations)
            .field("properties", &self.properties.keys().collect::<Vec<_>>())
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredRequest")
            .field("method", &self.method)
            .field("host", &self.host)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredResponse")
            .field("status", &self.status)
            .field("timestamp", &self.timestamp)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for StoredRoute {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("StoredRoute")
            .field("name", &self.name)
            .field("request", &self.request)
            .field("response", &self.response)
            .field("orchestrations", &self.orchestrations)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    /// A mediator has set a status that is none, a status of HTTP that is none, nulls.
    #[test]
    fn odd_transactions_can_be_read_and_do_not_show_persons() {
        let transaction: StoredTransaction = serde_json::from_str(
            r#"{
                "_id": "5f0000000000000000000001", "status": "Almost", "routes": null,
                "request": {"path": "/Patient/Ada", "body": "Ada", "port": 5001},
                "response": {"status": 99999, "headers": {"set-cookie": ["Ada"]}, "body": "Ada"},
                "orchestrations": [{"name": null, "request": {"querystring": "name=Ada", "timestamp": "now"}}],
                "properties": {"patient": "Ada"}
            }"#,
        )
        .unwrap();
        assert_eq!(transaction.known_status(), None);
        assert_eq!(transaction.response.as_ref().unwrap().status, None);
        let port = transaction
            .request
            .as_ref()
            .and_then(|request| request.port.as_deref());
        assert_eq!(port, Some("5001"));
        assert_eq!(transaction.orchestrations.len(), 1);
        assert!(!format!("{transaction:?}").contains("Ada"));
    }

    #[test]
    fn every_status_is_known() {
        let transaction: StoredTransaction =
            serde_json::from_str(r#"{"_id": "1", "status": "Completed with error(s)"}"#).unwrap();
        assert_eq!(
            transaction.known_status(),
            Some(TransactionStatus::CompletedWithErrors)
        );
    }
}
