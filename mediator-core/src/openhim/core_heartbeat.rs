use std::collections::BTreeMap;
use std::time::Duration;

use chrono::serde::ts_milliseconds;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer};

use super::{Call, OpenHim, OpenHimError};

/// What core tells anyone about itself.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct CoreHeartbeat {
    /// How long core's main process has been running.
    #[serde(rename = "master", deserialize_with = "seconds")]
    pub uptime: Duration,
    /// Core's clock.
    #[serde(with = "ts_milliseconds")]
    pub now: DateTime<Utc>,
    /// By urn: how long a mediator had been running when it last sent a heartbeat, nothing when
    /// that is longer ago than a minute.
    #[serde(default, deserialize_with = "uptimes")]
    pub mediators: BTreeMap<String, Option<Duration>>,
}

impl CoreHeartbeat {
    /// When core was started, by its own clock.
    #[must_use]
    pub fn started(&self) -> DateTime<Utc> {
        let uptime = TimeDelta::from_std(self.uptime).unwrap_or(TimeDelta::MAX);
        self.now
            .checked_sub_signed(uptime)
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }
}

impl OpenHim {
    /// Asks core how it is; needs no user.
    ///
    /// # Errors
    /// Core cannot be reached, or does not answer as core does.
    pub async fn heartbeat(&self) -> Result<CoreHeartbeat, OpenHimError> {
        self.json(&Call::get("tell how it is", &["heartbeat"]).anonymous())
            .await
    }
}

fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let seconds = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(seconds).map_err(serde::de::Error::custom)
}

fn uptimes<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<BTreeMap<String, Option<Duration>>, D::Error> {
    let uptimes = BTreeMap::<String, Option<f64>>::deserialize(deserializer)?;
    Ok(uptimes
        .into_iter()
        .map(|(urn, seconds)| {
            // A mediator may have sent nonsense, which is no reason not to hear the others.
            (
                urn,
                seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            )
        })
        .collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn cores_start_is_its_clock_minus_its_uptime() {
        let heartbeat: CoreHeartbeat = serde_json::from_str(
            r#"{"master":10.5,"mediators":{"urn:a":3.25,"urn:b":null,"urn:c":-1},"now":1700000000000}"#,
        )
        .unwrap();
        assert_eq!(heartbeat.started().timestamp_millis(), 1_699_999_989_500);
        assert_eq!(
            heartbeat.mediators["urn:a"],
            Some(Duration::from_millis(3250))
        );
        assert_eq!(heartbeat.mediators["urn:b"], None);
        assert_eq!(heartbeat.mediators["urn:c"], None);
    }

    #[test]
    fn a_core_without_mediators_leaves_them_out() {
        let heartbeat: CoreHeartbeat = serde_json::from_str(r#"{"master":1,"now":0}"#).unwrap();
        assert!(heartbeat.mediators.is_empty());
        assert_eq!(heartbeat.started().timestamp(), -1);
    }

    #[test]
    fn a_negative_uptime_is_not_cores() {
        assert!(serde_json::from_str::<CoreHeartbeat>(r#"{"master":-1,"now":0}"#).is_err());
    }
}
