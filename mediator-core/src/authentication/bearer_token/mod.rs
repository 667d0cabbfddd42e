//! Access tokens of an OpenID Connect provider, such as Keycloak (RFC 6750, 7519, 9068).

mod claims;
mod error;
mod key_set;
mod key_store;
mod settings;

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Header, Validation, decode, decode_header};

pub use error::{BearerTokenSettingsError, KeysError, TokenError};
pub use settings::{BearerTokenSettings, TokenAlgorithm};

use crate::server::ClientCertificate;
use claims::{Claims, Confirmation};
use key_store::KeyStore;

/// Longest identifier that is taken for one.
const MAXIMUM_IDENTIFIER: usize = 255;

/// Checks tokens, with keys that it fetches and keeps. Clones share them.
///
/// A token is taken when its issuer has signed it with a key that it publishes, in an allowed
/// algorithm that the key is for; when issuer and audience are the configured ones; when it has
/// begun and not ended; and when it says that it is for access: `typ` is `at+jwt` in its header
/// (RFC 9068), or `Bearer` among its claims (Keycloak). What the header says about where keys are
/// (`jku`, `jwk`, `x5u`, `x5c`) is not looked at.
#[derive(Clone)]
pub struct BearerTokens {
    settings: Arc<BearerTokenSettings>,
    keys: Arc<KeyStore>,
}

/// What a good token says about who shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenHolder {
    /// The issuer's name for the person or program (`sub`). It says nothing by itself, but is the
    /// same at every service of the issuer.
    pub subject: Option<String>,
    /// The client that the token was given to (`azp` or `client_id`).
    pub client: Option<String>,
    /// Roles of the [client that counts](BearerTokenSettings::roles_of) by their names, those of
    /// the realm as `realm:name`, and scopes as `scope:name`.
    pub roles: Vec<String>,
}

impl BearerTokens {
    /// Nothing is fetched yet.
    ///
    /// # Errors
    /// [`BearerTokenSettingsError`] when no token could be checked with these settings.
    pub fn new(settings: &BearerTokenSettings) -> Result<Self, BearerTokenSettingsError> {
        if settings.algorithms.is_empty() {
            return Err(BearerTokenSettingsError::NoAlgorithm);
        }
        Ok(Self {
            settings: Arc::new(settings.clone()),
            keys: Arc::new(KeyStore::new(settings)?),
        })
    }

    /// Gets the issuer's keys, so that the first token need not wait for them.
    ///
    /// # Errors
    /// [`KeysError`]. Tokens are checked all the same, as soon as there are keys.
    pub async fn fetch_keys(&self) -> Result<(), KeysError> {
        self.keys.refresh().await
    }

    /// For a check of readiness: tries to get keys when there are none to check tokens with.
    ///
    /// # Errors
    /// [`KeysError`] when there are none now.
    pub async fn ready(&self) -> Result<(), KeysError> {
        match self.keys.held() {
            Some(_) => Ok(()),
            None => self.keys.refresh().await,
        }
    }

    /// Whose token this is. `certificate` is what the client has shown when its connection began.
    ///
    /// A key that is not known is asked for at the issuer once, unless that was done a moment ago.
    ///
    /// # Errors
    /// [`TokenError`]; [`TokenError::KeysUnavailable`] may be mended by time, anything else not.
    pub async fn check(
        &self,
        token: &str,
        certificate: Option<&ClientCertificate>,
    ) -> Result<TokenHolder, TokenError> {
        if token.len() > self.settings.maximum_token_bytes {
            return Err(TokenError::TooLong);
        }
        let header = decode_header(token).map_err(|_| TokenError::Malformed)?;
        let algorithm = TokenAlgorithm::of(header.alg)
            .filter(|algorithm| self.settings.algorithms.contains(algorithm))
            .ok_or(TokenError::Algorithm)?;
        // RFC 7515, section 4.1.11: what must be understood and is not makes it invalid.
        if header.crit.is_some() || header.zip.is_some() || header.enc.is_some() {
            return Err(TokenError::Malformed);
        }
        let id = header.kid.as_deref().ok_or(TokenError::Malformed)?;
        let keys = self.keys_with(id).await?;
        let mut checked = Err(TokenError::UnknownKey);
        for key in keys.find(id, algorithm) {
            checked = self.verify(token, header.alg, &key.key);
            if !matches!(checked, Err(TokenError::Signature)) {
                break;
            }
        }
        self.accept(&header, checked?, certificate)
    }

