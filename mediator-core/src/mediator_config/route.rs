use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;
use super::secret::Secret;

/// Where a mediator can be reached. Core has one definition for this and for a channel's
/// [`Route`].
pub type Endpoint = Route;

/// One target of a channel's requests, or an [`Endpoint`] of a mediator.
///
/// ```
/// use mediator_core::mediator_config::Route;
///
/// let route = Route::http("Registry", "registry.example", 8080)
///     .path("/patients")
///     .primary();
/// assert_eq!(
///     serde_json::to_value(&route).unwrap(),
///     serde_json::json!({
///         "name": "Registry", "type": "http", "host": "registry.example", "port": 8080,
///         "path": "/patients", "primary": true,
///     })
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Route {
    /// What transactions call it; unique in a channel.
    pub name: String,
    /// The protocol; core takes `http` when there is none.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<RouteType>,
    /// Host name or address, as core reaches it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// TCP port. In documents also a string of digits, as core takes it.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::port"
    )]
    pub port: Option<u16>,
    /// The path that replaces the request's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// A substitution in the request's path, `s/from/to` or `s/from/to/g`; not together with
    /// `path`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_transform: Option<String>,
    /// Whether this route's answer is the client's; exactly one enabled route of a channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub primary: Option<bool>,
    /// Whether requests to it are made with TLS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secured: Option<bool>,
    /// Name for basic authentication at the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Password for basic authentication at the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Whether the client's `Authorization` header reaches the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forward_auth_header: Option<bool>,
    /// Core sends nothing to a disabled route.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<RouteStatus>,
    /// Whether this route is called only when the primary one has answered (8.x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_primary_response: Option<bool>,
    /// For which statuses of the primary route it is then called, such as `2*,404` (8.x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_codes_check: Option<String>,
    /// Client id of a `kafka` route (8.x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_client_id: Option<String>,
    /// Topic of a `kafka` route (8.x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kafka_topic: Option<String>,
    /// Everything else in the document, as it was.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl Route {
    /// An HTTP route.
    #[must_use]
    pub fn http(name: impl Into<String>, host: impl Into<String>, port: u16) -> Self {
        Self {
            name: name.into(),
            kind: Some(RouteType::Http),
            host: Some(host.into()),
            port: Some(port),
            ..Self::default()
        }
    }

    /// Replaces the request's path.
    #[must_use]
    pub fn path(self, path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..self
        }
    }

    /// Makes its answer the client's.
    #[must_use]
    pub fn primary(self) -> Self {
        Self {
            primary: Some(true),
            ..self
        }
    }

    /// Makes requests to it with TLS.
    #[must_use]
    pub fn secured(self) -> Self {
        Self {
            secured: Some(true),
            ..self
        }
    }
}

/// The protocol of a [`Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteType {
    /// HTTP, or HTTPS when it is secured.
    Http,
    /// Raw TCP; core 4.x only.
    Tcp,
    /// HL7's minimal lower layer protocol; core 4.x only.
    Mllp,
    /// An Apache Kafka topic; core 8.x only.
    Kafka,
}

impl RouteType {
    pub(super) const NAMES: [&str; 4] = ["http", "tcp", "mllp", "kafka"];
}

/// Whether core uses a [`Route`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RouteStatus {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
}

impl RouteStatus {
    pub(super) const NAMES: [&str; 2] = ["enabled", "disabled"];
}
