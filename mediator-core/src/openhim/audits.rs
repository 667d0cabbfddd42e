use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};

use super::transactions::check_id;
use super::{Call, OpenHim, OpenHimError};

/// An ATNA audit record that core has received, or made of its own (IHE ITI TF-2, ITI-20; RFC
/// 3881).
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct Audit {
    /// Core's identifier.
    #[serde(rename = "_id")]
    pub id: String,
    /// What happened.
    #[serde(rename = "eventIdentification")]
    pub event: AuditEvent,
    /// Who reported it.
    #[serde(rename = "auditSourceIdentification", default)]
    pub source: AuditSource,
    /// Who took part; only with [`AuditSearch::details`].
    #[serde(rename = "activeParticipant", default, deserialize_with = "list")]
    pub participants: Vec<AuditParticipant>,
    /// What it was about; only with [`AuditSearch::details`].
    #[serde(
        rename = "participantObjectIdentification",
        default,
        deserialize_with = "list"
    )]
    pub objects: Vec<AuditObject>,
    /// What else core says of it (`syslog`, `rawMessage`, …).
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct AuditEvent {
    /// When.
    #[serde(rename = "eventDateTime")]
    pub time: DateTime<Utc>,
    /// How it went.
    #[serde(
        rename = "eventOutcomeIndicator",
        default,
        deserialize_with = "outcome"
    )]
    pub outcome: Option<AuditOutcome>,
    /// `C`reate, `R`ead, `U`pdate, `D`elete or `E`xecute.
    #[serde(rename = "eventActionCode", default)]
    pub action: Option<String>,
    /// Which kind of event.
    #[serde(rename = "eventID", default)]
    pub id: Option<AuditCode>,
    /// Which event of that kind.
    #[serde(rename = "eventTypeCode", default)]
    pub event_type: Option<AuditCode>,
}

/// How an audited event went (RFC 3881, section 5.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuditOutcome {
    /// `0`.
    Success,
    /// `4`: it was started again.
    MinorFailure,
    /// `8`: it was ended.
    SeriousFailure,
    /// `12`: the system is not available.
    MajorFailure,
}

impl AuditOutcome {
    const ALL: [Self; 4] = [
        Self::Success,
        Self::MinorFailure,
        Self::SeriousFailure,
        Self::MajorFailure,
    ];

    /// The code of RFC 3881.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Success => "0",
            Self::MinorFailure => "4",
            Self::SeriousFailure => "8",
            Self::MajorFailure => "12",
        }
    }
}

/// A code of a code system.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct AuditCode {
    /// The code.
    pub code: Option<String>,
    /// What it means.
    pub display_name: Option<String>,
    /// The code system's name.
    pub code_system_name: Option<String>,
}

/// Who reported an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AuditSource {
    /// The system.
    #[serde(rename = "auditSourceID")]
    pub id: Option<String>,
    /// Its site.
    #[serde(rename = "auditEnterpriseSiteID")]
    pub site: Option<String>,
}

/// Who took part in an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AuditParticipant {
    /// The user or the system.
    #[serde(rename = "userID")]
    pub user_id: Option<String>,
    /// Its other name.
    #[serde(rename = "alternativeUserID")]
    pub alternative_user_id: Option<String>,
    /// `true` when it asked for what happened.
    #[serde(rename = "userIsRequestor")]
    pub is_requestor: Option<String>,
    /// From where.
    #[serde(rename = "networkAccessPointID")]
    pub network_access_point: Option<String>,
    /// In which role.
    #[serde(rename = "roleIDCode")]
    pub role: Option<AuditCode>,
}

/// What an event was about.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct AuditObject {
    /// Its identifier.
    #[serde(rename = "participantObjectID")]
    pub id: Option<String>,
    /// Person, system, organization or other.
    #[serde(rename = "participantObjectTypeCode")]
    pub object_type: Option<String>,
    /// Patient, report, job, …
    #[serde(rename = "participantObjectTypeCodeRole")]
    pub role: Option<String>,
    /// Whose identifier it is.
    #[serde(rename = "participantObjectIDTypeCode")]
    pub id_type: Option<AuditCode>,
}

/// Which audit records; the newest 100 when nothing is said.
///
/// ```
/// use mediator_core::openhim::{AuditOutcome, AuditSearch};
///
/// let failures = AuditSearch::new()
///     .from("2026-01-01T00:00:00Z".parse().unwrap())
///     .outcome(AuditOutcome::SeriousFailure)
///     .limit(20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSearch {
    limit: u32,
    page: u32,
    details: bool,
    from: Option<DateTime<Utc>>,
    until: Option<DateTime<Utc>>,
    outcome: Option<AuditOutcome>,
    texts: Vec<(&'static str, String)>,
}

impl Default for AuditSearch {
    fn default() -> Self {
        Self::new()
    }
}

impl AuditSearch {
    /// The newest 100, without details.
    #[must_use]
    pub fn new() -> Self {
        Self {
            limit: 100,
            page: 0,
            details: false,
            from: None,
            until: None,
            outcome: None,
            texts: Vec::new(),
        }
    }

    /// How many at once, from 1.
    #[must_use]
    pub fn limit(self, limit: u32) -> Self {
        Self {
            // Core takes 0 for all.
            limit: limit.max(1),
            ..self
        }
    }

    /// Which page of them, from 0.
    #[must_use]
    pub fn page(self, page: u32) -> Self {
        Self { page, ..self }
    }

