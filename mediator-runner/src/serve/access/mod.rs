//! Who may do what: permissions for each route, and what is done about those who lack them.

mod permission;
mod refusal_audit;
mod refused;
mod requester;
mod routes;

use std::io;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use mediator_core::authentication::{
    Authentication, AuthenticationLayer, BearerTokenSettings, BearerTokenSettingsError,
    BearerTokens, Caller, Grants, OpenHimPeer, RequirePermission, SecretTooShort,
};
use mediator_core::back_end::Trust;
use secrecy::SecretString;

use crate::configuration::{Access, Configuration, OpenHimAccess, Permissions, Tokens};

use permission::Permission;
pub(super) use refusal_audit::RefusalAudit;
pub(super) use requester::Requesters;
use routes::Needed;

/// What the requests of 401 answers name.
const REALM: &str = "ddcc";

/// Why nobody could be let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AccessError {
    /// Certificates could be had by anybody.
    #[error(
        "access: everyone who reaches {address} could have certificates issued; configure access.tokens, access.client_certificates or access.openhim, listen on a loopback address, or say access.everyone_may_issue = true"
    )]
    Open {
        /// Where it would listen.
        address: std::net::SocketAddr,
    },
    /// Tokens could not be checked.
    #[error("access.tokens: {0}")]
    Tokens(#[from] BearerTokenSettingsError),
    /// An address is none.
    #[error("access.tokens.jwks_url: {0}")]
    Address(#[from] url::ParseError),
    /// The channels' password cannot be read.
    #[error("access.openhim.password_file: {path}: {source}")]
    Password {
        /// Which file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It can be guessed.
    #[error("access.openhim.password: {0}")]
    Secret(#[from] SecretTooShort),
    /// Nobody shows certificates.
    #[error(
        "access: certificates are named, but server.tls.client_certificates is \"none\"; set it to \"optional\" or \"required\""
    )]
    NoCertificates,
}

/// The rules that apply.
#[derive(Debug, Clone)]
pub(super) struct Rules {
    authentication: Authentication,
    everyone_may_verify: bool,
    failed_attempts_per_minute: Option<NonZeroU32>,
}

impl Rules {
    /// The configured ones; none when everyone may do everything.
    ///
    /// # Errors
    /// [`AccessError`]; nobody else is asked.
    pub(super) fn of(configuration: &Configuration) -> Result<Option<Self>, AccessError> {
        let access = &configuration.access;
        if !access.is_restricted() {
            let address = configuration.server.listen;
            return if access.everyone_may_issue || address.ip().is_loopback() {
                Ok(None)
            } else {
                Err(AccessError::Open { address })
            };
        }
        let are_certificates_shown = configuration.server.tls.client_ca_file.is_some();
        if names_certificates(access) && !are_certificates_shown {
            return Err(AccessError::NoCertificates);
        }
        let mut authentication = Authentication::new(REALM);
        if let Some(tokens) = bearer_tokens(&access.tokens)? {
            let grants = grants(&access.tokens.permissions);
            authentication = authentication.bearer_tokens(tokens, grants);
        }
        if access.client_certificates != Permissions::default() {
            authentication =
                authentication.client_certificates(grants(&access.client_certificates));
        }
        if access.openhim.is_set() {
            let grants = grants(&access.openhim.permissions);
            authentication = authentication.openhim(openhim_peer(&access.openhim)?, grants);
        }
        Ok(Some(Self {
            authentication,
            everyone_may_verify: access.everyone_may_verify,
            failed_attempts_per_minute: NonZeroU32::new(access.failed_attempts_per_minute),
        }))
    }

    /// Whose tokens are taken, if any are.
    pub(super) fn tokens(&self) -> Option<&BearerTokens> {
        self.authentication.tokens()
    }

    /// Finds out who asks. Goes around [`enforce`].
    pub(super) fn authentication_layer(
        &self,
        audit: RefusalAudit,
        requesters: Requesters,
    ) -> AuthenticationLayer {
        let layer =
            AuthenticationLayer::new(self.authentication.clone()).refusals(move |refused| {
                audit.note(refused, &requesters);
                refused::answer(&refused.reason)
            });
        match self.failed_attempts_per_minute {
            Some(limit) => layer.failed_attempts_per_minute(limit),
            None => layer,
        }
    }
}

/// Lets through who has the permission that the route needs.
pub(super) async fn enforce(
    State(rules): State<Arc<Rules>>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let path = path.map(MatchedPath::as_str).unwrap_or_default();
    let needed = match routes::needed(request.method(), path) {
        Needed::Permission(Permission::Verify) if rules.everyone_may_verify => Needed::Nothing,
        Needed::OpenHimOr(permission) => {
            let caller = request.extensions().get::<Caller>();
            if caller.is_some_and(Caller::is_openhim_itself) {
                Needed::Nothing
            } else {
                Needed::Permission(permission)
            }
        }
        needed => needed,
    };
    let Needed::Permission(permission) = needed else {
        return next.run(request).await;
    };
    match RequirePermission::new(permission.as_str()).check(request) {
        Ok(request) => next.run(request).await,
        Err(refused) => *refused,
    }
}

fn names_certificates(access: &Access) -> bool {
    access.client_certificates != Permissions::default() || !access.openhim.certificates.is_empty()
}

fn grants(permissions: &Permissions) -> Grants {
    Permission::ALL
        .into_iter()
        .fold(Grants::new(), |grants, permission| {
            grants.grant(permission.as_str(), permission.granted_by(permissions))
        })
}

/// What checks the tokens of the configured issuer; nothing when none are taken.
///
/// # Errors
/// [`AccessError`] when no token could be checked with these settings.
pub(crate) fn bearer_tokens(tokens: &Tokens) -> Result<Option<BearerTokens>, AccessError> {
    let Some(issuer) = &tokens.issuer else {
        return Ok(None);
    };
    let jwks_url = tokens.jwks_url.as_deref().map(str::parse).transpose()?;
    let trust = tokens.ca_file.clone().map(Trust::CertificateAuthority);
    let settings = BearerTokenSettings {
        roles_of: tokens.roles_of.clone(),
        authorized_parties: tokens.clients.clone(),
        jwks_url,
        trust: trust.unwrap_or_default(),
        allow_plain_http: tokens.allow_plain_http,
        algorithms: tokens.algorithms.clone(),
        leeway: Duration::from_secs(tokens.leeway_seconds),
        keys_refresh: Duration::from_secs(tokens.refresh_keys_seconds),
        keys_kept: Duration::from_secs(tokens.keep_keys_hours * 60 * 60),
        ..BearerTokenSettings::new(issuer, &tokens.audience)
    };
    Ok(Some(BearerTokens::new(&settings)?))
}

fn openhim_peer(openhim: &OpenHimAccess) -> Result<OpenHimPeer, AccessError> {
    let peer = OpenHimPeer::new().certificates(openhim.certificates.iter().cloned());
    match credentials_of_channels(openhim)? {
        Some((username, password)) => Ok(peer.basic(username, password)?),
        None => Ok(peer),
    }
}

/// What OpenHIM's channels send to show that it is OpenHIM, if that is configured.
///
/// # Errors
/// [`AccessError::Password`] when the file cannot be read.
pub(crate) fn credentials_of_channels(
    openhim: &OpenHimAccess,
) -> Result<Option<(String, SecretString)>, AccessError> {
    let Some(username) = &openhim.username else {
        return Ok(None);
    };
    let password = match (&openhim.password, &openhim.password_file) {
        (Some(password), _) => password.expose().to_owned(),
        (None, Some(path)) => std::fs::read_to_string(path)
            .map_err(|source| AccessError::Password {
                path: path.clone(),
                source,
            })?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        // The configuration has said that one is missing.
        (None, None) => return Ok(None),
    };
    Ok(Some((username.clone(), password.into())))
}
