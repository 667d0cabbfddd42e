use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use axum::response::Response;
use http::request::Parts;

use super::bearer_token::TokenHolder;
use super::certificate_names::certificate_names;
use super::grants::Grants;
use super::layer::AccessRefusals;
use super::refusal::AccessRefusal;
use crate::server::ClientCertificate;

/// Extractor: who sends the request, and what for they have permission. Cheap to clone.
///
/// Needs an [`AuthenticationLayer`](super::AuthenticationLayer) around the routes. Who shows nothing
/// is refused; `Option<Caller>` is for handlers that go on all the same.
///
/// Its Debug form tells neither subject nor client, who may be a person.
#[derive(Clone, PartialEq, Eq)]
pub struct Caller(Arc<Inner>);

#[derive(PartialEq, Eq)]
struct Inner {
    way: Way,
    subject: Option<String>,
    client: Option<String>,
    permissions: BTreeSet<Arc<str>>,
}

/// How a caller has shown who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// A bearer token.
    BearerToken,
    /// A client certificate.
    ClientCertificate,
    /// OpenHIM core says so.
    OpenHim,
}

impl Caller {
    pub(super) fn of_token(holder: TokenHolder, grants: &Grants) -> Self {
        Self(Arc::new(Inner {
            way: Way::BearerToken,
            permissions: grants.of(holder.roles.iter().map(String::as_str)),
            subject: holder.subject,
            client: holder.client,
        }))
    }

    pub(super) fn of_certificate(certificate: &ClientCertificate, grants: &Grants) -> Self {
        let names = certificate_names(certificate);
        Self(Arc::new(Inner {
            way: Way::ClientCertificate,
            permissions: grants.of(names.iter().map(String::as_str)),
            subject: Some(certificate.subject().to_owned()),
            client: Some(format!("sha256:{}", certificate.fingerprint())),
        }))
    }

    pub(super) fn through_openhim(client: Option<String>, grants: &Grants) -> Self {
        Self(Arc::new(Inner {
            way: Way::OpenHim,
            permissions: grants.of(client.as_deref()),
            subject: None,
            client,
        }))
    }

    /// How it has shown who it is.
    #[must_use]
    pub fn way(&self) -> Way {
        self.0.way
    }

    /// The person or program: a token's `sub`, a certificate's distinguished name.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        self.0.subject.as_deref()
    }

    /// The program: a token's `azp`, a certificate's fingerprint (`sha256:…`), the id of OpenHIM's
    /// client. None when core asks for nobody, as in polling channels.
    #[must_use]
    pub fn client(&self) -> Option<&str> {
        self.0.client.as_deref()
    }

    /// Whether it has this permission.
    #[must_use]
    pub fn has(&self, permission: &str) -> bool {
        self.0.permissions.contains(permission)
    }

    /// Whether OpenHIM core asks on its own account, as its polling channels do.
    #[must_use]
    pub fn is_openhim_itself(&self) -> bool {
        self.0.way == Way::OpenHim && self.0.client.is_none()
    }
}

impl fmt::Debug for Caller {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Caller")
            .field("way", &self.0.way)
            .field("permissions", &self.0.permissions)
            .finish_non_exhaustive()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        match parts.extensions.get::<Self>() {
            Some(caller) => Ok(caller.clone()),
            None => Err(AccessRefusals::of(parts).answer(parts, AccessRefusal::NothingShown)),
        }
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Option<Self>, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
