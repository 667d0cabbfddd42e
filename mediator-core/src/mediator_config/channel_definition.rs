use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::lenient;
use super::mistake::{Mistake, Place};
use super::route::Route;
use super::validation::check_channel;

/// A channel as a mediator proposes it: which requests core takes, from whom, and where it sends
/// them.
///
/// ```
/// use mediator_core::mediator_config::{ChannelDefinition, Method, Route};
///
/// let channel = ChannelDefinition::http("Patients", "^/patients/.*$", [Method::Get])
///     .allow("hospital")
///     .route(Route::http("Registry", "registry.example", 8080).primary());
/// let every_night = ChannelDefinition::polling("Clean up", "0 3 * * *")
///     .route(Route::http("Mediator", "mediator.example", 4321).path("/jobs/clean-up").primary());
/// ```
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ChannelDefinition {
    /// Unique in core.
    pub name: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// A JavaScript regular expression that the requests' path matches.
    pub url_pattern: String,
    /// Where requests come from; core takes `http` when there is none.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<ChannelType>,
    /// Methods of an `http` channel. Without any, core never matches it; other channels have none.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub methods: Vec<Method>,
    /// Where requests go; exactly one enabled route is primary.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub routes: Vec<Route>,
    /// Roles, or client ids, that may use a `private` channel.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub allow: Vec<String>,
    /// Addresses that may use a `public` channel; everyone, when there are none.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub whitelist: Vec<String>,
    /// Whether clients must authenticate; core takes `private` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_type: Option<ChannelAuthentication>,
    /// Content types that it takes; every one, when there are none.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub match_content_types: Vec<String>,
    /// A JavaScript regular expression that bodies match.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_content_regex: Option<String>,
    /// An XPath whose value in the body is `match_content_value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_content_xpath: Option<String>,
    /// A dotted path whose value in the body is `match_content_value`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_content_json: Option<String>,
    /// See `match_content_xpath` and `match_content_json`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub match_content_value: Option<String>,
    /// When a `polling` channel runs; see [`PollingSchedule`](super::PollingSchedule).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub polling_schedule: Option<String>,
    /// The port where a `tcp` or `tls` channel listens.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::port"
    )]
    pub tcp_port: Option<u16>,
    /// The address where a `tcp` or `tls` channel listens; every one when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tcp_host: Option<String>,
    /// How long core waits for its routes, in milliseconds, up to an hour.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::whole"
    )]
    pub timeout: Option<u32>,
    /// From 1, the first to be matched.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::whole"
    )]
    pub priority: Option<u32>,
    /// Whether core keeps requests' bodies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<bool>,
    /// Whether core keeps responses' bodies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<bool>,
    /// After how many days core deletes bodies.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::whole"
    )]
    pub max_body_age_days: Option<u32>,
    /// Whether clients are answered with 202 before the work is done (8.x).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_asynchronous_process: Option<bool>,
    /// Whether core repeats failed requests by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auto_retry_enabled: Option<bool>,
    /// How many minutes lie between two attempts, from 1.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::whole"
    )]
    pub auto_retry_period_minutes: Option<u32>,
    /// How often it tries again; 0, and core's default, is without limit.
    #[serde(
        skip_serializing_if = "Option::is_none",
        deserialize_with = "lenient::whole"
    )]
    pub auto_retry_max_attempts: Option<u32>,
    /// Groups that may see its transactions.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub tx_view_acl: Vec<String>,
    /// Groups that may see its transactions with bodies.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub tx_view_full_acl: Vec<String>,
    /// Groups that may rerun its transactions.
    #[serde(
        skip_serializing_if = "Vec::is_empty",
        deserialize_with = "lenient::list"
    )]
    pub tx_rerun_acl: Vec<String>,
    /// Whether core uses it; core takes `enabled` when there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<ChannelStatus>,
    /// Everything else in the document (`alerts`, `rewriteUrlsConfig`, …), as it was.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

impl ChannelDefinition {
    /// A channel for HTTP requests.
    #[must_use]
    pub fn http(
        name: impl Into<String>,
        url_pattern: impl Into<String>,
        methods: impl IntoIterator<Item = Method>,
    ) -> Self {
        Self {
            name: name.into(),
            url_pattern: url_pattern.into(),
            kind: Some(ChannelType::Http),
            methods: methods.into_iter().collect(),
            ..Self::default()
        }
    }

