use std::collections::BTreeSet;
use std::fmt;

use aws_lc_rs::{constant_time, digest};
use secrecy::{ExposeSecret as _, SecretString};

use super::certificate_names::certificate_names;
use crate::server::ClientCertificate;

/// How OpenHIM core shows that it is core: what it says of its clients is believed then.
///
/// Core 8 can show a client certificate: a route that is `secured` is called with the certificate of
/// core's own keystore. Core 4 speaks TLS 1.0 to its routes, which nobody else does any more; a
/// route's `username` and `password`, which every core sends as HTTP Basic, are what is left.
///
/// Whoever is named by a client certificate or knows the secret can ask in any client's name. Let no
/// channel carry the secret that is open to everyone: core passes on what such a channel's clients
/// say about who they are.
#[derive(Clone, Default)]
pub struct OpenHimPeer {
    certificates: BTreeSet<String>,
    secret: Option<(String, SecretString)>,
}

/// The secret of a channel can be guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it has fewer than {} characters; take as many, at random",
    OpenHimPeer::SHORTEST_SECRET
)]
pub struct SecretTooShort;

impl OpenHimPeer {
    /// The shortest password of a channel. It is asked at no limit, so it must not be guessable.
    pub const SHORTEST_SECRET: usize = 16;

    /// Nobody is core yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Core is who shows a certificate of one of these [names](certificate_names).
    #[must_use]
    pub fn certificates<I>(mut self, names: I) -> Self
    where
        I: IntoIterator,
        I::Item: Into<String>,
    {
        self.certificates.extend(names.into_iter().map(Into::into));
        self
    }

    /// Core is who sends this as HTTP Basic, as routes of channels do that have it.
    ///
    /// # Errors
    /// [`SecretTooShort`] below [`Self::SHORTEST_SECRET`] characters.
    pub fn basic(
        mut self,
        username: impl Into<String>,
        password: SecretString,
    ) -> Result<Self, SecretTooShort> {
        if password.expose_secret().chars().count() < Self::SHORTEST_SECRET {
            return Err(SecretTooShort);
        }
        self.secret = Some((username.into(), password));
        Ok(self)
    }

    pub(super) fn has_certificate(&self, certificate: &ClientCertificate) -> bool {
        let names = certificate_names(certificate);
        names.iter().any(|name| self.certificates.contains(name))
    }

    /// Takes the same time whatever is wrong.
    pub(super) fn has_secret(&self, username: &str, password: &str) -> bool {
        let Some((expected_username, expected_password)) = &self.secret else {
            return false;
        };
        let is_user = is_equal(username, expected_username);
        let is_password = is_equal(password, expected_password.expose_secret());
        is_user & is_password
    }
}

fn is_equal(one: &str, other: &str) -> bool {
    let hash = |text: &str| digest::digest(&digest::SHA256, text.as_bytes());
    constant_time::verify_slices_are_equal(hash(one).as_ref(), hash(other).as_ref()).is_ok()
}

impl fmt::Debug for OpenHimPeer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("OpenHimPeer")
            .field("certificates", &self.certificates)
            .field("has_secret", &self.secret.is_some())
            .finish()
    }
}