    /// Keys among which this one is.
    async fn keys_with(&self, id: &str) -> Result<Arc<key_set::KeySet>, TokenError> {
        if let Some(held) = self.keys.held()
            && held.keys.has(id)
        {
            self.keys.refresh_when_old(&held);
            return Ok(held.keys);
        }
        let refreshed = self.keys.refresh().await;
        match (self.keys.held(), refreshed) {
            (Some(held), _) if held.keys.has(id) => Ok(held.keys),
            (Some(_), Ok(())) => Err(TokenError::UnknownKey),
            _ => Err(TokenError::KeysUnavailable),
        }
    }

    fn verify(
        &self,
        token: &str,
        algorithm: jsonwebtoken::Algorithm,
        key: &jsonwebtoken::DecodingKey,
    ) -> Result<Claims, TokenError> {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        validation.set_issuer(&[&self.settings.issuer]);
        validation.set_audience(&[&self.settings.audience]);
        let decoded = decode::<Claims>(token, key, &validation);
        decoded
            .map(|token| token.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature | ErrorKind::InvalidRsaKey(_) => TokenError::Signature,
                ErrorKind::ExpiredSignature => TokenError::Expired,
                ErrorKind::ImmatureSignature => TokenError::NotYetValid,
                ErrorKind::InvalidIssuer => TokenError::Issuer,
                ErrorKind::InvalidAudience => TokenError::Audience,
                ErrorKind::InvalidAlgorithm => TokenError::Algorithm,
                _ => TokenError::Malformed,
            })
    }

    fn accept(
        &self,
        header: &Header,
        claims: Claims,
        certificate: Option<&ClientCertificate>,
    ) -> Result<TokenHolder, TokenError> {
        // The library takes an issuer among others too.
        if claims.iss != self.settings.issuer {
            return Err(TokenError::Issuer);
        }
        if !is_for_access(header.typ.as_deref(), claims.typ.as_deref()) {
            return Err(TokenError::NotForAccess);
        }
        if let Some(confirmation) = &claims.cnf
            && !is_shown(confirmation, certificate)
        {
            return Err(TokenError::NotTheHolder);
        }
        let client = claims.azp.or(claims.client_id);
        let parties = &self.settings.authorized_parties;
        if !parties.is_empty()
            && client
                .as_ref()
                .is_none_or(|client| !parties.contains(client))
        {
            return Err(TokenError::AuthorizedParty);
        }
        let is_identifier = |text: &String| !text.is_empty() && text.len() <= MAXIMUM_IDENTIFIER;
        let identifiers = [&claims.sub, &client];
        if !identifiers.iter().any(|one| one.is_some())
            || !identifiers.into_iter().flatten().all(is_identifier)
        {
            return Err(TokenError::Malformed);
        }
        let mut resources = claims.resource_access.0;
        let of_client = resources
            .remove(&self.settings.roles_of)
            .unwrap_or_default();
        let of_realm = claims.realm_access.roles;
        let scopes = claims.scope.split_ascii_whitespace();
        // What is prefixed cannot be had by the name of a client's role.
        let of_client = of_client
            .roles
            .into_iter()
            .filter(|role| !role.contains(':'));
        let roles = of_client
            .chain(of_realm.into_iter().map(|role| format!("realm:{role}")))
            .chain(scopes.map(|scope| format!("scope:{scope}")))
            .collect();
        Ok(TokenHolder {
            subject: claims.sub,
            client,
            roles,
        })
    }
}

/// RFC 9068, section 4, and Keycloak, which says it among the claims.
fn is_for_access(header: Option<&str>, claim: Option<&str>) -> bool {
    let header = header.unwrap_or("JWT").to_ascii_lowercase();
    let header = header.strip_prefix("application/").unwrap_or(&header);
    matches!(
        (header, claim),
        ("at+jwt", None | Some("Bearer")) | ("jwt", Some("Bearer"))
    )
}

/// Whether the client has shown what the token is bound to (RFC 8705, section 3.1). Of other ways
/// than certificates none is spoken here.
fn is_shown(confirmation: &Confirmation, certificate: Option<&ClientCertificate>) -> bool {
    let (Some(bound), Some(certificate), None) =
        (&confirmation.certificate, certificate, &confirmation.jkt)
    else {
        return false;
    };
    let thumbprint = digest::digest(&digest::SHA256, certificate.der());
    *bound == URL_SAFE_NO_PAD.encode(thumbprint)
}

impl fmt::Debug for BearerTokens {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("BearerTokens")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

/// Without the subject, who may be a person.
impl fmt::Debug for TokenHolder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("TokenHolder")
            .field("client", &self.client)
            .field("roles", &self.roles)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
