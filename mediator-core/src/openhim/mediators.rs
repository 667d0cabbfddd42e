use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Call, OpenHim, OpenHimError};

/// A mediator as core has it.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RegisteredMediator {
    /// What it is known by.
    pub urn: String,
    /// A semantic version.
    pub version: String,
    /// For people.
    pub name: String,
    /// When it last sent a heartbeat.
    #[serde(rename = "_lastHeartbeat", default)]
    pub last_heartbeat: Option<DateTime<Utc>>,
    /// How many seconds it had been running then.
    #[serde(rename = "_uptime", default)]
    pub uptime: Option<f64>,
    /// Its configuration. In a list of all mediators, core shows passwords as they are; for one
    /// mediator, as asterisks.
    #[serde(default)]
    pub config: Option<Map<String, Value>>,
    /// Everything else: endpoints, definitions of channels and configuration.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
}

/// When core shall answer a mediator's heartbeat with the mediator's configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigurationWanted {
    /// Once after it was changed. Core forgets that it was changed as soon as it has answered,
    /// whether or not the answer arrived, and whichever replica asked.
    WhenChanged,
    /// In any case.
    Always,
}

impl OpenHim {
    /// All mediators that the user may see.
    ///
    /// # Errors
    /// [`OpenHimError::NotAllowed`] without the permission `mediator-view-all`; and as any call.
    pub async fn mediators(&self) -> Result<Vec<RegisteredMediator>, OpenHimError> {
        self.json(&Call::get("list mediators", &["mediators"]))
            .await
    }

    /// The mediator with this urn, if there is one.
    ///
    /// # Errors
    /// [`OpenHimError::NotAllowed`] without the permission `mediator-view-all`; and as any call.
    pub async fn mediator(&self, urn: &str) -> Result<Option<RegisteredMediator>, OpenHimError> {
        let path = ["mediators", urn];
        let call = Call::get("read a mediator", &path).of_mediator(urn);
        match self.json(&call).await {
            Ok(mediator) => Ok(Some(mediator)),
            Err(OpenHimError::UnknownMediator { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Sends a mediator's registration. Core takes it when the urn is new or the version higher
    /// than the registered one, and says nothing when it ignores it:
    /// [`register`](crate::registration::register) finds out.
    ///
    /// # Errors
    /// [`OpenHimError::Refused`] when the document is wrong; [`OpenHimError::NotAllowed`] without
    /// the permission `mediator-manage-all`; and as any call.
    pub async fn register_mediator(&self, document: &impl Serialize) -> Result<(), OpenHimError> {
        let call =
            Call::new(Method::POST, "register the mediator", &["mediators"]).json(document)?;
        self.send(&call.repeatable()).await?;
        Ok(())
    }

    /// Removes a mediator's registration, if there is one. Its channels stay.
    ///
    /// # Errors
    /// As any call.
    pub async fn remove_mediator(&self, urn: &str) -> Result<(), OpenHimError> {
        let path = ["mediators", urn];
        let call = Call::new(Method::DELETE, "remove the mediator", &path).of_mediator(urn);
        self.send(&call.repeatable()).await?;
        Ok(())
    }

    /// Says that a mediator has been running for `uptime`. The answer is its configuration with
    /// passwords as they are, when wanted and there is one.
    ///
    /// Sent once only: the next heartbeat is the repetition.
    ///
    /// # Errors
    /// [`OpenHimError::UnknownMediator`] when core has forgotten it; and as any call.
    pub async fn mediator_heartbeat(
        &self,
        urn: &str,
        uptime: Duration,
        configuration: ConfigurationWanted,
    ) -> Result<Option<Map<String, Value>>, OpenHimError> {
        let mut body = json!({ "uptime": uptime.as_secs_f64() });
        if configuration == ConfigurationWanted::Always {
            body["config"] = true.into();
        }
        let path = ["mediators", urn, "heartbeat"];
        let call = Call::new(Method::POST, "take the mediator's heartbeat", &path)
            .of_mediator(urn)
            .json(&body)?
            .once();
        // Without a configuration, the body is empty or says "OK".
        Ok(self.send(&call).await?.json().ok())
    }

    /// Replaces a mediator's whole configuration, as the console does. Ten asterisks keep a
    /// password.
    ///
    /// # Errors
    /// [`OpenHimError::Refused`] when it does not match the mediator's definitions;
    /// [`OpenHimError::UnknownMediator`]; and as any call.
    pub async fn set_mediator_config(
        &self,
        urn: &str,
        config: &impl Serialize,
    ) -> Result<(), OpenHimError> {
        let path = ["mediators", urn, "config"];
        let call = Call::new(Method::PUT, "set the mediator's configuration", &path)
            .of_mediator(urn)
            .json(config)?;
        self.send(&call.repeatable()).await?;
        Ok(())
    }
}

/// Without the configuration and without routes, which can hold passwords.
impl fmt::Debug for RegisteredMediator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RegisteredMediator")
            .field("urn", &self.urn)
            .field("version", &self.version)
            .field("name", &self.name)
            .field("last_heartbeat", &self.last_heartbeat)
            .field("uptime", &self.uptime)
            .finish_non_exhaustive()
    }
}
