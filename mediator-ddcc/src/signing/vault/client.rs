use std::sync::Arc;

use http::StatusCode;
use mediator_core::back_end::{BackEnd, BackEndSettings, BackEndSettingsError};
use serde_json::Value;

use super::connection::{Answer, Connection, Request};
use super::session::Session;
use super::{VaultError, VaultLogin};

/// A Vault that is logged on to when it is first asked for something.
#[derive(Debug, Clone)]
pub struct VaultClient {
    session: Arc<Session>,
}

/// Why there is no client with these settings.
#[derive(Debug, thiserror::Error)]
pub enum VaultSettingsError {
    /// What every back end has.
    #[error(transparent)]
    BackEnd(#[from] BackEndSettingsError),
    /// A name of a namespace that cannot be sent.
    #[error("signing.vault.namespace holds a control character or a letter that is not ASCII")]
    Namespace,
    /// A name that cannot be part of a path.
    #[error("{0:?} is no name in Vault: letters, digits, `-`, `_`, `.` and, for mounts, `/`")]
    Name(String),
}

impl VaultClient {
    /// Nothing is sent yet. `namespace` is that of Vault Enterprise and OpenBao.
    ///
    /// # Errors
    /// [`VaultSettingsError`].
    pub fn new(
        back_end: &BackEndSettings,
        namespace: Option<&str>,
        login: VaultLogin,
    ) -> Result<Self, VaultSettingsError> {
        let mount = match &login {
            VaultLogin::Token(_) => None,
            VaultLogin::AppRole { mount, .. }
            | VaultLogin::Kubernetes { mount, .. }
            | VaultLogin::Jwt { mount, .. } => Some(mount),
        };
        mount.map_or(Ok(()), |mount| check_name(mount))?;
        let connection = Connection::new(BackEnd::new(back_end)?, namespace)
            .map_err(|_| VaultSettingsError::Namespace)?;
        Ok(Self {
            session: Session::new(connection, login),
        })
    }

    /// What Vault answers to a call of which it is known that we may make it. A token that has
    /// ended or was revoked is replaced once.
    pub(super) async fn answer(
        &self,
        request: &Request,
        capability: &'static str,
    ) -> Result<Answer, VaultError> {
        let denied = || VaultError::Denied {
            path: request.path.clone(),
            capability,
        };
        let connection = self.session.connection();
        let token = self.session.token().await?;
        let answer = connection.send(request, Some(&token.secret)).await?;
        if answer.status != StatusCode::FORBIDDEN {
            return Ok(answer);
        }
        let Some(token) = self.session.token_instead_of(&token).await? else {
            return Err(denied());
        };
        let answer = connection.send(request, Some(&token.secret)).await?;
        if answer.status == StatusCode::FORBIDDEN {
            return Err(denied());
        }
        Ok(answer)
    }

    /// What Vault answers when it does what it is asked for.
    pub(super) async fn call(
        &self,
        request: &Request,
        capability: &'static str,
    ) -> Result<Value, VaultError> {
        self.answer(request, capability)
            .await?
            .success(&request.path)
    }

    /// Without a login.
    pub(super) async fn answer_anyone(&self, request: &Request) -> Result<Answer, VaultError> {
        self.session.connection().send(request, None).await
    }

    pub(super) fn back_end(&self) -> &BackEnd {
        self.session.connection().back_end()
    }
}

/// A mount or key that can stand in a path as it is.
pub(super) fn check_name(name: &str) -> Result<(), VaultSettingsError> {
    let is_good = |part: &str| {
        let mut bytes = part.bytes();
        !part.is_empty()
            && !part.bytes().all(|byte| byte == b'.')
            && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    if name.split('/').all(is_good) {
        Ok(())
    } else {
        Err(VaultSettingsError::Name(name.to_owned()))
    }
}
