use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::transactions::check_id;
use super::{Call, OpenHim, OpenHimError};
use crate::mediator_config::ChannelDefinition;

/// What core adds to a channel, and does not take back.
const OF_CORE: [&str; 4] = ["__v", "updatedBy", "lastBodyCleared", "_id"];
/// Lists that core empties only when it is told so.
const LISTS: [&str; 8] = [
    "methods",
    "allow",
    "whitelist",
    "matchContentTypes",
    "txViewAcl",
    "txViewFullAcl",
    "txRerunAcl",
    "routes",
];

/// A channel that core has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[non_exhaustive]
pub struct Channel {
    /// Core's identifier.
    #[serde(rename = "_id")]
    pub id: String,
    /// What it is.
    #[serde(flatten)]
    pub definition: ChannelDefinition,
}

/// Core's channels; see [`OpenHim::channels`].
///
/// Needs the permissions `channel-view-all` and `channel-manage-all` (4.x: the group `admin`).
#[derive(Debug, Clone, Copy)]
pub struct Channels<'a>(&'a OpenHim);

impl OpenHim {
    /// Core's channels.
    ///
    /// ```no_run
    /// # use mediator_core::mediator_config::{ChannelDefinition, Method, Route};
    /// # use mediator_core::openhim::{OpenHim, OpenHimError};
    /// # async fn example(openhim: OpenHim) -> Result<(), OpenHimError> {
    /// let definition = ChannelDefinition::http("Patients", "^/patients/.*$", [Method::Get])
    ///     .allow("hospital")
    ///     .route(Route::http("Registry", "registry.example", 8080).primary());
    /// if openhim.channels().find("Patients").await?.is_none() {
    ///     openhim.channels().create(&definition).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn channels(&self) -> Channels<'_> {
        Channels(self)
    }
}

impl Channels<'_> {
    /// The channels that the user may see, those that are marked as deleted too.
    ///
    /// # Errors
    /// As any call.
    pub async fn list(&self) -> Result<Vec<Channel>, OpenHimError> {
        let channels: Vec<Channel> = self
            .0
            .json(&Call::get("list channels", &["channels"]))
            .await?;
        Ok(channels.into_iter().map(Channel::without_cores).collect())
    }

    /// The channel of this name, if there is one that the user may see.
    ///
    /// # Errors
    /// As any call.
    pub async fn find(&self, name: &str) -> Result<Option<Channel>, OpenHimError> {
        let channels = self.list().await?;
        Ok(channels
            .into_iter()
            .find(|channel| channel.definition.name == name))
    }

    /// The channel with this identifier.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn read(&self, id: &str) -> Result<Channel, OpenHimError> {
        const OPERATION: &str = "read the channel";
        check_id(OPERATION, id)?;
        let path = ["channels", id];
        let channel: Channel = self.0.json(&Call::get(OPERATION, &path)).await?;
        Ok(channel.without_cores())
    }

    /// Creates a channel; one that polls is scheduled.
    ///
    /// [`ChannelDefinition::check`] tells what core would refuse, and what it would take and never
    /// use.
    ///
    /// # Errors
    /// [`OpenHimError::Refused`] when core finds fault with it or the name is taken; and as any
    /// call.
    pub async fn create(&self, definition: &ChannelDefinition) -> Result<Channel, OpenHimError> {
        const OPERATION: &str = "create the channel";
        let call = Call::new(Method::POST, OPERATION, &["channels"]).json(definition)?;
        self.0.send(&call).await?;
        // Core does not tell the identifier.
        self.find(&definition.name)
            .await?
            .ok_or(OpenHimError::NotFound {
                operation: OPERATION,
            })
    }

    /// Changes a channel; one that polls is scheduled anew. A list that is empty here is emptied,
    /// any other element that is not here stays as it is.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; [`OpenHimError::Refused`] when core finds fault with it; and as
    /// any call.
    pub async fn update(
        &self,
        id: &str,
        definition: &ChannelDefinition,
    ) -> Result<(), OpenHimError> {
        // Core fails with 500 when there is none.
        self.read(id).await?;
        let mut body = json!(definition);
        if let Value::Object(members) = &mut body {
            for list in LISTS {
                members.entry(list).or_insert_with(|| json!([]));
            }
            members.retain(|name, _| !OF_CORE.contains(&name.as_str()));
        }
        let path = ["channels", id];
        let call = Call::new(Method::PUT, "update the channel", &path).json(&body)?;
        self.0.send(&call.repeatable()).await?;
        Ok(())
    }

    /// Removes a channel. One that has had transactions is only marked as deleted, and its name
    /// stays taken.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; and as any call.
    pub async fn delete(&self, id: &str) -> Result<(), OpenHimError> {
        // Core fails with 500 when there is none.
        self.read(id).await?;
        let path = ["channels", id];
        let call = Call::new(Method::DELETE, "delete the channel", &path);
        self.0.send(&call).await?;
        Ok(())
    }

    /// Runs a polling channel now, whatever its schedule, and waits until its routes have
    /// answered.
    ///
    /// # Errors
    /// [`OpenHimError::NotFound`]; [`OpenHimError::CoreFailed`] when core could not run it, or its
    /// primary route failed; and as any call.
    pub async fn trigger(&self, id: &str) -> Result<(), OpenHimError> {
        const OPERATION: &str = "trigger the channel";
        check_id(OPERATION, id)?;
        let path = ["channels", id, "trigger"];
        let call = Call::new(Method::POST, OPERATION, &path);
        self.0.send(&call).await?;
        Ok(())
    }
}

impl Channel {
    /// Leaves a definition that can be compared, and sent back.
    fn without_cores(mut self) -> Self {
        let other = &mut self.definition.other;
        other.retain(|name, _| !OF_CORE.contains(&name.as_str()));
        self
    }
}