    /// A channel by which core calls its routes on a schedule, such as `10 seconds` or
    /// `0 3 * * *`.
    #[must_use]
    pub fn polling(name: impl Into<String>, schedule: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            // Core requires a pattern and matches none; its console writes this one.
            url_pattern: "_polling".to_owned(),
            kind: Some(ChannelType::Polling),
            polling_schedule: Some(schedule.into()),
            ..Self::default()
        }
    }

    /// Adds a route.
    #[must_use]
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Lets a role or a client use it.
    #[must_use]
    pub fn allow(mut self, role: impl Into<String>) -> Self {
        self.allow.push(role.into());
        self
    }

    /// Lets everyone use it.
    #[must_use]
    pub fn public(self) -> Self {
        Self {
            auth_type: Some(ChannelAuthentication::Public),
            ..self
        }
    }

    /// Says what it is for.
    #[must_use]
    pub fn description(self, description: impl Into<String>) -> Self {
        Self {
            description: Some(description.into()),
            ..self
        }
    }

    /// Reads one that stands alone, held to the same rules as one in a mediator's document.
    ///
    /// # Errors
    /// Every mistake, as [`check`](Self::check) finds them.
    ///
    /// ```
    /// use mediator_core::mediator_config::ChannelDefinition;
    ///
    /// let channel = serde_json::json!({"name": 5, "urlPattern": "^/$", "methods": "GET"});
    /// let mistakes = ChannelDefinition::from_value(channel).unwrap_err();
    /// let places: Vec<_> = mistakes.iter().map(|mistake| mistake.place().to_string()).collect();
    /// assert_eq!(places, ["name", "methods", "routes"]);
    /// ```
    pub fn from_value(channel: Value) -> Result<Self, Vec<Mistake>> {
        check_channel(&channel)?;
        serde_json::from_value(channel).map_err(|error| vec![unreadable(&error)])
    }

    /// Finds what core would refuse, and what it would take and never use, as for a channel in a
    /// mediator's document.
    ///
    /// # Errors
    /// Every mistake, with places such as `routes[0].port`.
    ///
    /// ```
    /// use mediator_core::mediator_config::ChannelDefinition;
    ///
    /// let mistakes = ChannelDefinition::http("Patients", "^/patients$", []).check().unwrap_err();
    /// assert_eq!(mistakes[0].place().to_string(), "methods");
    /// ```
    pub fn check(&self) -> Result<(), Vec<Mistake>> {
        match serde_json::to_value(self) {
            Ok(channel) => check_channel(&channel),
            Err(error) => Err(vec![unreadable(&error)]),
        }
    }

    /// Where requests come from, with core's default.
    #[must_use]
    pub fn channel_type(&self) -> ChannelType {
        self.kind.unwrap_or(ChannelType::Http)
    }
}

/// For what validation did not see; nothing is known to come here.
fn unreadable(error: &serde_json::Error) -> Mistake {
    Mistake::new(Place::Element(String::new()), error.to_string())
}

/// Where a channel's requests come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelType {
    /// HTTP or HTTPS.
    Http,
    /// TCP connections to a port of its own.
    Tcp,
    /// The same with TLS.
    Tls,
    /// A schedule.
    Polling,
}

impl ChannelType {
    pub(super) const NAMES: [&str; 4] = ["http", "tcp", "tls", "polling"];
}

/// Whether a channel's clients must authenticate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelAuthentication {
    /// They must, and be allowed.
    Private,
    /// They need not.
    Public,
}

impl ChannelAuthentication {
    pub(super) const NAMES: [&str; 2] = ["private", "public"];
}

/// Whether core uses a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelStatus {
    /// It does.
    Enabled,
    /// It does not.
    Disabled,
    /// It is kept because there are transactions of it.
    Deleted,
}

impl ChannelStatus {
    pub(super) const NAMES: [&str; 3] = ["enabled", "disabled", "deleted"];
}

/// A method that an `http` channel takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[expect(missing_docs, reason = "RFC 9110, section 9, and RFC 5789")]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Delete,
    Connect,
    Options,
    Trace,
    Patch,
}

impl Method {
    pub(super) const NAMES: [&str; 9] = [
        "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH",
    ];
}
