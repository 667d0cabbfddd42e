//! Who is asking, and what for they have permission.
//!
//! A caller shows who it is in one of three ways, each with [`Grants`] of its own: a bearer token of
//! an OpenID Connect provider such as Keycloak ([`BearerTokens`]), a client certificate
//! ([`ClientCertificate`]), or OpenHIM core, which says for whom it
//! asks and is believed when it has shown that it is core ([`OpenHimPeer`]). What the permissions are
//! called is the mediator's affair.
//!
//! ```no_run
//! use axum::{Router, routing::{get, post}};
//! use mediator_core::Mediator;
//! use mediator_core::authentication::{
//!     Authentication, AuthenticationLayer, BearerTokenSettings, BearerTokens, Caller, Grants,
//!     RequirePermission,
//! };
//! # use mediator_core::mediator_config::MediatorConfig;
//!
//! # fn example(config: MediatorConfig) -> Result<(), Box<dyn std::error::Error>> {
//! async fn order(caller: Caller) -> String {
//!     format!("ordered by {}", caller.client().unwrap_or("somebody"))
//! }
//!
//! let tokens = BearerTokens::new(&BearerTokenSettings::new(
//!     "https://login.example.org/realms/health",
//!     "laboratory-mediator",
//! ))?;
//! let grants = Grants::new().grant("order", ["order", "realm:physician"]);
//! let authentication = Authentication::new("laboratory").bearer_tokens(tokens, grants);
//! let routes = Router::new()
//!     .route("/orders", post(order).layer(RequirePermission::new("order")))
//!     .route("/catalogue", get(|| async { "for everyone" }));
//! let mediator = Mediator::builder(config)
//!     .router(routes)
//!     .layer(AuthenticationLayer::new(authentication))
//!     .build()?;
//! # Ok(())
//! # }
//! ```

mod bearer_token;
mod caller;
mod certificate_names;
mod failed_attempts;
mod grants;
mod layer;
mod openhim_peer;
mod refusal;
mod require_permission;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;
use http::request::Parts;

pub use bearer_token::{
    BearerTokenSettings, BearerTokenSettingsError, BearerTokens, KeysError, TokenAlgorithm,
    TokenError, TokenHolder,
};
pub use caller::{Caller, Way};
pub use certificate_names::certificate_names;
pub use grants::Grants;
pub use layer::{AuthenticationLayer, AuthenticationService, Refused};
pub use openhim_peer::{OpenHimPeer, SecretTooShort};
pub use refusal::AccessRefusal;
pub use require_permission::{RequirePermission, RequirePermissionService};

use crate::server::ClientCertificate;
use crate::transaction::openhim_headers;

/// The ways in which callers show who they are. Clones share what tokens are checked with.
#[derive(Debug, Clone)]
pub struct Authentication {
    realm: Arc<str>,
    bearer_tokens: Option<(BearerTokens, Arc<Grants>)>,
    client_certificates: Option<Arc<Grants>>,
    openhim: Option<(Arc<OpenHimPeer>, Arc<Grants>)>,
}

/// What is in an `Authorization` header.
enum Credentials<'a> {
    None,
    Bearer(&'a str),
    Basic { username: String, password: String },
}

