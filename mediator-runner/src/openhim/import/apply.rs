//! Doing what was planned.

use mediator_core::openhim::{OpenHim, OpenHimError};
use mediator_core::registration::register;

use super::plan::{Change, Step};
use crate::openhim::CommandError;

/// Does one step.
///
/// # Errors
/// Core refuses, with the name of what it refuses; what was done before stays done, and the next
/// import goes on from there.
pub(super) async fn apply(openhim: &OpenHim, step: Step) -> Result<(), CommandError> {
    let (kind, name) = (step.kind, step.name);
    change(openhim, step.change)
        .await
        .map_err(|source| CommandError::Step { kind, name, source })
}

async fn change(openhim: &OpenHim, change: Change) -> Result<(), OpenHimError> {
    match change {
        Change::Nothing => Ok(()),
        Change::CreateRole(role) => openhim.roles().create(&role).await.map(drop),
        Change::UpdateRole(role) => openhim.roles().update(&role.name, &role).await.map(drop),
        Change::CreateChannel(definition) => openhim.channels().create(&definition).await.map(drop),
        Change::UpdateChannel { id, definition } => {
            openhim.channels().update(&id, &definition).await
        }
        Change::CreateClient(client) => openhim.clients().create(&client).await.map(drop),
        Change::UpdateClient { id, client } => openhim.clients().update(&id, &client).await,
        Change::CreateUser { user, password } => openhim.users().create(&user, &password).await,
        Change::UpdateUser { user, password } => {
            openhim.users().update(&user.email, &user).await?;
            match password {
                Some(password) => openhim.users().set_password(&user.email, &password).await,
                None => Ok(()),
            }
        }
        Change::Register(mediator) => register(openhim, &mediator).await.map(drop),
    }
}
