//! Creating the channels that a mediator proposes (`defaultChannelConfig`), where they are missing.
//!
//! A channel whose name core knows already is left as it is, however an operator changed it.
//! Several mediators, or replicas of one, can install the same channels at once.

use http::{Method, StatusCode};
use serde::Deserialize;

use crate::mediator_config::{ChannelDefinition, ChannelType, MediatorConfig};
use crate::openhim::{Call, OpenHim, OpenHimError};

/// What was done about a mediator's default channels, by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstalledChannels {
    /// Were missing, and are there now.
    pub created: Vec<String>,
    /// Were there.
    pub existing: Vec<String>,
    /// Polling channels that are there now, and that core will poll only after an operator saves
    /// them or core is restarted: the user may not manage channels.
    pub not_scheduled: Vec<String>,
}

/// Creates the default channels that core does not have, and schedules those that poll.
///
/// With the permission `channel-manage-all`, core checks each channel and schedules it by itself.
/// With `mediator-manage-all` only, core takes them from the mediator's registration, which must
/// come first, and does not schedule them.
///
/// # Errors
/// [`OpenHimError::Refused`] when core finds fault with a channel; channels before it are created.
/// [`OpenHimError::NotAllowed`] without either permission; and as any call.
pub async fn install_default_channels(
    openhim: &OpenHim,
    mediator: &MediatorConfig,
) -> Result<InstalledChannels, OpenHimError> {
    let mut installed = InstalledChannels::default();
    if mediator.default_channels().is_empty() {
        return Ok(installed);
    }
    let known = names(openhim).await?;
    for channel in mediator.default_channels() {
        let name = channel.name.clone();
        if known.contains(&name) {
            installed.existing.push(name);
            continue;
        }
        match create(openhim, mediator.urn(), channel).await? {
            Created::Yes => installed.created.push(name),
            Created::NotScheduled => {
                tracing::warn!(
                    channel = name,
                    "OpenHIM does not poll this channel until an operator saves it or core is \
                     restarted; the permission channel-manage-all would have let us schedule it"
                );
                installed.not_scheduled.push(name.clone());
                installed.created.push(name);
            }
            Created::ExistedAlready => installed.existing.push(name),
        }
    }
    tracing::info!(
        urn = mediator.urn(),
        created = ?installed.created,
        existing = ?installed.existing,
        "default channels"
    );
    Ok(installed)
}

enum Created {
    Yes,
    NotScheduled,
    ExistedAlready,
}

/// What a list of channels says about one.
#[derive(Deserialize)]
struct ListedChannel {
    name: String,
}

/// The channels that the user may see, which need not be all.
async fn names(openhim: &OpenHim) -> Result<Vec<String>, OpenHimError> {
    let channels: Vec<ListedChannel> = openhim
        .json(&Call::get("list channels", &["channels"]))
        .await?;
    Ok(channels.into_iter().map(|channel| channel.name).collect())
}

async fn create(
    openhim: &OpenHim,
    urn: &str,
    channel: &ChannelDefinition,
) -> Result<Created, OpenHimError> {
    let call = Call::new(Method::POST, "create a default channel", &["channels"])
        .json(channel)?
        .repeatable();
    match openhim.send(&call).await {
        Ok(_) => Ok(Created::Yes),
        Err(OpenHimError::NotAllowed { .. }) => install(openhim, urn, channel).await,
        Err(error) => existed(error),
    }
}

/// Creates the channel from the mediator's registration.
async fn install(
    openhim: &OpenHim,
    urn: &str,
    channel: &ChannelDefinition,
) -> Result<Created, OpenHimError> {
    let path = ["mediators", urn, "channels"];
    let call = Call::new(Method::POST, "install a default channel", &path)
        .of_mediator(urn)
        .json(&[&channel.name])?
        .repeatable();
    match openhim.send(&call).await {
        Ok(_) if channel.channel_type() == ChannelType::Polling => Ok(Created::NotScheduled),
        Ok(_) => Ok(Created::Yes),
        Err(error) => existed(error),
    }
}

/// Names are unique: MongoDB's error for a second one is how core says that another was first.
fn existed(error: OpenHimError) -> Result<Created, OpenHimError> {
    match &error {
        OpenHimError::Refused {
            status: StatusCode::BAD_REQUEST,
            text,
            ..
        }
        | OpenHimError::CoreFailed {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            text,
            ..
        } if text.contains("E11000") => Ok(Created::ExistedAlready),
        _ => Err(error),
    }
}
