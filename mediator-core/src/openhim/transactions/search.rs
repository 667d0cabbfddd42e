use chrono::{DateTime, SecondsFormat, Utc};
use http::StatusCode;
use serde_json::{Map, Value, json};

use crate::envelope::{Properties, TransactionStatus};

/// Which transactions to look for, and how much of each. Filters must all match.
///
/// ```
/// use mediator_core::envelope::TransactionStatus;
/// use mediator_core::openhim::{Representation, TransactionSearch};
///
/// let search = TransactionSearch::new()
///     .status(TransactionStatus::Failed)
///     .since("2026-11-24T00:00:00Z".parse().unwrap())
///     .representation(Representation::Full)
///     .page(0, 50);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct TransactionSearch {
    filters: Map<String, Value>,
    since: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    representation: Representation,
    page: u32,
    page_length: u32,
}

/// How much of a transaction core tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Representation {
    /// What a list shows: no bodies, no headers, no orchestrations, no routes.
    #[default]
    Summary,
    /// Everything but bodies.
    WithoutBodies,
    /// Everything.
    Full,
}

impl Representation {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Summary => "",
            Self::WithoutBodies => "simpledetails",
            Self::Full => "full",
        }
    }
}

impl Default for TransactionSearch {
    fn default() -> Self {
        Self {
            filters: Map::new(),
            since: None,
            until: None,
            representation: Representation::default(),
            page: 0,
            page_length: 20,
        }
    }
}

impl TransactionSearch {
    /// The newest twenty, in summary.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With this status.
    #[must_use]
    pub fn status(self, status: TransactionStatus) -> Self {
        self.filter("status", status.as_str())
    }

    /// Of the channel with this id.
    #[must_use]
    pub fn channel(self, id: impl Into<String>) -> Self {
        self.filter("channelID", id.into())
    }

    /// Of the client with this id; core's id, and not what the client calls itself.
    #[must_use]
    pub fn client(self, id: impl Into<String>) -> Self {
        self.filter("clientID", id.into())
    }

    /// Whose request's path matches this JavaScript regular expression, whatever its case.
    #[must_use]
    pub fn path(self, pattern: impl Into<String>) -> Self {
        self.filter("request.path", pattern.into())
    }

    /// Whose client was answered with this status.
    #[must_use]
    pub fn response_status(self, status: StatusCode) -> Self {
        self.filter("response.status", status.as_u16())
    }

    /// Whose client was answered with a status of this class, such as 5 for 500 to 599.
    #[must_use]
    pub fn response_status_class(self, class: u8) -> Self {
        self.filter("response.status", format!("{class}xx"))
    }

    /// With this property, whatever its value. There can be one property in a search.
    #[must_use]
    pub fn has_property(self, name: impl AsRef<str>) -> Self {
        self.property_filter(name.as_ref(), Value::Null)
    }

    /// With this property of this value. There can be one property in a search.
    #[must_use]
    pub fn property(self, name: impl AsRef<str>, value: impl Into<String>) -> Self {
        self.property_filter(name.as_ref(), value.into().into())
    }

    /// Requested at this time or later.
    #[must_use]
    pub fn since(mut self, time: DateTime<Utc>) -> Self {
        self.since = Some(time);
        self
    }

    /// Requested at this time or earlier. Set it when reading page after page: new transactions
    /// come first, and push others to the next page.
    #[must_use]
    pub fn until(mut self, time: DateTime<Utc>) -> Self {
        self.until = Some(time);
        self
    }

    /// By any field of core's, such as `wasRerun`.
    #[must_use]
    pub fn filter(mut self, field: impl Into<String>, value: impl Into<Value>) -> Self {
        self.filters.insert(field.into(), value.into());
        self
    }

    /// Sets how much is told of each.
    #[must_use]
    pub fn representation(mut self, representation: Representation) -> Self {
        self.representation = representation;
        self
    }

    /// Page number, from 0, and how many are on a page, at least one: core takes 0 for all that
    /// it has.
    #[must_use]
    pub fn page(mut self, page: u32, length: u32) -> Self {
        self.page = page;
        self.page_length = length.max(1);
        self
    }

    fn property_filter(self, name: &str, value: Value) -> Self {
        // As core stores names.
        let mut stored = Properties::default();
        stored.insert(name, "");
        let name = stored
            .iter()
            .next()
            .map_or(name, |(name, _)| name)
            .to_owned();
        self.filter("properties", Map::from_iter([(name, value)]))
    }

    pub(super) fn parameters(&self) -> Vec<(&'static str, String)> {
        let mut filters = self.filters.clone();
        let time = |time: DateTime<Utc>| time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let range: Map<String, Value> = [("$gte", self.since), ("$lte", self.until)]
            .into_iter()
            .filter_map(|(operator, bound)| Some((operator.to_owned(), json!(time(bound?)))))
            .collect();
        if !range.is_empty() {
            // Core parses this once more.
            let range = Value::Object(range).to_string();
            filters.insert("request.timestamp".to_owned(), range.into());
        }
        let mut parameters = vec![
            ("filterLimit", self.page_length.to_string()),
            ("filterPage", self.page.to_string()),
        ];
        if self.representation != Representation::Summary {
            let name = self.representation.name().to_owned();
            parameters.push(("filterRepresentation", name));
        }
        if !filters.is_empty() {
            parameters.push(("filters", Value::Object(filters).to_string()));
        }
        parameters
    }
}