impl Authentication {
    /// No way yet: nobody is known. `realm` is what 401 answers call the service: printable ASCII
    /// without quotes and backslashes, anything else is left out.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        let is_plain = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
        Self {
            realm: realm.chars().filter(is_plain).collect::<String>().into(),
            bearer_tokens: None,
            client_certificates: None,
            openhim: None,
        }
    }

    /// Takes bearer tokens. Grants name roles as in [`TokenHolder::roles`].
    #[must_use]
    pub fn bearer_tokens(mut self, tokens: BearerTokens, grants: Grants) -> Self {
        self.bearer_tokens = Some((tokens, Arc::new(grants)));
        self
    }

    /// Takes client certificates, which the [server](crate::server::TlsSettings) must ask for.
    /// Grants name them as [`certificate_names()`] does.
    #[must_use]
    pub fn client_certificates(mut self, grants: Grants) -> Self {
        self.client_certificates = Some(Arc::new(grants));
        self
    }

    /// Believes what OpenHIM core says of its clients. Grants name them by their ids
    /// (`X-OpenHIM-ClientID`).
    #[must_use]
    pub fn openhim(mut self, peer: OpenHimPeer, grants: Grants) -> Self {
        self.openhim = Some((Arc::new(peer), Arc::new(grants)));
        self
    }

    /// The tokens that are taken.
    #[must_use]
    pub fn tokens(&self) -> Option<&BearerTokens> {
        self.bearer_tokens.as_ref().map(|(tokens, _)| tokens)
    }

    /// Who sends this request; None when it shows nothing. What core alone may say
    /// (`X-OpenHIM-…`) is taken out of what others send.
    ///
    /// A bearer token counts before everything else: through core too, if its channel forwards it.
    ///
    /// # Errors
    /// [`AccessRefusal`] when something is shown that is not good.
    pub async fn identify(&self, parts: &mut Parts) -> Result<Option<Caller>, AccessRefusal> {
        let certificate = parts.extensions.get::<ClientCertificate>().cloned();
        let is_core = |peer: &OpenHimPeer| {
            certificate
                .as_ref()
                .is_some_and(|certificate| peer.has_certificate(certificate))
        };
        let mut by_core = self
            .openhim
            .as_ref()
            .filter(|(peer, _)| is_core(peer))
            .map(|(_, grants)| grants);
        let mut by_token = None;
        match credentials(parts)? {
            Credentials::None => {}
            Credentials::Basic { username, password } => match &self.openhim {
                Some((peer, grants)) if peer.has_secret(&username, &password) => {
                    by_core = Some(grants);
                }
                _ => return Err(AccessRefusal::WrongSecret),
            },
            Credentials::Bearer(token) => match &self.bearer_tokens {
                Some((tokens, grants)) => {
                    let holder = tokens.check(token, certificate.as_ref()).await?;
                    by_token = Some(Caller::of_token(holder, grants));
                }
                None => return Err(AccessRefusal::NoTokensTaken),
            },
        }
        let client = match by_core {
            Some(_) => openhim_headers::client(&parts.headers).map_err(|()| {
                AccessRefusal::Malformed("X-OpenHIM-ClientID is no id of one client")
            })?,
            None => {
                openhim_headers::remove(&mut parts.headers);
                None
            }
        };
        let by_certificate = || {
            let grants = self.client_certificates.as_ref()?;
            Some(Caller::of_certificate(certificate.as_ref()?, grants))
        };
        Ok(match (by_token, by_core) {
            (Some(caller), _) => Some(caller),
            (None, Some(grants)) => Some(Caller::through_openhim(client, grants)),
            (None, None) => by_certificate(),
        })
    }
}

/// RFC 9110, section 11.6.2.
fn credentials(parts: &Parts) -> Result<Credentials<'_>, AccessRefusal> {
    let mut values = parts.headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(Credentials::None);
    };
    let unreadable = AccessRefusal::Malformed("the Authorization header cannot be read");
    if values.next().is_some() {
        return Err(AccessRefusal::Malformed("Authorization is there twice"));
    }
    let (scheme, rest) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(unreadable.clone())?;
    let rest = rest.trim_matches(' ');
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(Credentials::Bearer(rest));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(AccessRefusal::Malformed(
            "the Authorization header is of a scheme that is not taken",
        ));
    }
    let decoded = STANDARD.decode(rest).ok();
    let text = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let (username, password) = text
        .as_deref()
        .and_then(|text| text.split_once(':'))
        .ok_or(unreadable)?;
    Ok(Credentials::Basic {
        username: username.to_owned(),
        password: password.to_owned(),
    })
}

#[cfg(test)]
mod tests;