    /// With participants, objects and the message as it came. Core audits that somebody read them.
    #[must_use]
    pub fn details(self) -> Self {
        Self {
            details: true,
            ..self
        }
    }

    /// Not before.
    #[must_use]
    pub fn from(self, time: DateTime<Utc>) -> Self {
        Self {
            from: Some(time),
            ..self
        }
    }

    /// Not after.
    #[must_use]
    pub fn until(self, time: DateTime<Utc>) -> Self {
        Self {
            until: Some(time),
            ..self
        }
    }

    /// Those that went so.
    #[must_use]
    pub fn outcome(self, outcome: AuditOutcome) -> Self {
        Self {
            outcome: Some(outcome),
            ..self
        }
    }

    /// Those of a kind of event, by its code, such as `110114` for user authentication.
    #[must_use]
    pub fn event(self, code: impl Into<String>) -> Self {
        self.text("eventIdentification.eventID.code", code)
    }

    /// Those that this system reported.
    #[must_use]
    pub fn source(self, id: impl Into<String>) -> Self {
        self.text("auditSourceIdentification.auditSourceID", id)
    }

    /// Those in which this user or system took part.
    #[must_use]
    pub fn participant(self, user_id: impl Into<String>) -> Self {
        self.text("activeParticipant.userID", user_id)
    }

    fn text(mut self, element: &'static str, value: impl Into<String>) -> Self {
        self.texts.push((element, value.into()));
        self
    }

    /// What core takes for `filters`.
    fn filters(&self) -> Value {
        let mut filters = Map::new();
        let mut time = Map::new();
        for (operator, bound) in [("$gte", self.from), ("$lte", self.until)] {
            if let Some(bound) = bound {
                let bound = bound.to_rfc3339_opts(SecondsFormat::Millis, true);
                time.insert(operator.to_owned(), bound.into());
            }
        }
        if !time.is_empty() {
            // JSON in a string, which core parses once more.
            let time = Value::from(time).to_string();
            filters.insert("eventIdentification.eventDateTime".to_owned(), time.into());
        }
        if let Some(outcome) = self.outcome {
            filters.insert(
                "eventIdentification.eventOutcomeIndicator".to_owned(),
                outcome.code().into(),
            );
        }
        for (element, value) in &self.texts {
            filters.insert((*element).to_owned(), json!(value));
        }
        filters.into()
    }
}

/// Core's audit records; see [`OpenHim::audits`].
///
/// Needs the permission `audit-trail-view` (4.x: the group `admin`).
#[derive(Debug, Clone, Copy)]
pub struct Audits<'a>(&'a OpenHim);

impl OpenHim {
    /// Core's audit records.
    #[must_use]
    pub fn audits(&self) -> Audits<'_> {
        Audits(self)
    }
}

impl Audits<'_> {
    /// Records, the newest first.
    ///
    /// # Errors
    /// As any call.
    pub async fn search(&self, search: &AuditSearch) -> Result<Vec<Audit>, OpenHimError> {
        let representation = if search.details { "full" } else { "simple" };
        let call = Call::get("search audit records", &["audits"])
            .query("filterLimit", search.limit)
            .query("filterPage", search.page)
            .query("filterRepresentation", representation)
            .query("filters", search.filters());
        self.0.json(&call).await
    }

    /// The record with this identifier, with details. Core audits that somebody read it.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn read(&self, id: &str) -> Result<Audit, OpenHimError> {
        const OPERATION: &str = "read the audit record";
        check_id(OPERATION, id)?;
        let path = ["audits", id];
        self.0.json(&Call::get(OPERATION, &path)).await
    }
}

fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// A code that RFC 3881 does not have is none: whoever sent the record is not core.
fn outcome<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<AuditOutcome>, D::Error> {
    let code: Option<String> = Option::deserialize(deserializer)?;
    Ok(AuditOutcome::ALL
        .into_iter()
        .find(|outcome| Some(outcome.code()) == code.as_deref()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_written_as_core_reads_them() {
        let search = AuditSearch::new()
            .from("2026-01-01T00:00:00Z".parse().unwrap())
            .until("2026-01-02T00:00:00.5Z".parse().unwrap())
            .outcome(AuditOutcome::MajorFailure)
            .event("110114");
        let filters = search.filters();
        let time = filters["eventIdentification.eventDateTime"]
            .as_str()
            .unwrap();
        assert_eq!(
            serde_json::from_str::<Value>(time).unwrap(),
            json!({"$gte": "2026-01-01T00:00:00.000Z", "$lte": "2026-01-02T00:00:00.500Z"})
        );
        assert_eq!(filters["eventIdentification.eventOutcomeIndicator"], "12");
        assert_eq!(filters["eventIdentification.eventID.code"], "110114");
        assert_eq!(AuditSearch::new().filters(), json!({}));
    }

    #[test]
    fn a_record_with_the_least_is_read() {
        let audit: Audit = serde_json::from_value(json!({
            "_id": "1",
            "eventIdentification": {
                "eventDateTime": "2026-01-01T00:00:00.000Z", "eventOutcomeIndicator": "5"
            },
            "syslog": {"host": "h"},
        }))
        .unwrap();
        assert_eq!(audit.event.outcome, None);
        assert!(audit.participants.is_empty());
        assert_eq!(audit.other["syslog"]["host"], "h");
    }
}
