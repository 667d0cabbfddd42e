//! Registering a mediator with OpenHIM core, and finding out what came of it.
//!
//! Core answers 201 whatever it does: the mediator may be new, updated, or ignored because its
//! version is not higher than the registered one. [`register`] reads it before and after.

mod difference;

use std::fmt;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use http::StatusCode;
use semver::Version;

use crate::mediator_config::MediatorConfig;
use crate::openhim::{OpenHim, OpenHimError, RegisteredMediator};

/// What core did with a registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registered {
    /// Core did not know the mediator.
    New,
    /// Core had an older version. Configuration that operators have set stays.
    Updated {
        /// The version before.
        from: Version,
        /// The version now.
        to: Version,
    },
    /// Core has this version already, and the same document.
    Unchanged,
    /// Core keeps another document, because ours has no higher version: raise it.
    IgnoredBecauseNotHigher {
        /// The version that core has.
        registered: Version,
        /// Ours.
        offered: Version,
        /// The first field that differs, such as `endpoints.0.port`; none when only the versions
        /// do.
        differs: Option<String>,
    },
}

impl fmt::Display for Registered {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => write!(formatter, "registered for the first time"),
            Self::Updated { from, to } => write!(formatter, "updated from {from} to {to}"),
            Self::Unchanged => write!(formatter, "unchanged"),
            Self::IgnoredBecauseNotHigher {
                registered,
                offered,
                differs,
            } => {
                write!(
                    formatter,
                    "ignored, because OpenHIM has version {registered} and "
                )?;
                write!(formatter, "{offered} is not higher")?;
                match differs {
                    Some(field) => write!(formatter, ", although {field} differs: raise it"),
                    None => write!(formatter, ": raise it if OpenHIM shall have this one"),
                }
            }
        }
    }
}

/// Registers the mediator, reads back what core did, and logs it.
///
/// # Errors
/// [`OpenHimError::Refused`] when core finds fault with the document;
/// [`OpenHimError::NotAllowed`] when the user has not the permission `mediator-manage-all`
/// (OpenHIM 4: is not in the group `admin`); and as any call.
pub async fn register(
    openhim: &OpenHim,
    config: &MediatorConfig,
) -> Result<Registered, OpenHimError> {
    let before = openhim.mediator(config.urn()).await?;
    openhim.register_mediator(config).await?;
    let after =
        openhim
            .mediator(config.urn())
            .await?
            .ok_or_else(|| OpenHimError::UnknownMediator {
                urn: config.urn().to_owned(),
            })?;
    let registered = compare(before.as_ref(), &after, config)?;
    let (urn, version) = (config.urn(), config.version());
    match &registered {
        Registered::IgnoredBecauseNotHigher { .. } => {
            tracing::warn!(urn, %version, "the mediator's registration was {registered}");
        }
        _ => tracing::info!(urn, %version, "the mediator's registration: {registered}"),
    }
    Ok(registered)
}

/// What [`register`] would find, without registering.
///
/// # Errors
/// As [`register`], except for faults that core would find with the document.
pub async fn foresee(
    openhim: &OpenHim,
    config: &MediatorConfig,
) -> Result<Registered, OpenHimError> {
    let Some(known) = openhim.mediator(config.urn()).await? else {
        return Ok(Registered::New);
    };
    let from = version(&known)?;
    if from < *config.version() {
        let to = config.version().clone();
        return Ok(Registered::Updated { from, to });
    }
    compare(Some(&known), &known, config)
}

/// Registers the mediator, again and again until it works: after a second at first, then less
/// and less often, up to once a minute. Give up by dropping it.
///
/// What fails is logged once, and again when it fails otherwise. A core that is down is a
/// warning; what an operator must mend (password, permission, certificate) is an error, and tried
/// again because it can be mended at core's end.
///
/// # Errors
/// [`OpenHimError::Refused`] with 400 when core finds fault with the document, which trying again
/// would not change.
pub async fn register_until_done(
    openhim: &OpenHim,
    config: &MediatorConfig,
) -> Result<Registered, OpenHimError> {
    register_until_done_telling(openhim, config, |_| {}).await
}

/// [`register_until_done`] that tells every failure.
pub(crate) async fn register_until_done_telling(
    openhim: &OpenHim,
    config: &MediatorConfig,
    mut failed: impl FnMut(&OpenHimError),
) -> Result<Registered, OpenHimError> {
    let backoff = ExponentialBuilder::new()
        .with_min_delay(Duration::from_secs(1))
        .with_max_delay(Duration::from_secs(60))
        .with_jitter()
        .without_max_times();
    let mut last = None;
    let outcome = (|| register(openhim, config))
        .retry(backoff)
        .when(|error| {
            // Any other refusal is a proxy's.
            !matches!(error, OpenHimError::Refused { status, .. } if *status == StatusCode::BAD_REQUEST)
        })
        .notify(|error, delay| {
            failed(error);
            let urn = config.urn();
            if last.as_ref() == Some(error) {
                tracing::debug!(urn, %error, ?delay, "the mediator is still not registered");
            } else if error.is_transient() {
                tracing::warn!(urn, %error, "the mediator is not registered; trying on");
            } else {
                tracing::error!(urn, %error, "the mediator is NOT registered; trying on");
            }
            last = Some(error.clone());
        })
        .await;
    if let Err(error) = &outcome {
        failed(error);
        tracing::error!(urn = config.urn(), %error, "the mediator is NOT registered; giving up");
    }
    outcome
}

fn compare(
    before: Option<&RegisteredMediator>,
    after: &RegisteredMediator,
    config: &MediatorConfig,
) -> Result<Registered, OpenHimError> {
    let offered = config.version();
    let Some(before) = before else {
        return Ok(Registered::New);
    };
    let (from, registered) = (version(before)?, version(after)?);
    if from < *offered && registered == *offered {
        return Ok(Registered::Updated {
            from,
            to: registered,
        });
    }
    let differs = difference::first_difference(config, after)?;
    if registered == *offered && differs.is_none() {
        return Ok(Registered::Unchanged);
    }
    Ok(Registered::IgnoredBecauseNotHigher {
        registered,
        offered: offered.clone(),
        differs,
    })
}

fn version(mediator: &RegisteredMediator) -> Result<Version, OpenHimError> {
    // Core's parser takes a leading v, = or space.
    let text = mediator.version.trim().trim_start_matches(['v', '=', ' ']);
    Version::parse(text).map_err(|_| OpenHimError::AnswerNotUnderstood {
        operation: "read the mediator",
        reason: "its version is no semantic version".to_owned(),
    })
}
