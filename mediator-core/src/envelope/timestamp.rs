use chrono::{DateTime, Datelike as _, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A time in whole milliseconds, years 0 to 9999: what core's dates can hold. Written in RFC 3339,
/// UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(DateTime<Utc>);

impl Timestamp {
    /// The time now.
    #[must_use]
    pub fn now() -> Self {
        Self::from(Utc::now())
    }

    /// As a time of chrono.
    #[must_use]
    pub fn time(self) -> DateTime<Utc> {
        self.0
    }
}

impl From<DateTime<Utc>> for Timestamp {
    /// Cut to milliseconds; the epoch where the year has not four digits.
    fn from(time: DateTime<Utc>) -> Self {
        let whole = DateTime::from_timestamp_millis(time.timestamp_millis());
        Self(
            whole
                .filter(|time| (0..=9999).contains(&time.year()))
                .unwrap_or(DateTime::UNIX_EPOCH),
        )
    }
}

impl From<Timestamp> for DateTime<Utc> {
    fn from(timestamp: Timestamp) -> Self {
        timestamp.0
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let time = DateTime::<Utc>::deserialize(deserializer)?;
        if (0..=9999).contains(&time.year()) {
            Ok(Self::from(time))
        } else {
            Err(de::Error::custom("the year has more than four digits"))
        }
    }
}
